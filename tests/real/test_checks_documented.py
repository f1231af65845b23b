"""Is every kind of check registered as it should be, and does docs/checks.md tell the truth about it?"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from selfheal.agents import AGENT_KINDS
from selfheal.causes import CAUSES
from selfheal.compose.secrets import secrets_of
from selfheal.config.load import Overrides, load
from selfheal.config.models import CheckConfig
from selfheal.config.show import show
from selfheal.kinds import CheckKind
from selfheal.observe import CHECKS
from selfheal.observe.scheduled import scheduled
from selfheal.telemetry.redact import redact
from tests.real.servers import context

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
COMMON = frozenset(CheckConfig.model_fields)
# Kinds whose signals are named by the agent; and what the page says in backticks of servers, beside signals of ours.
WHATEVER_IS_THERE = frozenset({"prometheus", "data"})
THEIRS = frozenset({"maxmemory", "maxclients", "max_connections"})


def examples() -> list[dict[str, object]]:
    """Every table of a check on the page, with {index} filled in as the configuration does it."""
    blocks = re.findall(r"^```toml\n(.*?)^```", PAGE.replace("{index}", "0"), re.DOTALL | re.MULTILINE)
    agents = [agent for block in blocks for agent in tomllib.loads(block)["agents"].values()]
    return [table for agent in agents for table in agent["checks"]]


def kind_of(table: dict[str, object]) -> CheckKind:
    (kind,) = (kind for kind in CHECKS if kind.name in table)
    return kind


@pytest.mark.parametrize("table", examples(), ids=lambda table: kind_of(table).name)
def test_an_example_can_be_used_as_it_stands(table: dict[str, object], tmp_path: Path) -> None:
    kind = kind_of(table)
    plan = scheduled(kind.model.model_validate(table), context(tmp_path), CHECKS)
    assert plan.name == table.get("name", kind.name)


@pytest.mark.parametrize("kind", CHECKS, ids=lambda kind: kind.name)
def test_a_kind_is_documented_with_every_key_that_it_has(kind: CheckKind) -> None:
    used = {key for table in examples() if kind_of(table) is kind for key in table}
    assert set(kind.model.model_fields) - COMMON <= used


@pytest.mark.parametrize("kind", CHECKS, ids=lambda kind: kind.name)
def test_the_key_that_names_a_kind_has_to_be_given_and_says_what_it_is(kind: CheckKind) -> None:
    fields = kind.model.model_fields
    assert fields[kind.name].is_required()
    assert all(field.description for field in fields.values())


def test_what_is_secret_in_a_check_is_known_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "selfheal.toml"
    path.write_text("""
        [agents.shop]
        kind = "service"
        checks = [
            { redis = "redis://:hunter2-a@h:1/0" },
            { postgres = "postgresql://u:hunter2-b@h/d?sslmode=require" },
            { websocket = "wss://u:hunter2-c@h/d", headers = { X-Token = "hunter2-d" }, send = "hunter2-e" },
            { grpc = "h:1", metadata = { x-token = "hunter2-f" } },
        ]
    """)
    agents = {kind.name: kind.model for kind in AGENT_KINDS}
    loaded = load(path, {}, Overrides(), agents, {kind.name: kind.model for kind in CHECKS})
    assert "hunter2" not in "\n".join(map(str, show(loaded, redact)))
    assert {f"hunter2-{letter}" for letter in "abcdf"} <= set(secrets_of(loaded))


def test_no_two_kinds_share_a_name_and_no_kind_has_the_key_of_another() -> None:
    names = [kind.name for kind in CHECKS]
    assert len(set(names)) == len(names)
    for kind in CHECKS:
        assert set(kind.model.model_fields) & set(names) == {kind.name}


@pytest.mark.parametrize("kind", CHECKS, ids=lambda kind: kind.name)
def test_a_kind_is_documented_with_every_signal_that_it_names_and_names_each_of_them(kind: CheckKind) -> None:
    section = re.split(r"^## ", PAGE.partition(f"\n## {kind.name}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    named = set(kind.signals)
    assert named <= set(re.findall(r"`(\w+)`", section))
    assert named or kind.name in WHATEVER_IS_THERE
    signals = re.search(r"^Signals?: (.+?)\n\n", section, re.DOTALL | re.MULTILINE)
    assert signals is not None
    others = set(re.findall(r"`([a-z_]+)`", signals[1])) - named
    assert others <= set(kind.model.model_fields) | set(CAUSES) | THEIRS


def test_what_every_check_has_is_documented_with_its_defaults() -> None:
    common = PAGE.partition("## What every check has")[2].partition("\n## ")[0]
    defaults = CheckConfig()
    assert f"default {defaults.interval:g} s" in common
    assert f"default {defaults.timeout:g} s" in common
    assert f"default {defaults.fall})" in common
    assert f"default {defaults.rise})" in common
