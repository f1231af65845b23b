"""Does `selfheal why` tell how an agent is, who or what made it so, and what comes next?"""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from selfheal.cli import main
from selfheal.cli.output import clock_time
from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentStarted,
    BreakerOpened,
    Event,
    FixEnded,
    FixStarted,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    Run,
    StopAsked,
    Verified,
    WorkDone,
    WorkPlanned,
)
from selfheal.ledger import replay
from tests.real.daemon_stub import Daemon, served

AT = 1_800_000_000.0
NOW = AT + 192
Shown = pytest.CaptureFixture[str]


def declared(name: str, *needs: str) -> AgentDeclared:
    return AgentDeclared(AT, name, "process", "application", needs, ("http",), has_process=True)


def up(name: str, at: float = AT, generation: int = 1) -> list[Event]:
    began = AgentStarted(at, name, Run(101, generation, at, 101, "boot"), "first" if generation == 1 else "reflex")
    return [began, AgentReady(at, name, generation, 0.2)]


CRASHED: list[Event] = [
    declared("billing"),
    *up("billing"),
    AgentExited(AT + 10, "billing", 1, 101, 1, None, 10.0, expected=False),
    IncidentOpened(AT + 10, "i1", "billing", "exit", "ended with code 1", AT + 10),
    FixStarted(AT + 10.001, "i1", 1, "restart", "application", "billing", "crashed", reflex=True),
    *up("billing", AT + 10.001, 2),
    FixEnded(AT + 10.002, "i1", 1, "succeeded", ""),
]
RESOLVED: list[Event] = [
    Verified(AT + 20, "i1", 1, "succeeded", "", AT + 10.2),
    IncidentResolved(AT + 20, "i1", "restart helped", 0.2),
]


def why(subject: str, capsys: Shown, *history: Event, json: bool = False) -> str:
    """What the verb prints after these events."""
    with tempfile.TemporaryDirectory(prefix="sh-") as folder, served(Daemon(replay(history), NOW), Path(folder)):
        assert main(["why", subject, "--state-dir", folder, *(["--json"] if json else [])]) == 0
    return capsys.readouterr().out


def clock(at: float) -> str:
    return clock_time(datetime.fromtimestamp(at, UTC), datetime.fromtimestamp(NOW, UTC))


def test_who_stopped_it_and_when_is_told_and_not_what_troubled_it_before(capsys: Shown) -> None:
    stopped = [*CRASHED, *RESOLVED, StopAsked(AT + 100, "billing", "the command line")]
    told = why("billing", capsys, *stopped)
    assert f"billing is ■ stopped for 1 m 32 s: stopped by the command line at {clock(AT + 100)}" in told
    assert "its last incident was before that: 'selfheal why i1'" in told
    assert "ended with code 1" not in told
    assert json.loads(why("billing", capsys, *stopped, json=True))["incident"] is None


def test_the_incident_that_a_stop_has_closed_is_told(capsys: Shown) -> None:
    closed = IncidentSuppressed(AT + 11, "i1", "billing was stopped by the page")
    told = why("billing", capsys, *CRASHED, StopAsked(AT + 11, "billing", "the page"), closed)
    assert "stopped by the page at" in told
    assert "closed: billing was stopped by the page" in told
    assert "1. restart: done, not verified yet" in told


def test_what_an_agent_waits_for_before_it_starts_is_told(capsys: Shown) -> None:
    told = why("web", capsys, declared("base"), StopAsked(AT, "base", "cli"), declared("web", "base"))
    assert "web is" in told
    assert "starting" in told
    assert ": waits for base, which is stopped; nothing has happened to it" in told


@pytest.mark.parametrize("over", [False, True])
def test_what_was_done_before_it_failed_has_happened_to_it(capsys: Shown, over: bool) -> None:
    planned = WorkPlanned(AT, "work-1", "base", "restart", AT + 60, "rss grows and reaches 120 MB", "out_of_memory")
    done = [WorkDone(AT + 70, "work-1", "succeeded", "base was started again", "done")] if over else []
    told = why("base", capsys, declared("base"), planned, *done)
    assert "no incident is known of it" in told
    standing = f"✔ done at {clock(AT + 70)}" if over else f"◌ planned at {clock(AT + 60)}"
    assert f"ahead of time (work-1): restart, {standing}: rss grows and reaches 120 MB" in told
    assert "ahead of time" not in why("web", capsys, declared("base"), declared("web"), planned)
    another = WorkPlanned(AT + 1, "work-2", "web", "restart", AT + 60, "fds grow")
    assert "(work-1)" in why("base", capsys, declared("base"), declared("web"), planned, another)


def test_what_was_done_before_it_failed_is_told_beside_an_earlier_incident(capsys: Shown) -> None:
    planned = WorkPlanned(AT + 90, "work-1", "billing", "restart", AT + 90, "rss grows", "out_of_memory")
    done = WorkDone(AT + 99, "work-1", "succeeded", "billing was started again", "done")
    told = why("billing", capsys, *CRASHED, *RESOLVED, planned, done)
    assert f"ahead of time (work-1): restart, ✔ done at {clock(AT + 99)}: rss grows" in told
    assert "incident i1: billing" in told


def test_the_next_trial_and_how_long_each_attempt_lasted_are_told(capsys: Shown) -> None:
    relapse = Verified(AT + 18.201, "i1", 1, "relapsed", "ended with code 1")
    died = AgentExited(AT + 18.201, "billing", 2, 101, 1, None, 8.2, expected=False)
    broken = BreakerOpened(AT + 19, "billing", "restart", NOW + 30, "it did not help")
    told = why("billing", capsys, *CRASHED, died, relapse, broken)
    assert f": it did not help, next trial at {clock(NOW + 30)}" in told
    assert "1. restart: relapsed after 8.2 s" in told
    assert "the breaker of billing's restart opens, the next trial is at" in told
