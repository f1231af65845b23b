"""Does what runs to its end run when it should: once, at its time, and never twice at one time?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from selfheal.events import AgentExited, AgentReady, AgentStarted, AgentStartFailed, RunScheduled
from selfheal.rehearse.machine import Program
from selfheal.rehearse.virtual import EPOCH
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, rehearse

# The clock of a rehearsal begins at a full hour, 08:00 UTC.
HOUR_S = 3600.0
EVERY_TEN = 'schedule = "*/10 * * * *"'
QUICK = {"job": Program(dies_after_s=5.0, exit_code=0)}


def job(more: str = EVERY_TEN) -> str:
    return agent("job", checked=False, more=more)


def minutes(r: Rehearsal) -> list[float]:
    """The minutes after the beginning at which runs began."""
    return [(one.at - EPOCH) // 60 for one in r.seen(AgentStarted, "job")]


def left_out(r: Rehearsal) -> list[str]:
    return [one.left_out for one in r.seen(RunScheduled, "job") if one.left_out]


def test_the_clock_of_a_rehearsal_begins_at_a_full_hour() -> None:
    assert EPOCH % HOUR_S == 0


def test_a_scheduled_agent_runs_at_its_times_and_is_stopped_in_between(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        assert (r.agent("job").state, r.agent("job").run) == ("stopped", None)
        await r.wait(65 * 60.0)
        assert minutes(r) == [10, 20, 30, 40, 50, 60]
        assert [one.reason for one in r.seen(AgentStarted, "job")] == ["schedule"] * 6
        assert (r.agent("job").state, r.agent("job").restarts) == ("stopped", 0)
        assert r.agent("job").next_run == EPOCH + 70 * 60.0
        assert r.world.incidents == {}

    rehearse(tmp_path, job(), story, QUICK)


def test_a_schedule_heeds_its_time_zone(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(4 * HOUR_S)
        assert [(one.at - EPOCH) // HOUR_S for one in r.seen(AgentStarted, "job")] == [3.0]

    # 20:30 in Kathmandu, which is 5:45 ahead, is 14:45 in UTC: 3 hours and three quarters after 11:00.
    hour = int(EPOCH % 86400 // HOUR_S) + 3
    local = (hour * 60 + 45 + 345) % (24 * 60)
    schedule = f'schedule = "{local % 60} {local // 60} * * *"\ntimezone = "Asia/Kathmandu"'
    rehearse(tmp_path, job(schedule), story, QUICK)


def test_a_failed_run_is_an_incident_until_the_next_one_ends_well(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(11 * 60.0)
        assert len(r.world.open_incidents()) == 1
        assert minutes(r) == [10], "its next time is its next trial"
        assert r.agent("job").uptime.wanted_s < 60.0, "between two runs nobody wants it up"
        r.machine.programs["job"] = QUICK["job"]
        await r.wait(10 * 60.0)
        assert minutes(r) == [10, 20]
        assert (r.incident("job").state, r.agent("job").state) == ("resolved", "stopped")

    rehearse(tmp_path, job(), story, {"job": Program(dies_after_s=5.0, exit_code=1)})


def test_a_failed_run_is_repeated_at_once_where_that_is_asked_for(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(10 * 60.0 + 7.0)
        r.machine.programs["job"] = QUICK["job"]
        await r.wait(60.0)
        reasons = [one.reason for one in r.seen(AgentStarted, "job")]
        assert reasons[0] == "schedule"
        assert "reflex" in reasons
        assert r.agent("job").state == "stopped"

    rehearse(tmp_path, job(f'{EVERY_TEN}\nrestart = "on-failure"'), story, {"job": Program(dies_after_s=5.0)})


def test_a_run_is_left_out_while_the_last_one_still_runs(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(35 * 60.0)
        assert minutes(r) == [10, 30]
        assert left_out(r) == ["the last run still runs"]
        assert r.machine.alive("job") == 1

    rehearse(tmp_path, job(), story, {"job": Program(dies_after_s=15 * 60.0, exit_code=0)})


def test_a_run_takes_the_place_of_the_last_one_where_that_is_asked_for(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(35 * 60.0)
        assert minutes(r) == [10, 20, 30]
        assert [one.expected for one in r.seen(AgentExited, "job")] == [True, True]
        assert r.world.incidents == {}

    rehearse(tmp_path, job(f'{EVERY_TEN}\noverlap = "kill"'), story, {"job": Program()})


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_a_time_that_came_while_the_daemon_was_away_for_a_moment_is_not_missed(tmp_path: Path, how: str) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(10 * 60.0 - 2.0)
        await (r.stop() if how == "stopped" else r.crash())
        await r.wait(4.0)
        await r.boot()
        await r.wait(60.0)
        assert (minutes(r), left_out(r)) == ([10], [])

    rehearse(tmp_path, job(), story, QUICK)


@pytest.mark.parametrize("how", ["stopped", "killed"])
@pytest.mark.parametrize("catch_up", [False, True])
def test_times_missed_while_no_daemon_ran_are_made_up_for_by_one_run_or_none(
    tmp_path: Path, how: str, catch_up: bool
) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(11 * 60.0)
        await (r.stop() if how == "stopped" else r.crash())
        await r.wait(34 * 60.0)
        await r.boot()
        await r.wait(10 * 60.0)
        assert minutes(r) == ([10, 45, 50] if catch_up else [10, 50])
        assert left_out(r) == ([] if catch_up else ["the daemon was down at that time"])

    rehearse(tmp_path, job(f"{EVERY_TEN}\ncatch_up = {str(catch_up).lower()}"), story, QUICK)


def test_a_run_goes_on_while_daemons_come_and_go(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(10 * 60.0 + 10.0)
        pid = r.pid("job")
        await r.crash()
        await r.wait(5.0)
        await r.boot()
        assert (r.pid("job"), r.machine.spawned) == (pid, 1)
        await r.wait(5 * 60.0)
        assert (r.agent("job").run, r.machine.spawned) == (None, 1)

    rehearse(tmp_path, job(), story, {"job": Program(dies_after_s=60.0, exit_code=0)})


def test_a_clock_that_is_set_back_runs_nothing_twice(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(21 * 60.0)
        r.clock.set_wall(-15 * 60.0)
        await r.wait(26 * 60.0)  # it is 08:32 again: 10 and 20 have been
        assert [one.due_at - EPOCH for one in r.seen(RunScheduled, "job")] == [600.0, 1200.0, 1800.0, 2400.0]
        assert len(r.seen(AgentStarted, "job")) == 3

    rehearse(tmp_path, job(), story, QUICK)


def test_a_clock_that_was_wrong_by_a_day_does_not_stop_the_runs_for_a_day(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(11 * 60.0)
        r.clock.set_wall(-24 * HOUR_S)
        await r.wait(20 * 60.0)
        assert len(r.seen(AgentStarted, "job")) == 3

    rehearse(tmp_path, job(), story, QUICK)


def test_a_clock_that_is_set_on_over_many_times_runs_one_of_them(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(60.0)
        r.clock.set_wall(7 * HOUR_S)
        await r.wait(60.0)
        assert len(r.seen(AgentStarted, "job")) == 1
        assert r.agent("job").next_run == EPOCH + 7 * HOUR_S + 10 * 60.0

    rehearse(tmp_path, job(), story, QUICK)


def test_what_a_person_stopped_or_maintenance_holds_is_left_out_and_said(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.daemon.control.stop("job", "ann")
        await r.wait(11 * 60.0)
        assert (left_out(r), minutes(r)) == (["ann stopped it"], [])
        await r.daemon.control.start("job", "ann")
        await r.wait(10 * 60.0)
        assert left_out(r)[1:] == ["in maintenance"]
        await r.wait(10 * 60.0)
        assert minutes(r) == [11, 30]

    window = '[[guard.maintenance]]\nagents = ["job"]\ncron = "15 * * * *"\nminutes = 10\n'
    rehearse(tmp_path, job() + window, story, QUICK)


def test_in_the_night_that_has_an_hour_twice_a_job_of_that_hour_runs_once(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        summer_time_ends = datetime(2027, 10, 31, 1, 0, tzinfo=UTC).timestamp()
        r.clock.set_wall(summer_time_ends - HOUR_S - r.clock.wall())  # it is 2:00 in Berlin, for the first time
        await r.wait(60.0)
        before = len(r.seen(AgentStarted, "job"))  # the one for all that were jumped over
        await r.wait(3 * HOUR_S)
        assert len(r.seen(AgentStarted, "job")) == before + 1
        assert r.agent("job").next_run == summer_time_ends + 24.5 * HOUR_S

    rehearse(tmp_path, job('schedule = "30 2 * * *"\ntimezone = "Europe/Berlin"'), story, QUICK)


def test_a_job_that_could_not_be_started_is_started_at_its_next_time(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(11 * 60.0)
        assert len(r.seen(AgentStartFailed, "job")) == len(r.world.open_incidents()) == 1
        await r.wait(10 * 60.0)
        assert len(r.seen(AgentStartFailed, "job")) == 2, "and not in between, for it has its times"
        r.machine.programs["job"] = QUICK["job"]
        await r.wait(20 * 60.0)
        assert (minutes(r), left_out(r)) == ([30, 40], [])
        assert (r.incident("job").state, r.agent("job").state) == ("resolved", "stopped")

    rehearse(tmp_path, job(), story, {"job": Program(missing=True)})


def test_who_depends_on_a_schedule_is_not_held_by_it_between_two_runs(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(21 * 60.0)
        assert (minutes(r), left_out(r)) == ([10, 20], [])
        assert r.agent("web").state == "healthy"
        assert not r.agent("yearly").down
        r.machine.outages["web"] = "it answers 500"
        first = r.pid("web")
        await r.until(lambda: r.pid("web") not in (0, first))

    more = 'schedule = "0 3 1 7 *"'
    fleet = agent("yearly", checked=False, more=more) + agent("web", "yearly")
    rehearse(tmp_path, fleet + agent("job", "yearly", checked=False, more=EVERY_TEN), story, QUICK)


def test_who_depends_on_a_run_that_failed_is_left_out(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(21 * 60.0)
        assert minutes(r) == []
        assert left_out(r)[-1] == "import, which it depends on, is not well"

    fleet = agent("import", checked=False, more='schedule = "5 * * * *"')
    fleet += agent("job", "import", checked=False, more=EVERY_TEN)
    rehearse(tmp_path, fleet, story, QUICK | {"import": Program(dies_after_s=5.0)})


@pytest.mark.parametrize("starts_in_s", [0.1, 20.0])
def test_a_run_waits_for_what_is_just_being_started(tmp_path: Path, starts_in_s: float) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(11 * 60.0)
        await r.stop()
        await r.wait(34 * 60.0)
        await r.boot()
        await r.wait(60.0)
        assert (minutes(r)[1:], left_out(r)) == ([45], [])
        (ready,) = [one.at for one in r.seen(AgentReady, "db") if one.at > EPOCH + 44 * 60.0]
        assert r.seen(AgentStarted, "job")[-1].at >= ready

    fleet = agent("db") + agent("job", "db", checked=False, more=f"{EVERY_TEN}\ncatch_up = true")
    rehearse(tmp_path, fleet, story, QUICK | {"db": Program(starts_in_s=starts_in_s)})


def test_a_run_waits_for_a_oneshot_that_has_not_ended_yet(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(11 * 60.0)
        assert minutes(r) == []
        await r.wait(9 * 60.0 + 30.0)
        assert (minutes(r), left_out(r)) == ([15, 20], [])

    fleet = agent("migrate", checked=False, more="oneshot = true")
    fleet += agent("job", "migrate", checked=False, more=EVERY_TEN)
    rehearse(tmp_path, fleet, story, QUICK | {"migrate": Program(dies_after_s=15 * 60.0, exit_code=0)})


@pytest.mark.parametrize("whom", [None, "job"])
def test_a_run_is_left_out_while_healing_is_paused(tmp_path: Path, whom: str | None) -> None:
    async def story(r: Rehearsal) -> None:
        await r.daemon.control.pause(whom, "ann")
        await r.wait(11 * 60.0)
        assert (left_out(r), minutes(r)) == (["healing is paused"], [])
        await r.daemon.control.resume(whom, "ann")
        await r.wait(10 * 60.0)
        assert minutes(r) == [20]

    rehearse(tmp_path, job(), story, QUICK)


def test_a_schedule_that_comes_with_a_reload_is_heeded_at_once(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(9 * 60.0 + 30.0)
        r.write(agent("web", checked=False) + job())
        await r.daemon.control.reload("ann")
        await r.wait(60.0)
        assert minutes(r) == [10], "a look each minute would have come too late"

    rehearse(tmp_path, agent("web", checked=False), story, QUICK)


@pytest.mark.parametrize("exit_code", [0, 1])
def test_between_two_runs_another_command_waits_for_the_next_one(tmp_path: Path, exit_code: int) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(11 * 60.0)
        r.write(job().replace('command = "job"', 'command = "job --fast"'))
        done = await r.daemon.control.reload("ann")
        assert (done.changed, done.restarted) == (("job",), ())
        await r.wait(10 * 60.0)
        assert minutes(r) == [10, 20]

    rehearse(tmp_path, job(), story, {"job": Program(dies_after_s=5.0, exit_code=exit_code)})


def test_those_who_depend_on_a_oneshot_start_when_it_has_ended_well(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(10.0)
        assert (r.agent("migrate").state, r.machine.alive("web")) == ("healthy", 0)
        assert r.world.waits_for("web") == ("migrate",)
        await r.wait(25.0)
        assert (r.agent("migrate").state, r.agent("web").state) == ("stopped", "healthy")
        assert r.world.incidents == {}
        await r.crash()
        await r.boot()
        await r.wait(60.0)
        assert len(r.seen(AgentStarted, "migrate")) == 1, "after a crash nothing is repeated"
        await r.stop()
        await r.boot()
        await r.wait(60.0)
        assert len(r.seen(AgentStarted, "migrate")) == 2, "after an orderly stop it is"

    fleet = agent("migrate", checked=False, more="oneshot = true") + agent("web", "migrate")
    rehearse(tmp_path, fleet, story, {"migrate": Program(dies_after_s=30.0, exit_code=0)})


def test_a_oneshot_that_fails_is_tried_again_and_holds_its_dependents(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(4.0)
        assert len(r.seen(AgentStarted, "migrate")) > 1
        assert r.machine.alive("web") == 0
        r.machine.programs["migrate"] = Program(dies_after_s=1.0, exit_code=0)
        await r.until(lambda: r.agent("web").state == "healthy")
        assert r.agent("migrate").state == "stopped"
        await r.until(lambda: not r.world.open_incidents())
        assert r.incident("migrate").state == "resolved"

    fleet = agent("migrate", checked=False, more="oneshot = true") + agent("web", "migrate")
    rehearse(tmp_path, fleet, story, {"migrate": Program(dies_after_s=1.0)})


def test_a_run_that_takes_too_long_is_ended_and_has_failed(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(12 * 60.0)
        exits = r.seen(AgentExited, "job")
        assert [(round(one.ran_s), one.expected) for one in exits] == [(60, False)]
        assert "within 60 s" in r.incident("job").sign
        assert (r.incident("job").cause, r.machine.alive("job")) == ("hung", 0)

    rehearse(tmp_path, job(f'{EVERY_TEN}\ntimeout = "60s"'), story, {"job": Program()})


def test_a_run_may_take_as_long_as_a_reload_says_meanwhile(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(10 * 60.0 + 30.0)
        r.write(job(f'{EVERY_TEN}\ntimeout = "5m"'))
        await r.daemon.control.reload("ann")
        await r.wait(4 * 60.0)
        assert r.machine.alive("job") == 1
        await r.wait(60.0)
        assert [round(one.ran_s) for one in r.seen(AgentExited, "job")] == [300]

    rehearse(tmp_path, job(f'{EVERY_TEN}\ntimeout = "60s"'), story, {"job": Program()})
