"""Is work before a failure done at a quiet time, through the same door as a fix, and is what becomes of it told?"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import pytest

from selfheal.events import (
    AgentStarted,
    ApprovalAsked,
    FixEnded,
    FixStarted,
    Held,
    PredictionEnded,
    PredictionLeft,
    Verified,
    WorkDone,
    WorkPlanned,
)
from selfheal.rehearse.machine import Program
from selfheal.rehearse.virtual import EPOCH
from selfheal.serve.views import maintenance
from selfheal.vitals import Standing
from selfheal.world.cases import state_of
from tests.sim.fleets import CHECKED, agent, several
from tests.sim.rehearsal import Rehearsal, rehearse

LIMIT = 'limits = { memory = "400MB" }'
LEAKING = agent("api", more=LIMIT) + agent("web", "api") + agent("cache")
# From 50 MB with 100 kB a second: the limit is reached after 58 minutes.
LEAK = Program(rss_bytes=50e6, leak_bytes_per_s=100e3)
SLOW_LEAK = Program(rss_bytes=50e6, leak_bytes_per_s=50e3)
HOUR_S = 3600.0

E = TypeVar("E")
Told = Callable[[Rehearsal], Coroutine[object, object, None]]


async def first(r: Rehearsal, kind: type[E], within_s: float = 3500.0) -> E:
    """Wait for the first event of a kind."""

    def found() -> list[E]:
        return [event for event in r.told if isinstance(event, kind)]

    await r.until(lambda: bool(found()), within_s)
    return found()[0]


def hour_of(at: float) -> float:
    """The time of day, UTC."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.hour + moment.minute / 60


def test_it_is_done_in_the_quiet_time_that_is_configured(tmp_path: Path) -> None:
    quiet = '[[prevention.quiet]]\nagents = ["api"]\ncron = "30 8 * * *"\nminutes = 6\n'

    async def story(r: Rehearsal) -> None:
        planned = await first(r, WorkPlanned)
        assert 8.5 <= hour_of(planned.due_at) < 8.6
        begun = await first(r, FixStarted)
        assert planned.due_at <= begun.at < planned.due_at + 6.0
        done = await first(r, WorkDone)
        assert (done.outcome, done.state) == ("succeeded", "done")

    rehearse(tmp_path, LEAKING + quiet, story, {"api": LEAK})


@pytest.mark.parametrize(("quiet", "busy"), [(8, 9), (9, 8)])
def test_it_is_done_in_the_hour_that_was_seen_to_be_quiet(tmp_path: Path, quiet: int, busy: int) -> None:
    """It is eight o'clock, the limit is reached at about ten: of four weeks it is known which hour is the quiet one."""

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: "cpu" in r.daemon.history.signals("api"))
        series = r.daemon.history.series("api", "cpu")
        assert series is not None
        past = array("d")
        for hour in range(27 * 24, 0, -1):
            at = EPOCH - hour * HOUR_S + 60.0
            past.extend((at, {quiet: 0.05, busy: 2.0}.get(int(hour_of(at)), 1.0)))
        series.precede(past)
        planned = await first(r, WorkPlanned, 7000.0)
        assert int(hour_of(planned.due_at)) == quiet
        assert (await first(r, WorkDone, 7000.0)).state == "done"
        assert r.world.incidents == {}

    rehearse(tmp_path, LEAKING, story, {"api": SLOW_LEAK})


def test_no_work_is_planned_into_a_maintenance_window(tmp_path: Path) -> None:
    window = '[[guard.maintenance]]\nagents = ["api"]\ncron = "30 8 * * *"\nminutes = 15\n'

    async def story(r: Rehearsal) -> None:
        planned = await first(r, WorkPlanned)
        assert not 8.5 <= hour_of(planned.due_at) < 8.75
        assert (await first(r, WorkDone)).state == "done"

    rehearse(tmp_path, LEAKING + window, story, {"api": LEAK})


