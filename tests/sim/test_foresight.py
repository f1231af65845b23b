"""Is a failure that announces itself prevented, without an outage that nobody planned?"""

from __future__ import annotations

import signal
from array import array
from pathlib import Path

import pytest

from selfheal.compose.condense import condense, seal
from selfheal.events import AgentStarted, FailurePredicted, FixStarted, PredictionEnded, WorkDone, WorkPlanned
from selfheal.history.batches import pack
from selfheal.rehearse.machine import Program
from selfheal.rehearse.virtual import EPOCH
from selfheal.store.shelf import Shelf
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, rehearse

LEAKING = agent("api", more='limits = { memory = "400MB" }') + agent("web", "api")
# From 50 MB with 100 kB a second: the limit is reached after 58 minutes.
LEAK = Program(rss_bytes=50e6, leak_bytes_per_s=100e3)


def test_a_leak_is_foreseen_and_the_agent_restarted_before_the_limit(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.until(lambda: bool(r.seen(WorkDone)), within_s=3500.0)
        first, planned, done = r.seen(FailurePredicted)[0], r.seen(WorkPlanned)[0], r.seen(WorkDone)[0]
        assert (first.mode, first.signal, done.outcome) == ("out_of_memory", "rss", "succeeded")
        assert planned.due_at - first.at >= 0.0
        assert first.eta_low_s >= 1800.0
        assert first.at + 1800.0 < EPOCH + 3500.0  # half an hour before the limit, for a person to look at it
        ended = r.agent("api").last_exit
        assert ended is not None
        assert (ended.signal, ended.expected) == (signal.SIGTERM, True)
        r.machine.programs["api"] = Program()
        await r.until(lambda: bool(r.seen(PredictionEnded)), within_s=700.0)
        assert r.seen(PredictionEnded)[0].outcome == "averted"
        assert r.world.incidents == {}
        assert r.seen(FixStarted) == []
        assert r.agent("web").restarts == 0

    rehearse(tmp_path, LEAKING, story, {"api": LEAK})


def test_work_that_is_due_now_is_done_now(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: any(done.outcome == "succeeded" for done in r.seen(WorkDone)), within_s=600.0)
        planned, started = r.seen(WorkPlanned)[0], r.seen(AgentStarted)[-1]
        assert planned.due_at == planned.at
        assert started.reason == "maintenance"
        assert started.at - planned.at < 0.5
        told = [alert for alert in r.world.alerts if alert.key == "foreseen-api-out_of_memory"]
        assert [alert.resolved for alert in told] == [False, False, True]
        assert "Nothing is planned yet" in told[0].text
        assert "A restart is planned for" in told[1].text  # takes the place of the first, which nobody has got yet
        assert told == list(r.world.alerts)

    quick = LEAKING + '[daemon]\nprevention_interval = "7s"'
    rehearse(tmp_path, quick, story, {"api": Program(rss_bytes=50e6, leak_bytes_per_s=5e6)})


def test_planned_work_is_not_done_while_healing_is_paused(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: bool(r.seen(WorkPlanned)), within_s=3500.0)
        await r.daemon.control.pause("api", "a person")
        await r.wait(r.seen(WorkPlanned)[0].due_at - r.clock.now() + 300.0)
        assert (r.agent("api").restarts, r.seen(WorkDone)) == (0, [])
        await r.daemon.control.resume("api", "a person")
        await r.until(lambda: bool(r.seen(WorkDone)))

    rehearse(tmp_path, LEAKING, story, {"api": LEAK})


def test_a_restart_of_the_daemon_does_not_lose_the_race_against_a_leak(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: bool(r.seen(WorkPlanned)), within_s=3500.0)
        await r.crash()
        await r.boot()
        await r.until(lambda: any(done.outcome == "succeeded" for done in r.seen(WorkDone)), within_s=3500.0)
        assert r.world.incidents == {}

    rehearse(tmp_path, LEAKING, story, {"api": LEAK})


def test_a_steady_fleet_is_left_alone_for_a_day(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.wait(6 * 3600.0)
        assert r.seen(FailurePredicted) == []
        assert r.world.incidents == {}
        assert r.machine.spawned == 1

    rehearse(tmp_path, agent("api", more='limits = { memory = "400MB" }'), story)


def daily_batch(at: float) -> float:
    """What a batch leaves on the disk each day, for two hours from one hour after the beginning on."""
    hour = ((at - EPOCH) % 86400.0) / 3600.0
    return 0.3 + (0.3 * (hour - 1.0) if 1.0 <= hour < 3.0 else 0.0)


def remember(state_dir: Path, days: int) -> None:
    """Write down how full the disk was on the days before, as an earlier daemon would have."""
    shelf = Shelf(state_dir / "history", lambda: 10_000_000)
    shelf.open()
    for hour in range(-24 * days, 0):
        begin = EPOCH + hour * 3600.0
        times = [begin + second for second in range(0, 3600, 60)]
        shelf.append(pack([("api", "disk", array("d", [x for at in times for x in (at, daily_batch(at))]))]))
        seal(shelf, lambda: False)
        condense(shelf, begin, lambda: False)


@pytest.mark.parametrize("days", [0, 3])
def test_what_each_day_brings_is_no_failure_once_it_was_seen_on_two(tmp_path: Path, days: int) -> None:
    remember(tmp_path, days)

    async def story(r: Rehearsal) -> None:
        r.disk = lambda: daily_batch(r.clock.now())
        await r.wait(3.2 * 3600.0)
        assert bool(r.seen(FailurePredicted)) == (days == 0)  # as it would be full soon, were it something new
        assert {ended.outcome for ended in r.seen(PredictionEnded)} <= {"withdrawn"}

    calm = '[daemon]\nself_healing_interval = "2h"\n[agents.api]\ncommand = "api"\n'
    rehearse(tmp_path, calm, story, views=True)


def test_a_signal_of_ones_own_is_foreseen_to_reach_the_limit_that_the_file_gives_it(tmp_path: Path) -> None:
    signals = 'signals = [{ prometheus = "http://127.0.0.1:9/metrics", limits = { jobs_queue = 1000, sessions = 50 } }]'

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        assert r.agent("api").signal_limits == (("jobs_queue", 1000.0), ("sessions", 50.0))
        for minute in range(70):
            r.daemon.senses.signals("api", r.clock.now(), {"jobs_queue": 100.0 + 8.0 * minute, "sessions": 20.0})
            await r.wait(60.0)
        seen = r.seen(FailurePredicted)[-1]
        assert (seen.mode, seen.signal, seen.limit) == ("queue_full", "jobs_queue", 1000.0)
        assert seen.at + seen.eta_s == pytest.approx(EPOCH + 112.5 * 60.0, abs=600.0)
        assert r.seen(WorkPlanned) == []
        assert ("api", "limit_reached") not in r.world.foresight.predictions

    rehearse(tmp_path, agent("api", more=signals), story)


def test_one_that_dies_again_and_again_is_foreseen_to_and_nothing_is_planned_for_it(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        for _ in range(4):
            r.machine.kill("api")
            await r.wait(900.0)
        seen = [one for one in r.seen(FailurePredicted) if one.mode == "crash"]
        assert seen
        assert seen[-1].model == "hazard"
        assert 0.05 < seen[-1].probability < 0.95
        assert [ended.outcome for ended in r.seen(PredictionEnded)][:1] == ["happened"]
        assert r.seen(WorkPlanned) == []

    rehearse(tmp_path, agent("api"), story)
