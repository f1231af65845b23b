"""Does looking back tell what was, and leave everything as it is?"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.cli import main
from selfheal.clock import RealClock
from selfheal.compose.lookback import After, At, BeforeIncident, Moment, NotHeld, account, recall
from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentStarted,
    Alternative,
    Cause,
    DaemonStarted,
    Diagnosed,
    Event,
    FixEnded,
    FixStarted,
    Held,
    IncidentOpened,
    IncidentResolved,
    Planned,
    Run,
    Verified,
    encode,
)
from selfheal.store.journal import Journal
from selfheal.world import EMPTY, fold

T0 = 1_767_323_045.0
OTHER = Alternative("clear_cache", 0.4, 30.0, "its breaker is open: it did not help")
EVENTS: tuple[Event, ...] = (
    DaemonStarted(T0, "0.1.0", 1, False),
    AgentDeclared(T0, "db", "process", "application", (), ("tcp",), True),
    AgentDeclared(T0, "api", "process", "application", ("db",), ("http",), True),
    AgentStarted(T0 + 1, "api", Run(77, 1, T0 + 1, 5, "boot"), "first"),
    AgentExited(T0 + 5, "api", 1, 77, 1, None, 4.0, False, 0),
    IncidentOpened(T0 + 5, "inc-1", "api", "exit", "exit code 1 after 4 s", T0 + 5),
    Diagnosed(T0 + 6, "inc-1", (Cause("crashed", 0.9, "api", ("its log says 'no'",)), Cause("unknown", 0.1, "api"))),
    Held(T0 + 7, "inc-1", "its dependency db is starting", T0 + 8),
    Planned(T0 + 8, "inc-1", "restart", "api", "expected to be well in 7 s: restart helps", (OTHER,)),
    FixStarted(T0 + 8, "inc-1", 1, "restart", "application", "api", "crashed"),
    FixEnded(T0 + 9, "inc-1", 1, "succeeded", "started again"),
    Verified(T0 + 12, "inc-1", 1, "succeeded", "", T0 + 9),
    IncidentResolved(T0 + 12, "inc-1", "restart helped", 4.0),
)


async def _write(directory: Path, events: Sequence[Event], segment: int) -> None:
    async def here(work: object) -> None:
        raise AssertionError

    journal, _, _ = Journal.open(directory / "journal", here, RealClock(), segment)
    for event in events:
        journal.append(encode(event))
    journal.close()


def written(directory: Path, events: Sequence[Event] = EVENTS, segment: int = 400) -> Path:
    asyncio.run(_write(directory, events, segment))
    return directory


def snapshot(directory: Path) -> dict[str, tuple[int, bytes]]:
    return {str(one): (one.stat().st_mtime_ns, one.read_bytes()) for one in directory.rglob("*") if one.is_file()}


@settings(max_examples=20, deadline=None)
@given(st.integers(1, len(EVENTS)), st.sampled_from([1, 400, 1 << 20]))
def test_every_moment_is_the_fold_of_all_before_it(
    tmp_path_factory: pytest.TempPathFactory, seq: int, segment: int
) -> None:
    place = written(tmp_path_factory.mktemp("s"), segment=segment)
    before = snapshot(place)
    past = recall(place, After(seq), keep=3)
    assert past.world == reduce(fold, EVENTS[:seq], EMPTY)
    assert [number for number, _ in past.events] == list(range(max(1, seq - 2), seq + 1))
    at = EVENTS[seq - 1].at
    assert recall(place, At(at)).world == reduce(fold, [one for one in EVENTS if one.at <= at], EMPTY)
    assert snapshot(place) == before, "nothing was written"


def test_just_before_an_incident_it_was_not_there(tmp_path: Path) -> None:
    past = recall(written(tmp_path), BeforeIncident("inc-1"))
    assert (past.seq, dict(past.world.incidents)) == (5, {})


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (At(T0 - 1), "the earliest moment that the journal holds is 2026-01-02T03:04:05.000Z, event #1"),
        (After(0), "event #1"),
        (After(99), "the journal ends with #13"),
        (BeforeIncident("inc-9"), "the earliest that it holds is inc-1, opened at 2026-01-02T03:04:10.000Z"),
    ],
)
def test_what_is_not_held_is_said_with_what_is(tmp_path: Path, moment: Moment, said: str) -> None:
    with pytest.raises(NotHeld, match=r"^cannot ") as refused:
        recall(written(tmp_path), moment)
    assert said in str(refused.value)


def test_what_a_running_daemon_is_about_to_write_and_what_is_damaged_is_passed_over(tmp_path: Path) -> None:
    place = written(tmp_path, segment=1 << 20)
    (log,) = (place / "journal").glob("*.log")
    whole = log.read_bytes()
    log.write_bytes(whole[:-5])
    assert recall(place, At(T0 + 99)).seq == len(EVENTS) - 1
    log.write_bytes(whole.replace(b"no", b"yo"))
    assert recall(place, At(T0 + 99)).seq == len(EVENTS)
    assert log.read_bytes() == whole.replace(b"no", b"yo"), "who looks back mends nothing"
    os.mkfifo(place / "lock")  # to open it would wait for ever
    assert recall(place, At(T0 + 99)).seq == len(EVENTS)


def test_where_the_beginning_is_gone_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = written(tmp_path, segment=1)
    for log in sorted((place / "journal").glob("*.log"))[:3]:
        log.unlink()
    assert main(["replay", "--until", "#6", "--state-dir", str(place)]) == 0
    assert "The journal begins with event #4" in capsys.readouterr().err
    assert main(["replay", "--until", "#3", "--state-dir", str(place)]) == 1
    assert "event #4" in capsys.readouterr().err


def test_a_reflex_saw_the_agent_before_it_fell(tmp_path: Path) -> None:
    reflex = FixStarted(T0 + 5, "inc-1", 1, "restart", "application", "api", "", reflex=True)
    found = account(written(tmp_path, [*EVENTS[:6], reflex]), "inc-1")
    assert [type(one.event) for one in found.decisions] == [IncidentOpened, FixStarted]
    assert found.decisions[-1].before.agents["api"].run is not None


def test_the_verbs_need_no_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--state-dir", str(written(tmp_path))]
    assert main(["replay", "--until", "#6", *place]) == 0
    shown = capsys.readouterr().out
    assert "after event #6" in shown
    assert "1 open incident" in shown
    assert main(["replay", "--until", "#6", "--events", "2", *place]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["#5", "#6"]
    assert main(["replay", "--until", "inc-1", "--json", *place]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {name: document[name]["total"] for name in ("agents", "incidents")} == {"agents": 2, "incidents": 0}
    assert document["summary"]["agents"]["total"] == 2
    for words in (["replay", "--until", "-1000000d"], ["explain", "7"]):
        assert main([*words, *place]) == 1
        told = capsys.readouterr()
        assert (told.out, told.err.startswith("cannot "), "earliest" in told.err) == ("", True, True)
    assert main(["replay", "--until", "soon", *place]) == 2


def test_an_explanation_tells_what_was_known_weighed_and_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--state-dir", str(written(tmp_path))]
    assert main(["explain", "1", "--json", *place]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["summary"] == (
        "api: exit code 1 after 4 s; most likely the process ended with an error, 90%; "
        "restart succeeded; well again 4 s after the onset"
    )
    decisions = {one["kind"]: one for one in told["decisions"]}
    plan = decisions["Planned"]
    assert [one["barred"] for one in plan["alternatives"]] == [OTHER.barred]
    assert {one["answer"] for one in plan["guards"]} == {"passed"}
    assert plan["situation"]["dependencies"] == [{"name": "db", "state": "starting"}]
    assert main(["explain", "1", *place]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[0] == f"inc-1: {told['summary']}"
    assert all(one["text"] in text for one in told["decisions"]), "it says what 'why' says"
