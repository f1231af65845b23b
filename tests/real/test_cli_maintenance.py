"""Does the verb `maintenance` say what became of the work, and what that was worth?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from selfheal.cli import main
from selfheal.events import (
    AgentDeclared,
    AgentReady,
    AgentStarted,
    ApprovalAsked,
    Event,
    FailurePredicted,
    Held,
    PredictionEnded,
    PredictionLeft,
    Run,
    WorkDone,
    WorkPlanned,
)
from selfheal.ledger import replay
from tests.real.daemon_stub import Daemon, served

NOW = 1_800_000_192.0
WELL: list[Event] = [
    AgentDeclared(NOW, "api", "process", "application", (), ("http",), has_process=True),
    AgentStarted(NOW, "api", Run(101, 1, NOW, 101, "boot"), "first"),
    AgentReady(NOW, "api", 1, 0.2),
]
Shown = pytest.CaptureFixture[str]


@pytest.fixture
def state_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short path: that of a test is often longer than a socket's may be."""
    with tempfile.TemporaryDirectory(prefix="sh-") as folder:
        monkeypatch.chdir(folder)
        (Path(folder) / "state").mkdir()
        yield Path(folder) / "state"


def test_what_holds_it_and_that_a_person_is_asked_is_shown(state_dir: Path, capsys: Shown) -> None:
    planned = WorkPlanned(NOW, "work-1", "api", "restart", NOW + 60, "rss grows", timing="least is to be done then")
    asked = ApprovalAsked(NOW, "work-1", "restart", "api", NOW + 600)
    held = Held(NOW, "work-1", "healing is paused", None, "paused", "restart")
    daemon = Daemon(replay([*WELL, planned]), NOW)
    with served(daemon, state_dir):
        for events, shown in (
            ([], "rss grows; least is to be done then"),
            ([held], "rss grows; held: healing is paused"),
            ([asked], "? waiting approval"),
        ):
            daemon.world = replay([*WELL, planned, *events])
            assert main(["maintenance"]) == 0
            assert shown in capsys.readouterr().out


def test_what_the_work_was_worth_is_said_below_it(state_dir: Path, capsys: Shown) -> None:
    def ended(agent: str, outcome: Literal["happened", "averted"]) -> list[Event]:
        foreseen = FailurePredicted(NOW, agent, "out_of_memory", "rss", 0.81, 1800, 1500, 2400, 90e6, 120e6, 2e4)
        return [foreseen, *arm[outcome], PredictionEnded(NOW, agent, "out_of_memory", outcome)]

    planned = WorkPlanned(
        NOW, "w9", "api", "restart", NOW, "rss grows", "out_of_memory", how="what stands by takes over", drawn=True
    )
    left = PredictionLeft(NOW, "api", "out_of_memory", 0.81, 0.05, "it is safe")
    done = WorkDone(NOW, "w9", "succeeded", "api was restarted", "done")
    arm: dict[str, list[Event]] = {"averted": [planned, done], "happened": [left]}
    events = [*WELL, *ended("api", "averted")]
    daemon = Daemon(replay(events), NOW)
    with served(daemon, state_dir):
        assert main(["maintenance"]) == 0
        shown = capsys.readouterr().out
        assert "✔ done" in shown
        assert "rss grows; what stands by takes over; api was restarted" in shown
        assert "1 foreseen failure was acted on in time, 0 came all the same." in shown
        assert "none was left alone yet" in shown
        daemon.world = replay([*events, *ended("api", "happened")])
        assert main(["maintenance"]) == 0
        assert (
            "Of 1 acted on that might have been left alone, an estimated 1 (0-1) would have" in capsys.readouterr().out
        )
