"""Is a number enough for an incident, and is what is amiss with the daemon said beside its facts?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.cli import main
from selfheal.events import AgentDeclared, IncidentOpened
from selfheal.ledger import replay
from tests.real.daemon_stub import Daemon, served

NOW = 1_800_000_000.0
DECLARED = AgentDeclared(NOW - 20, "billing", "process", "application", (), ("http",), has_process=True)

Shown = pytest.CaptureFixture[str]


@pytest.fixture
def state_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short path, for a socket's may not be long."""
    with tempfile.TemporaryDirectory(prefix="sh-") as folder:
        monkeypatch.setenv("SELFHEAL_STATE_DIR", folder)
        yield Path(folder)


def test_the_number_of_an_incident_is_enough(state_dir: Path, capsys: Shown) -> None:
    opened = IncidentOpened(NOW - 10, "inc-1", "billing", "exit", "ended with code 1", NOW - 10)
    with served(Daemon(replay([DECLARED, opened]), NOW), state_dir):
        for words in (["why", "1"], ["why", "inc-1"], ["incidents", "show", "1"]):
            assert main(words) == 0
            assert "incident inc-1: billing" in capsys.readouterr().out
        assert main(["why", "2"]) == 1
    assert "cannot explain '2'" in capsys.readouterr().err


def test_a_daemon_that_cannot_save_is_said_beside_the_facts(state_dir: Path, capsys: Shown) -> None:
    daemon = Daemon(replay([DECLARED]), NOW)
    daemon.special["/observability/summary"] = lambda _: (200, {"status": "ok", "trouble": "No space left on device"})
    with served(daemon, state_dir):
        for words in (["status"], ["status", "--json"]):
            assert main(words) == 0, "the fleet is well"
            shown = capsys.readouterr()
            assert shown.err.startswith("The daemon cannot save what happens: No space left on device; ")
            assert "save" in shown.out or json.loads(shown.out)["trouble"]
