# `make demo` shows selfheal at work, `make test` checks it. Both set up what they need in .venv, on a machine that has
# no more than Python 3.11 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
INSTALL := $(PIP) install --require-hashes

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test soak guards judges lint format foresight bench lock clean

help: ## what can be made here
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## a small fleet that misbehaves, and its healing (ARGS="--help" for more)
	@$(BIN)/selfheal demo $(ARGS)

test: lint ## everything that must hold before a change is taken
	$(BIN)/python -m pytest -q -n auto --dist worksteal $(ARGS)

soak: $(VENV)/.dev ## what shows only after a long time: thousands of restarts, a thousand deaths of the daemon, a crash at every system call
	$(BIN)/python -m pytest -q -s tests/soak $(ARGS)

guards: $(VENV)/.dev ## the guard rules in a hundred thousand random schedules (SEEDS=first:last for others)
	$(BIN)/python -m pytest -q -s tests/soak/test_guard_schedules.py $(ARGS)

lint: $(VENV)/.dev ## style, types and structure
	@! grep -nE 'https?://|file:' *.lock || { echo 'A lock file names an address: write it again with "make lock".' >&2; exit 1; }
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## put the code into the one form
	$(BIN)/ruff check --quiet --fix
	$(BIN)/ruff format --quiet

judges: $(VENV)/.dev ## others judge our counterparts: Render's client, the packages of model makers (JUDGE_RENDER_OPENAPI=FILE, JUDGE_AIMOCK=PROGRAM for more)
	@$(INSTALL) -r requirements-judges.lock
	$(BIN)/python -m pytest -q tests/judges $(ARGS)

foresight: $(VENV)/.dev ## learn the model of every fleet that comes with selfheal from a simulated fleet, half an hour, 6 GB
	rm -rf build/simulated
	$(BIN)/python -m selfheal train build/simulated --simulate 1600 --seed 1 --save selfheal/recorded/every_fleet.model

bench: $(VENV)/.dev ## measure it side by side with other programs
	@$(INSTALL) -r requirements-bench.lock
	$(BIN)/python -m benchmarks.supervision
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.standby
	$(BIN)/python -m benchmarks.renewal
	$(BIN)/python -m benchmarks.scrape
	$(BIN)/python -m benchmarks.sweep
	$(BIN)/python -m benchmarks.history
	$(BIN)/python -m benchmarks.saving
	$(BIN)/python -m benchmarks.journal
	$(BIN)/python -m benchmarks.fixes
	$(BIN)/python -m benchmarks.backups
	$(BIN)/python -m benchmarks.damage
	$(BIN)/python -m benchmarks.storm
	$(BIN)/python -m benchmarks.approval
	$(BIN)/python -m benchmarks.checks --parts engine pipeline dead
	$(BIN)/python -m benchmarks.checks --parts thousands --minutes 5
	$(BIN)/python -m benchmarks.table

# --- setting up -----------------------------------------------------------------------------------------------------

# selfheal itself is installed as a link to this folder. Its build backend comes from a lock like everything else, and
# is used as it is (no isolation): pip would otherwise fetch the newest one, unseen, at each installation.
LINK := $(PIP) install --no-deps --no-build-isolation --editable .

$(VENV)/.run: requirements.lock requirements-build.lock pyproject.toml | $(BIN)/python
	@echo 'Installing what selfheal needs into $(VENV) …'
	@$(INSTALL) -r requirements.lock -r requirements-build.lock
	@$(LINK)
	@touch $@

# The development lock holds what requirements.lock holds, in the same versions.
$(VENV)/.dev: requirements-dev.lock requirements-build.lock pyproject.toml | $(BIN)/python
	@echo 'Installing what selfheal and its tests need into $(VENV) …'
	@$(INSTALL) -r requirements-dev.lock -r requirements-build.lock
	@$(LINK)
	@touch $@ $(VENV)/.run

# Torch, against which the small networks are tested, in the build that knows no graphics cards.
$(VENV)/.lstm: requirements-lstm.lock $(VENV)/.dev
	@echo 'Installing torch into $(VENV) …'
	@$(INSTALL) -r requirements-lstm.lock
	@touch $@

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null \
		|| { echo 'selfheal needs Python 3.11 or newer, and there is no "$(PYTHON)": install it, or name another as in "make demo PYTHON=python3.12".' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "selfheal needs Python 3.11 or newer, and \"$(PYTHON)\" is $$($(PYTHON) --version 2>&1): name another as in \"make demo PYTHON=python3.12\"." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo 'selfheal needs the module venv of "$(PYTHON)", which Debian and Ubuntu ship apart: apt-get install python3-venv.' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# --- locks ----------------------------------------------------------------------------------------------------------

# A lock holds names, versions and hashes, and no address: everyone installs from the index that they trust. The tool
# lives in a place of its own, because it is no part of what it locks.
COMPILE := build/lock/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header --no-annotate \
	--no-emit-options --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

# A version of which the index has a build for processors alone; without one the lock would hold twenty packages, of
# several gigabytes, for graphics cards. Torch needs setuptools, which a lock leaves out where nobody allows it.
TORCH ?= torch==2.13.0

lock: $(BIN)/python ## choose the newest versions that fit, and write them down
	$(BIN)/python -m venv build/lock && build/lock/bin/pip install --quiet pip-tools
	$(COMPILE) -o requirements.lock pyproject.toml
	$(COMPILE) -o requirements-build.lock --only-build-deps --build-deps-for wheel --build-deps-for editable -c requirements.lock pyproject.toml
	$(COMPILE) -o requirements-dev.lock --extra dev -c requirements.lock -c requirements-build.lock pyproject.toml
	$(COMPILE) -o requirements-lstm.lock --extra lstm --allow-unsafe --upgrade-package $(TORCH) -c requirements.lock -c requirements-dev.lock pyproject.toml
	sed -i -e '/^#/d' -e '/^$$/d' requirements-lstm.lock
	$(COMPILE) -o requirements-bench.lock --extra bench -c requirements.lock -c requirements-dev.lock pyproject.toml
	$(COMPILE) -o requirements-judges.lock --extra judges -c requirements.lock -c requirements-dev.lock pyproject.toml

clean: ## forget what was set up and cached; the state of a daemon stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find selfheal tests -name __pycache__ -prune -exec rm -rf {} +
