"""Does every example that we print work as it stands?"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from selfheal.agents import AGENT_KINDS
from selfheal.cli import find_verb, parser_of
from selfheal.config.load import Loaded, Overrides, load
from selfheal.config.models import DaemonConfig, ProcessConfig
from selfheal.config.render import render_of
from selfheal.errors import ConfigInvalid
from selfheal.observe import CHECKS
from selfheal.recover import FIXES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRACT = (ROOT / "tests/real/contract.toml").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"^(selfheal [^#\n]+)", README, re.MULTILINE)))


def loaded(path: Path, **environment: str) -> Loaded:
    return load(
        path,
        environment,
        Overrides(),
        {kind.name: kind.model for kind in AGENT_KINDS},
        {kind.name: kind.model for kind in CHECKS},
        fix_models={fix.name: fix.settings for fix in FIXES},
    )


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_every_example_file_loads(path: Path) -> None:
    assert loaded(path).config.agents


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", README, re.DOTALL))
def test_every_configuration_in_the_readme_loads(block: str, tmp_path: Path) -> None:
    file = tmp_path / "selfheal.toml"
    file.write_text(block, encoding="utf-8")
    assert loaded(file).config.agents


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_in_the_readme_is_understood(line: str) -> None:
    verb, rest = find_verb(shlex.split(line)[1:])
    assert verb is not None, f"there is no verb in {line!r}"
    parser_of(verb).parse_args(rest)


def test_the_container_runs_a_verb_that_there_is() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    program, words = (json.loads(line) for line in re.findall(r"^(?:ENTRYPOINT|CMD) (.+)", dockerfile, re.MULTILINE))
    assert program == ["/usr/bin/tini", "--", "selfheal"]
    verb, rest = find_verb(words)
    assert verb is not None
    assert parser_of(verb).parse_args(rest).keeper


def test_the_container_is_nobodys_root_builds_nothing_and_says_how_it_is() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    last = dockerfile.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE)
    assert 'CMD ["selfheal", "health"]' in last
    assert not re.search(r"build-essential|gcc|-dev\b|requirements-(dev|build)", last)
    assert "--require-hashes" in dockerfile
    assert re.search(r"^HEALTHCHECK .*CMD \[", last, re.MULTILINE)
    assert last.index("\nUSER ") > max(last.rindex("\nRUN "), last.rindex("useradd")), "nothing is installed by nobody"
    installs = [line for line in last.splitlines() if "pip install" in line]
    assert installs
    assert all("--no-cache-dir" in line and "--no-index" in line for line in installs)
    assert "rm -rf /var/lib/apt/lists/*" in last
    locked = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"^(nvidia|torch|triton|cuda)", locked, re.MULTILINE)
    assert re.search(r"^STOPSIGNAL SIGTERM$", last, re.MULTILINE)


def test_systemd_finds_nothing_wrong_with_its_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze on this machine")
    text = (ROOT / "deploy/selfheal.service").read_text(encoding="utf-8")
    unit = tmp_path / "selfheal.service"
    unit.write_text(text.replace("/usr/local/bin/selfheal", sys.executable), encoding="utf-8")
    found = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False, timeout=30)
    assert [line for line in found.stderr.splitlines() if "selfheal" in line] == []


def test_systemd_waits_for_longer_than_a_stop_may_take() -> None:
    text = (ROOT / "deploy/selfheal.service").read_text(encoding="utf-8")
    (waits,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert int(waits) > DaemonConfig().stop_timeout


def test_the_readme_names_the_commands_that_make_knows() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make (\w+)", README):
        if target != "nothing":
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_example_of_the_shop_becomes_what_it_says() -> None:
    shop = loaded(ROOT / "examples" / "shop.toml")
    assert list(shop.config.agents) == ["cache", "api:0", "api:1", "worker", "site"]
    assert shop.config.agents["worker"].depends_on == ("api:0", "api:1")
    assert shop.config.guard.maintenance[0].agents == ("api:0", "api:1")


def contract_in(folder: Path, text: str) -> Path:
    """Write the contract's configuration with what it names beside it, and return its file."""
    (folder / "services/api").mkdir(parents=True)
    (folder / ".env").write_text("SHOP_REGION=north\n", encoding="utf-8")
    file = folder / "selfheal.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_of_the_contract_only_the_key_that_stands_in_no_file_is_missed(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        loaded(contract_in(tmp_path, CONTRACT))
    said = {problem.key: problem.wrong for problem in refused.value.problems}
    assert said == {"agents.web.kind": "a service at Render needs RENDER_API_KEY, which is not set"}


def test_every_key_of_the_contract_is_in_force_as_written(tmp_path: Path) -> None:
    config = loaded(contract_in(tmp_path, CONTRACT), RENDER_API_KEY="rnd_key").config
    assert list(config.agents) == ["api:0", "api:1", "cache", "site", "web", "ledger"]
    web = render_of(config.agents["web"])
    assert web is not None
    assert web.service == "srv-abc123"
    api, cache, site = (config.agents[name] for name in ("api:1", "cache", "site"))
    assert isinstance(api, ProcessConfig)
    assert isinstance(cache, ProcessConfig)
    assert api.command == ("python", "-m", "shop.api", "--port", "9001")
    assert api.directory == tmp_path / "services/api"
    assert api.environment == {"PORT": "9001"}
    assert (api.user, api.depends_on, api.restart) == ("app", ("ledger", "cache"), "always")
    assert api.ready is not None
    assert (api.ready.http, api.ready.timeout) == ("http://127.0.0.1:9001/ready", 30)
    assert (api.stop.signal, api.stop.timeout) == ("TERM", 10)
    assert (api.limits.memory, api.limits.fds, api.limits.cpu) == (400_000_000, 900, 0.9)
    assert (api.log.max_size, api.log.keep) == (20_000_000, 5)
    check = api.checks[0]
    assert (check.name, check.interval, check.timeout, check.fall, check.rise) == ("http", 5, 2, 3, 2)
    assert api.signals[0].take == ("queue_depth", "http_requests_errors_total")
    assert cache.command == ("redis-server", "--port", "6400")
    assert (site.kind, site.fixes, site.checks[0].interval) == ("service", ("purge_cdn",), 30)
    fix = config.fixes["purge_cdn"]
    assert (fix.command, fix.causes, fix.timeout, fix.approval) == (
        ("./purge.sh", "{agent}"),
        ("stale_cache",),
        60,
        True,
    )
    guard = config.guard
    assert (guard.max_concurrent_recoveries, guard.attempts_per_hour, guard.dry_run) == (3, 12, False)
    window = guard.maintenance[0]
    assert (window.agents, window.cron, window.minutes) == (("api:0", "api:1"), "0 3 * * sun", 30)
