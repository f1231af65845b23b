"""Do the verbs behave on a terminal, in a pipe and when they are interrupted, as a shell's programs do?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.events import AgentDeclared, AgentReady, AgentStarted, Event, Run
from selfheal.ledger import replay
from tests.real.daemon_stub import Daemon, served

AT = 1_800_000_000.0
NOW = AT + 192
WELL: list[Event] = [
    AgentDeclared(AT, "api", "process", "application", (), ("http",), has_process=True),
    AgentStarted(AT, "api", Run(101, 1, AT, 101, "boot"), "first"),
    AgentReady(AT, "api", 1, 0.2),
]


@pytest.fixture
def state_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short path: that of a test is often longer than a socket's may be. The shell's folder is elsewhere."""
    with tempfile.TemporaryDirectory(prefix="sh-") as folder:
        monkeypatch.chdir(folder)
        (Path(folder) / "state").mkdir()
        yield Path(folder) / "state"


def verb(*words: str, **options: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **options}
    return subprocess.Popen(
        [sys.executable, "-m", "selfheal", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def test_colours_are_for_terminals(importable: None, state_dir: Path) -> None:
    with served(Daemon(replay(WELL), NOW), state_dir):
        for options, wanted in (
            ({}, False),
            ({"FORCE_COLOR": "1"}, True),
            ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ):
            out, _ = verb("status", **options).communicate(timeout=20)
            assert (b"\x1b[32m" in out) is wanted


def test_marks_that_the_terminal_lacks_do_no_harm(importable: None, state_dir: Path) -> None:
    with served(Daemon(replay(WELL), NOW), state_dir):
        process = verb("status", PYTHONIOENCODING="ascii")
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")
    assert b"? healthy" in out


def test_a_reader_that_has_seen_enough_is_no_error(importable: None, state_dir: Path) -> None:
    daemon = Daemon(replay(WELL), NOW)
    many = ["x" * 1000] * 1000
    daemon.special["/observability/logs"] = lambda _: (200, {"items": many, "cursor": "1"})
    with served(daemon, state_dir):
        process = verb("logs", "api", "-f")
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == b""
        process.stderr.close()


def test_ctrl_c_ends_a_verb_with_130_and_no_traceback(importable: None, state_dir: Path) -> None:
    daemon = Daemon(replay(WELL), NOW)
    daemon.special["/observability/logs"] = lambda _: (200, {"items": ["one"], "cursor": "1"})
    with served(daemon, state_dir):
        process = verb("logs", "api", "-f")
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, b"")
