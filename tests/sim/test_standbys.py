"""When is something asked to stand by, and when no more, over minutes and hours?"""

from __future__ import annotations

from pathlib import Path

from selfheal.compose.standbys import LASTED_S, RETRY_S
from selfheal.events import AgentStarted, StandbyFailed
from selfheal.rehearse.machine import Program
from selfheal.vitals import Standing
from tests.sim.fleets import CHECKED
from tests.sim.rehearsal import Rehearsal, rehearse

FLEET = f"""
[agents.api]
command = "python3 api.py"
standby = "spare"
{CHECKED}
"""
READY = Standing("spare", True, 7, 20_000_000)
FAILED = Standing("spare", why="there is no memory")


def becomes(r: Rehearsal, standing: Standing) -> None:
    """Tell what has become of what stands by; one that has failed is gone."""
    told = r.machine.standbys["api"] if standing.ready else r.machine.standbys.pop("api")
    told(standing)


async def crash(r: Rehearsal) -> None:
    """Let the agent die, and be ready again."""
    run = r.agent("api").run
    r.machine.kill("api")
    await r.until(lambda: r.agent("api").run not in (None, run) and r.agent("api").ready)


def test_one_that_failed_is_told_once_and_tried_again_with_a_start_long_after(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: "api" in r.machine.standbys)
        becomes(r, FAILED)
        await r.wait(30.0)
        await crash(r)
        assert r.machine.standbys == {}
        assert r.daemon.vitals.standby("api") == FAILED
        await r.wait(RETRY_S)
        assert r.machine.standbys == {}  # nothing wakes up for it
        await crash(r)
        assert "api" in r.machine.standbys
        assert len(r.seen(StandbyFailed)) == 1

    rehearse(tmp_path, FLEET, story)


def test_one_that_had_waited_for_a_while_is_replaced_at_once_and_one_that_had_not_is_not(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: "api" in r.machine.standbys)
        becomes(r, READY)
        await r.wait(LASTED_S)
        becomes(r, FAILED)
        assert "api" in r.machine.standbys
        becomes(r, READY)
        await r.wait(LASTED_S / 2)
        becomes(r, FAILED)
        assert r.machine.standbys == {}
        assert len(r.seen(StandbyFailed)) == 2

    rehearse(tmp_path, FLEET, story)


def test_the_time_that_a_used_one_had_waited_counts_for_nothing(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: "api" in r.machine.standbys)
        becomes(r, READY)
        await r.wait(LASTED_S)
        await crash(r)  # it was the next run
        becomes(r, FAILED)
        assert r.machine.standbys == {}

    rehearse(tmp_path, FLEET, story)


def test_a_word_of_a_person_tries_it_again_at_once(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: "api" in r.machine.standbys)
        becomes(r, FAILED)
        await r.daemon.control.restart("api", "a person")
        await r.until(lambda: "api" in r.machine.standbys)
        await r.daemon.control.stop("api", "a person")
        assert r.machine.standbys == {}

    rehearse(tmp_path, FLEET, story)


def test_none_waits_while_the_breaker_is_open(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: "api" in r.machine.standbys)
        r.machine.programs["api"] = Program(dies_after_s=0.2)
        r.machine.kill("api")
        await r.until(lambda: r.agent("api").state == "quarantined", within_s=600.0)
        assert r.machine.standbys == {}
        r.machine.programs["api"] = Program()
        await r.until(lambda: "api" in r.machine.standbys, within_s=600.0)
        assert r.agent("api").breaker.state != "open"
        assert r.seen(AgentStarted, "api")[-1].reason == "trial"

    rehearse(tmp_path, FLEET, story)
