"""Is reached beyond the agent that is healed where its configuration says so, and is all of it taken back in time?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.events import AgentHeld, FailedOver, ScaleAsked, StartAsked
from selfheal.rehearse.machine import SLOW
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, rehearse

ONLY = 'modes = { restart = "off", restart_with_dependents = "off" }\n'
IDLE = "".join(agent(f"other-{number}") for number in range(6))


def test_what_matters_less_makes_room_and_comes_back_when_that_was_enough(tmp_path: Path) -> None:
    fleet = agent("api", more=ONLY + '[agents.api.healing.shed_load]\nagents = ["batch"]\nkeep = "5m"') + IDLE
    fleet += agent("batch", more="instances = 2")

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = SLOW
        await r.until(lambda: len(r.seen(AgentHeld)) == 2)
        r.machine.outages.clear()
        healed = await r.healed("api")
        assert [(one.fix, one.outcome) for one in healed.attempts] == [("shed_load", "succeeded")]
        assert [r.machine.alive(f"batch:{n}") for n in range(2)] == [0, 0]
        assert r.incidents("batch:0") == [], "who is stopped on purpose is in no trouble"
        await r.wait(200.0)
        assert r.machine.alive("batch:0") == 0
        await r.wait(150.0)
        assert [r.machine.alive(f"batch:{n}") for n in range(2)] == [1, 1]
        await r.all_healthy()

    rehearse(tmp_path, fleet, story)


def test_room_that_did_not_help_is_given_back_and_a_crash_forgets_nobody(tmp_path: Path) -> None:
    fleet = agent("api", more=ONLY + '[agents.api.healing.shed_load]\nagents = ["batch"]') + agent("batch") + IDLE

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = SLOW
        await r.until(lambda: r.agent("batch").held_for == "api")
        await r.crash()
        await r.wait(5.0)
        await r.boot()
        await r.until(lambda: r.machine.alive("batch") == 1 and not r.agent("batch").held_for, within_s=300.0)
        await r.until(lambda: r.incident("api").state == "escalated", within_s=300.0)

    rehearse(tmp_path, fleet, story)


def test_one_more_instance_is_started_up_to_what_is_allowed_and_taken_back_where_it_did_not_help(
    tmp_path: Path,
) -> None:
    more = ONLY + "instances = 2\n[agents.api.healing.scale_up]\nmost = 3"

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api:0"] = SLOW
        await r.until(lambda: "api:2" in r.world.agents)
        await r.until(lambda: r.incident("api:0").state == "escalated", within_s=300.0)
        assert [one.instances for one in r.seen(ScaleAsked)] == [3, 2]
        assert "api:2" not in r.world.agents
        assert r.incident("api:0").attempts[0].outcome == "undone"

    rehearse(tmp_path, agent("api", more=more) + IDLE, story)


FAILS_OVER = agent("api", more=ONLY + '[agents.api.healing.failover]\nto = "spare"\ncommand = ["lead", "{agent}"]')
FAILS_OVER += agent("spare", more="autostart = false") + agent("web", "api") + IDLE


def test_another_agent_stands_in_for_one_that_cannot_be_mended(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: r.agent("web").state == "healthy")
        assert (r.agent("spare").state, r.machine.alive("spare")) == ("stopped", 0)
        r.machine.hang("api")
        healed = await r.healed("api")
        assert (healed.state, [one.fix for one in healed.attempts]) == ("resolved", ["failover"])
        assert ("lead", "api") in r.machine.commands_run
        assert (r.agent("api").stand_in, r.machine.alive("api"), r.machine.alive("spare")) == ("spare", 0, 1)

        r.machine.outages["web"] = SLOW
        await r.until(lambda: bool(r.incidents("web")) and r.incident("web").attempts != (), within_s=300.0)
        r.machine.outages.clear()
        await r.healed("web")  # what it depends on is there, by another name

        await r.stop()
        await r.boot()
        assert (r.machine.alive("api"), r.machine.alive("spare")) == (0, 1), "that holds over a restart of the daemon"
        await r.daemon.control.start("api", "ann")
        assert (r.agent("api").stand_in, r.machine.alive("api")) == ("", 1)

    rehearse(tmp_path, FAILS_OVER, story)


@pytest.mark.parametrize("crash", [False, True])
def test_a_stand_in_that_is_no_better_gives_the_place_back_over_a_crash_too(tmp_path: Path, crash: bool) -> None:
    async def story(r: Rehearsal) -> None:
        await r.until(lambda: r.agent("web").state == "healthy")
        r.machine.hang("api")
        await r.until(lambda: bool(r.seen(FailedOver)))
        r.machine.outages["spare"] = "no better"
        if crash:
            await r.until(lambda: not r.agent("api").fixing)
            await r.crash()
            await r.boot()
        await r.until(lambda: r.incident("api").attempts[0].undone is True, within_s=300.0)
        assert (r.agent("api").stand_in, r.agent("spare").wanted) == ("", False)
        assert (r.machine.alive("api"), r.machine.alive("spare")) == (1, 0)
        assert r.seen(StartAsked, "api")

    rehearse(tmp_path, FAILS_OVER, story)


def test_quarantine_is_asked_for_and_stays_until_a_person_ends_it(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = "wrong"
        await r.until(lambda: r.incidents("api") != [] and r.incident("api").asking)
        assert r.incident("api").approval.fix == "quarantine"  # type: ignore[union-attr]
        await r.daemon.control.approve("inc-1", "ann")
        await r.until(lambda: r.machine.alive("api") == 0)
        assert r.agent("api").state == "stopped"
        await r.wait(300.0)
        assert r.machine.alive("api") == 0
        r.machine.outages.clear()
        await r.daemon.control.start("api", "ann")
        await r.all_healthy()

    rehearse(tmp_path, agent("api", more=ONLY) + IDLE, story)
