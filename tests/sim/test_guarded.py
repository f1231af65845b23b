"""Do the guards hold over the whole daemon: the kill switch in the midst of an act, what is only said, what failed?"""

from __future__ import annotations

from pathlib import Path

from selfheal.events import ApprovalAsked, FixStarted, Held, Planned
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, rehearse

MEND = """
[fixes.mend]
command = ["mend", "{agent}"]
causes = ["wrong_answer"]
"""
FLEET = agent("api", more='fixes = ["mend"]') + agent("web") + MEND


def test_the_kill_switch_holds_in_the_midst_of_an_act_within_a_second(tmp_path: Path) -> None:
    """What may be cut short is; it is not taken up again without a person, since nobody knows how far it came."""

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = "wrong"
        await r.until(lambda: bool(r.seen(FixStarted, "api")))
        await r.daemon.control.pause(None, "ann")
        await r.until(lambda: not r.agent("api").fixing, within_s=0.5)
        attempt = r.incident("api").attempts[0]
        assert (attempt.fix, attempt.outcome) == ("mend", "interrupted")
        assert attempt.output == "command: cut short, since healing was paused by ann"
        await r.wait(120.0)
        assert len(r.seen(FixStarted, "api")) == 1
        assert [one.code for one in r.seen(Held)][-1] == "paused"
        await r.daemon.control.resume(None, "ann")
        await r.until(lambda: r.incident("api").asking)
        await r.daemon.control.approve("inc-1", "ann")
        r.machine.outages.clear()
        assert (await r.healed("api")).state == "resolved"

    rehearse(tmp_path, FLEET + '[guard]\nmodes = { restart = "off" }\n', story)


def test_the_word_of_a_person_about_one_agent_stops_what_is_done_to_it_and_to_nobody_else(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = "wrong"
        await r.until(lambda: bool(r.seen(FixStarted, "api")))
        await r.daemon.control.pause("web", "ann")
        r.machine.outages.clear()
        assert (await r.healed("api")).attempts[0].outcome == "succeeded"

    rehearse(tmp_path, FLEET, story)


def test_in_the_shadow_all_is_said_and_nothing_done_but_what_the_reflex_does(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.kill("web")
        assert (await r.healed("web")).attempts[0].reflex
        r.machine.outages["api"] = "wrong"
        await r.until(lambda: bool(r.seen(Planned)))
        await r.wait(300.0)
        said = r.seen(Planned)
        assert [(one.fix, one.shadow) for one in said] == [("mend", True), ("restart", True), ("quarantine", True)]
        assert not [one for one in r.seen(FixStarted) if not one.reflex]
        assert {one.code for one in r.seen(Held)} == {"mode"}
        r.machine.outages.clear()
        assert (await r.healed("api")).reason == "it recovered by itself"

    rehearse(tmp_path, FLEET + "[guard]\nshadow = true\n", story)


def test_the_mode_of_an_agent_comes_before_that_of_all_and_its_word_for_one_fix_before_both(tmp_path: Path) -> None:
    fleet = FLEET.replace('fixes = ["mend"]', 'fixes = ["mend"]\nmodes = { mend = "off", "*" = "ask" }')

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = "wrong"
        await r.until(lambda: r.incidents("api") != [] and r.incident("api").asking)
        assert [one.fix for one in r.seen(ApprovalAsked)] == ["restart"]
        plan = r.incident("api").plan
        assert plan is not None
        assert {one.fix: one.code for one in plan.alternatives}["mend"] == "mode"

    rehearse(tmp_path, fleet + '[guard]\nmodes = { "*" = "auto", mend = "auto" }\n', story)


def test_what_comes_back_soon_after_it_was_mended_was_not_cured(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        for _ in range(2):
            r.machine.outages["api"] = "wrong"
            await r.until(lambda: r.agent("api").fixing)
            r.machine.outages.clear()
            await r.healed("api")
            await r.wait(120.0)
        first, second = r.incidents("api")
        assert first.attempts[0].outcome == "relapsed"
        assert second.attempts[0].outcome == "succeeded"
        failed = sum(odds.failed for (_, _, fix), odds in r.world.odds.items() if fix == "mend")
        assert 0.69 < failed < 0.71, "it bought some time"

    rehearse(tmp_path, FLEET, story)


def test_another_version_of_an_agent_owes_its_name_half_of_what_was_learned(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        r.machine.outages["api"] = "wrong"
        await r.until(lambda: r.agent("api").fixing)
        r.machine.outages.clear()
        await r.healed("api")
        r.write(FLEET.replace('command = "api"', 'command = "api --new"'))
        await r.daemon.control.reload("ann")
        assert 0.49 < sum(odds.helped for (_, _, fix), odds in r.world.odds.items() if fix == "mend") < 0.51

    rehearse(tmp_path, FLEET, story)
