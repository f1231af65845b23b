"""What becomes of the fleet, and of what was being done, when the daemon itself dies?"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from selfheal.errors import NotSaved
from selfheal.events import AgentExited, AgentStarted, FixEnded, FixStarted
from selfheal.rehearse.machine import Program
from selfheal.supervise.launcher import Exit
from tests.sim.fleets import SHOP, SHOP_NAMES, agent, service
from tests.sim.rehearsal import Rehearsal, rehearse


def test_the_next_daemon_adopts_the_whole_fleet(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        pids = {name: r.pid(name) for name in SHOP_NAMES}
        for _ in range(5):
            await r.crash()
            await r.wait(1.0)
            await r.boot()
            await r.all_healthy()
            assert {name: r.pid(name) for name in SHOP_NAMES} == pids
        assert r.machine.spawned == len(SHOP_NAMES)
        assert all(r.agent(name).restarts == 0 for name in SHOP_NAMES)
        assert r.world.incidents == {}

    rehearse(tmp_path, SHOP, story)


def test_what_is_adopted_is_held_within_the_limits_that_the_file_says_by_now(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: r.agent("api").ready)
        pid = r.pid("api")
        await r.crash()
        await r.boot(agent("api", more='limits = { memory = "300MB", cpu = 0.5 }'))
        assert r.pid("api") == pid
        assert r.machine.limits == {pid: (300_000_000, 0.5)}

    rehearse(tmp_path, agent("api", more='limits = { memory = "200MB" }'), story)


def test_an_adopted_process_that_dies_is_restarted_at_once(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.crash()
        await r.boot()
        died_at = r.clock.now()
        r.machine.kill("api")
        incident = await r.healed("api")
        assert incident.recovery_s is not None
        assert incident.recovery_s < 1.0
        (exited,) = r.seen(AgentExited, "api")
        assert (exited.code, exited.signal) == (None, None)  # it was no child of this daemon
        assert r.seen(AgentStarted, "api")[-1].at - died_at < 0.01

    rehearse(tmp_path, SHOP, story)


def test_what_died_while_no_daemon_lived_is_started_by_the_next_one(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.crash()
        r.machine.kill("api")
        await r.wait(60.0)
        await r.boot()
        incident = r.incident("api")
        assert incident.trigger == "exit"
        await r.healed("api") if not incident.over else None
        assert [r.machine.alive(name) for name in SHOP_NAMES] == [1, 1, 1, 1]
        assert r.machine.spawned == len(SHOP_NAMES) + 1

    rehearse(tmp_path, SHOP, story)


def test_a_daemon_that_dies_again_and_again_in_a_crash_loop_keeps_the_count(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        for _ in range(20):
            await r.wait(20.0)
            await r.crash()
            await r.boot()
        await r.until(lambda: r.agent("api").state == "quarantined", within_s=600.0)
        starts = [start for start in r.seen(AgentStarted, "api") if start.reason in ("reflex", "backoff")]
        assert len(starts) <= 12

    rehearse(tmp_path, agent("api"), story, {"api": Program(dies_after_s=5.0)})


def test_a_fix_that_was_interrupted_and_may_be_done_again_is(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = "hung"
        await r.until(lambda: bool(r.seen(FixStarted, "api")))
        await r.crash()
        await r.boot()
        await r.until(lambda: len(r.seen(FixStarted, "api")) == 2)
        del r.machine.outages["api"]
        incident = await r.healed("api")
        assert [one.outcome for one in incident.attempts] == ["interrupted", "succeeded"]
        assert r.machine.alive("api") == 1

    rehearse(tmp_path, SHOP, story)


ONCE_ONLY = service("site", 'fixes = ["purge"]') + '[fixes.purge]\ncommand = ["purge", "{agent}"]\n'


def test_a_fix_that_was_interrupted_and_cannot_be_undone_waits_for_a_person(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["site"] = "stale content"
        await r.until(lambda: bool(r.machine.commands_run))
        await r.crash()
        await r.boot()
        (ended,) = r.seen(FixEnded)
        assert (ended.outcome, ended.output) == ("interrupted", "the daemon ended meanwhile")
        await r.wait(1800.0)
        assert r.machine.commands_run == [("purge", "site")]
        incident = r.incident("site")
        assert incident.state == "waiting_approval"
        assert incident.plan is not None
        assert "it was interrupted" in incident.plan.reason
        assert len(r.inbox.alerts) == 1
        await r.daemon.control.approve(incident.id, "ann")
        await r.until(lambda: len(r.machine.commands_run) == 2)

    rehearse(tmp_path, ONCE_ONLY, story, {"site": Program(remote=True)})


@pytest.mark.parametrize("moment_s", [0.0, 0.0004, 0.001, 0.02, 0.3, 2.0, 6.0, 11.0])
def test_a_crash_at_any_moment_of_a_recovery_ends_with_one_process_and_no_open_incident(
    tmp_path: Path, moment_s: float
) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.kill("cache")
        r.machine.hang("mailer")
        await r.wait(moment_s)
        await r.crash()
        await r.boot()
        await r.until(lambda: r.machine.answers("mailer") is None)
        await r.all_healthy()
        assert [r.machine.alive(name) for name in SHOP_NAMES] == [1, 1, 1, 1]

    rehearse(tmp_path, SHOP, story)


def test_an_agent_that_is_no_longer_configured_is_stopped_by_the_next_daemon(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.crash()
        await r.boot(agent("cache"))
        await r.until(lambda: r.machine.alive("web") == 0)
        assert set(r.world.agents) == {"cache"}
        assert r.machine.alive("cache") == 1

    rehearse(tmp_path, SHOP, story)


def test_a_clean_stop_leaves_nothing_running_and_stops_who_depends_on_others_first(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.stop()
        assert [r.machine.alive(name) for name in SHOP_NAMES] == [0, 0, 0, 0]
        order = [event.agent for event in r.seen(AgentExited)]
        assert order.index("web") < order.index("api") < order.index("cache")
        assert all(event.expected for event in r.seen(AgentExited))
        assert r.world.incidents == {}

    rehearse(tmp_path, SHOP, story)


def test_one_that_takes_no_term_does_not_outlast_the_time_for_a_stop(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        began = r.clock.now()
        await r.stop()
        assert [r.machine.alive(name) for name in SHOP_NAMES] == [0, 0, 0, 0]
        assert r.clock.now() - began <= 10.0

    rehearse(tmp_path, SHOP, story, {"mailer": Program(ignores_term=True)})


def test_a_stop_that_a_crash_interrupted_is_completed_by_the_next_daemon(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()

        async def stop() -> None:
            with pytest.raises(NotSaved):  # that is what a person hears of a daemon that dies meanwhile, if anything
                await r.daemon.control.stop("mailer", "a person")

        stopping = r.tasks.create_task(stop())
        await r.wait(1.0)
        assert r.machine.alive("mailer") == 1
        await r.crash()
        await asyncio.wait({stopping})
        await r.boot()
        await r.until(lambda: r.machine.alive("mailer") == 0)
        await r.wait(60.0)
        assert (r.agent("mailer").state, r.machine.alive("mailer")) == ("stopped", 0)
        assert r.world.incidents == {}

    rehearse(tmp_path, SHOP, story, {"mailer": Program(ignores_term=True)})


def test_a_job_that_finished_runs_again_after_an_orderly_stop(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: r.agent("job").state == "stopped")
        await r.stop()
        await r.boot()
        await r.until(lambda: len(r.seen(AgentStarted, "job")) == 2)

    toml = agent("job", checked=False, more='restart = "on-failure"')
    rehearse(tmp_path, toml, story, {"job": Program(dies_after_s=3.0, exit_code=0)})


def test_on_stop_leave_lets_the_fleet_live_for_the_next_daemon(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        pids = {name: r.pid(name) for name in SHOP_NAMES}
        await r.stop()
        await r.boot()
        await r.all_healthy()
        assert {name: r.pid(name) for name in SHOP_NAMES} == pids

    rehearse(tmp_path, SHOP + '[daemon]\non_stop = "leave"', story)


def test_a_finished_job_is_not_run_again_after_a_crash_of_the_daemon(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: r.agent("job").state == "stopped")
        await r.crash()
        await r.boot()
        await r.wait(60.0)
        assert len(r.seen(AgentStarted, "job")) == 1

    toml = agent("job", checked=False, more='restart = "on-failure"') + agent("api")
    rehearse(tmp_path, toml, story, {"job": Program(dies_after_s=3.0, exit_code=0)})


def test_an_adopted_job_whose_end_is_not_known_counts_as_failed(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(1.0)
        await r.crash()
        await r.boot()
        await r.wait(5.0)
        exited = r.seen(AgentExited, "job")[0]
        assert Exit(exited.code, exited.signal) == Exit(None, None)
        assert [start.reason for start in r.seen(AgentStarted, "job")] == ["first", "adopted", "reflex"]

    toml = agent("job", checked=False, more='restart = "on-failure"')
    rehearse(tmp_path, toml, story, {"job": Program(dies_after_s=3.0, exit_code=0)})