def test_what_a_guard_holds_is_told_and_done_once_it_may_be(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        planned = await first(r, WorkPlanned)
        await r.daemon.control.pause(None, "a person")
        await r.wait(planned.due_at - r.clock.now() + 30.0)
        held = r.seen(Held)[-1]
        assert (held.incident, held.code, held.fix) == ("work-1", "paused", "restart")
        (shown,) = maintenance.work(r.world)
        assert (shown.state, shown.hold_code) == ("planned", "paused")
        await r.daemon.control.resume(None, "a person")
        assert (await first(r, WorkDone)).state == "done"

    rehearse(tmp_path, LEAKING, story, {"api": LEAK})


def test_what_cannot_be_done_in_time_is_given_up_and_not_planned_again_and_again(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await first(r, WorkPlanned)
        await r.daemon.control.pause("api", "a person")
        done = await first(r, WorkDone)
        assert (done.outcome, done.state) == ("rejected", "skipped")
        assert "healing of api is paused" in done.output
        left = [alert for alert in r.world.alerts if "was not done" in alert.text]
        assert len(left) == 1
        ended = await first(r, PredictionEnded)
        assert ended.outcome == "happened"
        assert len(r.seen(WorkPlanned)) == 1
        assert maintenance.totals(r.world).work == {"skipped": 1}

    rehearse(tmp_path, LEAKING, story, {"api": LEAK})


@pytest.mark.parametrize("approved", [True, False])
def test_a_person_is_asked_as_for_a_fix_and_answers_in_good_time(tmp_path: Path, *, approved: bool) -> None:
    async def story(r: Rehearsal) -> None:
        planned = await first(r, WorkPlanned)
        asked = await first(r, ApprovalAsked)
        assert planned.asks
        assert asked.incident == "work-1"
        assert asked.expires_at == pytest.approx(planned.until)
        assert asked.at - planned.at < 1.0
        await r.until(lambda: any(alert.asks == "restart" for alert in r.inbox.alerts))
        assert state_of(r.world, r.world.foresight.work["work-1"]) == "waiting_approval"
        answer = r.daemon.control.approve if approved else r.daemon.control.reject
        await answer("work-1", "ann")
        done = await first(r, WorkDone)
        if approved:
            assert (done.state, r.agent("api").restarts) == ("done", 1)
            assert r.seen(FixStarted)[0].at >= planned.due_at
        else:
            assert (done.state, done.output) == ("skipped", "restart was rejected by ann")
            assert r.agent("api").restarts == 0

    rehearse(tmp_path, LEAKING + '[guard]\nmodes = { restart = "ask" }\n', story, {"api": LEAK})


def test_where_nobody_answers_it_is_not_done(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        done = await first(r, WorkDone)
        assert (done.state, done.output) == ("skipped", "restart was rejected by nobody in time")
        assert r.agent("api").restarts == 0

    rehearse(tmp_path, LEAKING + '[guard]\nmodes = { restart = "ask" }\n', story, {"api": LEAK})


def test_instances_are_restarted_one_after_the_other_each_once_the_last_is_well(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: len(r.seen(WorkDone)) == 3, 3500.0)
        assert {planned.how for planned in r.seen(WorkPlanned)} == {"one instance after the other"}
        spans = [
            (one.at, next(v.at for v in r.seen(Verified) if v.incident == one.incident)) for one in r.seen(FixStarted)
        ]
        assert len(spans) == 3
        for (_, verified_at), (begun_at, _) in pairwise(spans):
            assert begun_at >= verified_at
        assert {one.code for one in r.seen(Held)} <= {"rolling", "concurrency"}
        assert r.world.incidents == {}

    leaking = {f"pool:{number}": LEAK for number in range(3)}
    rehearse(tmp_path, several("pool", 3, more=LIMIT), story, leaking)


def test_never_more_at_once_than_a_third_of_the_fleet(tmp_path: Path) -> None:
    names = [f"a{number}" for number in range(6)]

    async def story(r: Rehearsal) -> None:
        under_way: set[str] = set()
        most = 0
        await r.until(lambda: len(r.seen(WorkDone)) == 6, 3500.0)
        for event in r.told:
            if isinstance(event, FixStarted):
                under_way.add(event.agent)
                most = max(most, len(under_way))
            elif isinstance(event, FixEnded):
                under_way.discard(r.world.foresight.work[event.incident].planned.agent)
        assert 1 <= most <= 2
        assert {done.state for done in r.seen(WorkDone)} == {"done"}

    fleet = "".join(agent(name, more=LIMIT) for name in names)
    slow_to_start = Program(rss_bytes=50e6, leak_bytes_per_s=100e3, starts_in_s=20.0)
    rehearse(tmp_path, fleet, story, dict.fromkeys(names, slow_to_start))


def test_a_daemon_that_is_started_between_plan_and_work_does_it(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        planned = await first(r, WorkPlanned)
        await r.wait((planned.due_at - r.clock.now()) / 2)
        await r.crash()
        await r.boot()
        done = await first(r, WorkDone)
        assert (done.work, done.state) == ("work-1", "done")
        assert r.seen(FixStarted)[0].at >= planned.due_at

    rehearse(tmp_path, LEAKING, story, {"api": LEAK}, views=True)  # with the past, from which it is foreseen again


def test_a_daemon_that_dies_in_the_midst_of_it_leaves_a_well_agent_and_an_end(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await first(r, FixStarted)
        await r.crash()
        await r.boot()
        done = await first(r, WorkDone)
        assert done.state == "done"
        await r.all_healthy()
        assert not r.agent("api").fixing

    slow = Program(rss_bytes=50e6, leak_bytes_per_s=100e3, starts_in_s=8.0)
    rehearse(tmp_path, LEAKING, story, {"api": slow})


def test_work_after_which_the_agent_is_not_well_has_failed_and_the_incident_is_healed(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await first(r, WorkPlanned)
        r.machine.programs["api"] = Program(missing=True)
        done = await first(r, WorkDone)
        assert done.state == "failed"
        assert done.outcome in ("failed", "timed_out", "relapsed")
        r.machine.programs["api"] = Program()
        await r.all_healthy(3000.0)

    rehearse(tmp_path, LEAKING, story, {"api": LEAK})


def test_what_is_no_longer_foreseen_is_called_off(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await first(r, WorkPlanned)
        r.machine.programs["api"].leak_bytes_per_s = 0.0  # what it holds is let go of
        r.machine.programs["api"].rss_bytes = 60e6
        done = await first(r, WorkDone)
        assert (done.state, done.output) == ("called_off", "called off: what it should prevent is no longer foreseen")
        assert r.seen(FixStarted) == []
        assert r.agent("api").restarts == 0

    rehearse(tmp_path, LEAKING, story, {"api": Program(rss_bytes=50e6, leak_bytes_per_s=100e3)})


SPARED = f"""
[agents.api]
command = "python3 api.py"
standby = "spare"
{LIMIT}
{CHECKED}
"""


def test_what_stands_by_takes_over_in_peace(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: "api" in r.machine.standbys)
        r.machine.standbys["api"](Standing("spare", True, 7, 20_000_000))
        planned = await first(r, WorkPlanned)
        assert (planned.action, planned.how) == ("replace_by_spare", "what stands by takes over")
        done = await first(r, WorkDone)
        assert done.state == "done"
        started = [one for one in r.seen(AgentStarted) if one.reason == "maintenance"]
        assert len(started) == 1
        ended = r.agent("api").last_exit
        assert ended is not None
        assert ended.expected

    rehearse(tmp_path, SPARED + "[prevention]\nleft_alone = 0\n", story, {"api": LEAK})


def test_one_that_is_left_alone_fails_is_back_at_once_and_is_counted(tmp_path: Path) -> None:
    """Every second one is, and chance is seeded: by the tenth failure both have been."""

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: "api" in r.machine.standbys)
        r.machine.standbys["api"](Standing("spare", True, 7, 20_000_000))
        await r.until(lambda: bool(r.seen(PredictionLeft)) and len(r.seen(PredictionEnded)) >= 6, 60_000.0)
        left = r.seen(PredictionLeft)[0]
        assert (left.agent, left.mode, left.share) == ("api", "out_of_memory", 0.5)
        worth = maintenance.totals(r.world).worth
        assert worth.left == worth.came >= 1
        assert worth.acted >= 1
        assert worth.would_have_failed == worth.acted
        assert worth.low is not None
        assert worth.low < worth.acted
        for incident in r.world.incidents.values():
            assert incident.recovery_s is None or incident.recovery_s < 60.0

    rehearse(tmp_path, SPARED + "[prevention]\nleft_alone = 0.5\n", story, {"api": LEAK})


def test_at_night_none_is_left_alone(tmp_path: Path) -> None:
    night = "[notify]\nquiet = { begin = 08:00:00, end = 23:00:00 }\n"

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: "api" in r.machine.standbys)
        r.machine.standbys["api"](Standing("spare", True, 7, 20_000_000))
        await r.until(lambda: len(r.seen(WorkDone)) >= 4, 20_000.0)
        assert r.seen(PredictionLeft) == []
        assert not any(planned.drawn for planned in r.seen(WorkPlanned))

    rehearse(tmp_path, SPARED + night + "[prevention]\nleft_alone = 0.5\n", story, {"api": LEAK})


def test_where_a_person_has_to_restart_it_none_is_left_alone(tmp_path: Path) -> None:
    modes = '[guard]\nmodes = { restart = "suggest", replace_by_spare = "suggest" }\n'

    async def story(r: Rehearsal) -> None:
        await r.until(lambda: "api" in r.machine.standbys)
        r.machine.standbys["api"](Standing("spare", True, 7, 20_000_000))
        await r.until(lambda: bool(r.seen(PredictionLeft) or r.seen(WorkDone)), 20_000.0)
        assert r.seen(PredictionLeft) == []
        assert r.seen(WorkDone)[0].output == "replace_by_spare is only suggested (mode = suggest)"

    rehearse(tmp_path, SPARED + modes + "[prevention]\nleft_alone = 0.5\n", story, {"api": LEAK})


def test_on_a_dry_run_it_is_said_what_would_be_done(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        done = await first(r, WorkDone)
        assert (done.state, r.seen(FixStarted)) == ("skipped", [])
        assert "dry run: restart would be applied to api" in done.output

    rehearse(tmp_path, LEAKING + "[guard]\ndry_run = true\n", story, {"api": LEAK})


DATA = """
[agents.ledger]
kind = "sqlite"
path = "ledger.db"
interval = 30
backup = { every = "7d" }

[fixes.tidy]
command = "tidy"
causes = ["disk_full"]
"""


ONLY_TIDY = '[guard]\nmodes = { "*" = "off", tidy = "auto" }\n'


def test_a_disk_that_fills_is_tidied_after_a_backup_of_the_data_on_it(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        began, tidied = r.clock.now(), ("tidy",)

        def used() -> float:  # full after 67 minutes, where nobody tidies up
            return 0.4 if tidied in r.machine.commands_run else 0.4 + 0.00015 * (r.clock.now() - began)

        r.disk = used
        planned = await first(r, WorkPlanned)
        assert (planned.agent, planned.action, planned.backups) == ("shop", "tidy", ("ledger",))
        assert planned.how == "after a backup of ledger"
        await r.until(lambda: any(done.state == "done" for done in r.seen(WorkDone)), 4000.0)
        (case,) = (one for one in r.world.cases.values() if one.attempts)
        assert [(one.fix, one.agent) for one in case.attempts] == [("back_up", "ledger"), ("tidy", "shop")]
        assert [job for who, job in r.machine.data.done if who == "ledger"].count("backup") == 2
        assert r.agent("ledger").restarts == r.agent("shop").restarts == 0

    rehearse(tmp_path, DATA + agent("shop", "ledger", more='fixes = ["tidy"]'), story)


def test_a_nearer_failure_against_which_nothing_helps_keeps_nothing_from_being_planned(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        began = r.clock.now()
        r.disk = lambda: 0.4 + 0.000125 * (r.clock.now() - began)  # full after 80 minutes, and out of memory after 58
        planned = await first(r, WorkPlanned)
        assert (planned.agent, planned.action, planned.mode) == ("api", "tidy", "disk_full")
        assert ("api", "out_of_memory") in r.world.foresight.predictions

    leaking = agent("api", more='limits = { memory = "400MB" }\nfixes = ["tidy"]')
    rehearse(tmp_path, DATA + leaking + ONLY_TIDY, story, {"api": LEAK})
