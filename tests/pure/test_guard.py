"""What holds the healer back, and is it said so that a person understands?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.decide.bars import bars
from selfheal.decide.guard import BLAMED_S, GUARDS, LOOK_S, Rules, held, overspent
from selfheal.events import (
    AgentDeclared,
    AgentFinished,
    AgentHeld,
    AgentRemoved,
    Cause,
    CheckBroke,
    Diagnosed,
    Event,
    FixEnded,
    FixStarted,
    HealingPaused,
    HealingResumed,
    HealthChanged,
    MaintenanceBegan,
    StopAsked,
    Verified,
)
from selfheal.kinds import Observation
from selfheal.plans import Hold, Plan
from selfheal.recover.restart import RESTART, RESTART_WITH_DEPENDENTS
from selfheal.vitals import CheckRecord, Vitals
from selfheal.vocabulary import Channel, GuardCode
from selfheal.world import World
from tests.pure.situations import (
    NOW,
    after,
    diagnosed,
    died,
    failed,
    fleet,
    incident,
    opened,
    started,
    tried,
    vitals,
)

RULES = Rules(max_concurrent_recoveries=3, attempts_per_hour=12, dry_run=False, verify_s=10.0, policies={})
ONSET = NOW - 20.0


def plan(agent: str = "api", fix: str = "restart") -> Plan:
    return Plan(fix, agent, "hung", "", ())


def sick(*more: Event, agent: str = "api") -> World:
    return after(fleet(), failed(agent, ONSET), opened(agent, ONSET), *more)


def why(world: World, seen: Vitals | None = None, rules: Rules = RULES, agent: str = "api", now: float = NOW) -> str:
    """Why nothing is done; nothing where something may be."""
    seen = seen or vitals(world, NOW - 1.0, **{agent: "http"})
    hold = held(world, seen, incident(world), plan(agent), rules, now)
    if hold is not None and hold.until is not None:
        assert hold.until > now, "what is held is looked at again later"
    return hold.reason if hold is not None else ""


def test_with_nothing_in_the_way_the_plan_may_be_carried_out() -> None:
    assert why(sick()) == ""


def test_a_pause_holds_everything_until_a_person_ends_it() -> None:
    for agent in (None, "api"):
        paused = sick(HealingPaused(NOW, agent, "cli"))
        assert "selfheal resume" in why(paused)
        hold = held(paused, vitals(paused), incident(paused), plan(), RULES, NOW)
        assert hold is not None
        assert (hold.until, hold.code, hold.fix) == (None, "paused", "restart")
        assert why(after(paused, HealingResumed(NOW, agent, "cli"))) == ""
    assert why(sick(HealingPaused(NOW, "web", "cli"))) == ""


def test_maintenance_holds_until_it_is_over() -> None:
    world = sick(MaintenanceBegan(NOW, "api", NOW + 600))
    assert held(world, vitals(world), incident(world), plan(), RULES, NOW) == Hold(
        "api is in maintenance", NOW + 600, "maintenance", "restart"
    )


def test_a_dry_run_says_what_it_would_do() -> None:
    assert why(sick(), rules=replace(RULES, dry_run=True)) == "dry run: restart would be applied to api"


def test_two_fixes_are_never_applied_to_one_agent_at_a_time() -> None:
    other = FixStarted(NOW, "inc-2", 1, "restart_with_dependents", "application", "api", "hung")
    assert why(sick(opened("cache", NOW, 2), other)) == "something is already being done to api"


def test_what_answers_again_is_given_the_time_to_settle() -> None:
    world = sick()
    assert why(world, vitals(world, NOW - 1.0)) == "api answers again"


# --- dependencies ---


def test_while_a_dependency_is_down_nothing_is_done_to_who_depends_on_it() -> None:
    assert why(sick(died("cache", NOW))) == "its dependency cache is unhealthy"
    assert why(sick(failed("cache", NOW))) == "its dependency cache is degraded"
    assert why(sick(StopAsked(NOW, "cache", "cli"))) == "its dependency cache is stopped"
    assert why(sick(died("cache", NOW), agent="web"), agent="web") == "its dependency cache is unhealthy"


def blamed(agent: str, channel: Channel = "ranking") -> Diagnosed:
    return Diagnosed(NOW, "inc-1", (Cause("slow_dependency", 0.9, agent, (), (channel,)),))


def test_while_a_ranking_blames_a_dependency_nothing_is_done_to_who_depends_on_it_but_not_for_ever() -> None:
    world = sick(blamed("cache"))
    assert why(world) == "its dependency cache is likelier the cause (90%)"
    assert why(world, now=NOW + BLAMED_S - 0.1) != ""
    assert why(world, now=NOW + BLAMED_S) == ""


def test_nobody_is_held_for_another_by_a_ranking_that_blames_itself_a_stranger_or_by_less() -> None:
    assert why(sick(blamed("api"))) == ""
    assert why(sick(blamed("site"))) == "", "it does not depend on the site"
    assert why(sick(blamed("cache", "log"))) == "", "what rules say of a dependency is not held against who is well"


def test_a_process_that_is_gone_is_its_own_trouble_whomever_a_ranking_blames() -> None:
    assert why(sick(died("api", NOW), blamed("cache"))) == ""


def test_a_dependency_that_has_not_been_asked_since_is_looked_at_first_but_not_for_ever() -> None:
    world = after(fleet(), failed("api", NOW - 1), opened("api", NOW - 1))
    silent = vitals(world, NOW - 30.0, api="http")
    assert why(world, silent) == "its dependency cache is looked at first"
    assert why(world, silent, now=NOW - 1 + LOOK_S) == ""


def test_a_dependency_that_fails_already_and_has_not_settled_on_it_is_looked_at_too() -> None:
    world = after(fleet(), failed("api", NOW - 1), opened("api", NOW - 1))
    assert why(world, vitals(world, NOW - 0.5, api="http", cache="http")) == "its dependency cache is looked at first"


def test_who_depends_on_what_has_just_come_back_is_given_a_moment() -> None:
    again = HealthChanged(NOW - 5, "cache", "http", True, "ok", "", NOW - 6)
    world = sick(failed("cache", ONSET), again)
    assert why(world) == "its dependency cache has only just come back"
    assert why(world, vitals(world, NOW + 20, api="http"), now=NOW - 5 + LOOK_S) == ""


def test_a_dead_or_stopped_process_is_acted_on_whatever_its_dependencies_do() -> None:
    """Local evidence: nothing that another agent does explains it."""
    assert why(sick(died("cache", NOW), died("api", NOW))) == ""
    assert why(sick(died("cache", NOW), failed("api", NOW, "process", "stopped (SIGSTOP)", local=True))) == ""


def test_a_dependency_that_has_done_its_work_or_is_not_there_is_no_obstacle() -> None:
    assert why(sick(died("cache", NOW), AgentFinished(NOW, "cache"))) == ""
    assert why(sick(AgentRemoved(NOW, "cache"))) == ""


def test_those_who_depend_on_the_agent_do_not_hold_it_back() -> None:
    assert why(sick(died("web", NOW))) == ""


# --- how many at once ---


def storm(busy: int, size: int) -> World:
    world = sick()
    for number in range(size - len(world.agents)):
        declared = AgentDeclared(ONSET, f"x{number}", "service", "application", (), (), False)
        world = after(world, declared)
    for number in range(busy):
        begun = FixStarted(NOW, f"inc-{number + 2}", 1, "restart", "application", f"x{number}", "hung")
        world = after(world, opened(f"x{number}", NOW, number + 2), begun)
    return world


@pytest.mark.parametrize(("size", "limit"), [(5, 1), (6, 2), (8, 2), (9, 3), (90, 3)])
def test_no_more_than_a_third_of_the_fleet_is_acted_on_at_once_and_never_more_than_the_limit(
    size: int, limit: int
) -> None:
    calm = replace(RULES, storm_floor=1000)
    assert why(storm(limit - 1, size), rules=calm) == ""
    under_way = "1 recovery is" if limit == 1 else f"{limit} recoveries are"
    assert why(storm(limit, size), rules=calm) == f"{under_way} under way, and {limit} at once is the limit"


@given(st.integers(4, 60), st.integers(1, 20), st.integers(0, 25))
def test_the_limit_is_never_exceeded_and_one_may_always_be_healed(size: int, most: int, busy: int) -> None:
    world = storm(min(busy, size - 4), size)
    allowed = why(world, rules=replace(RULES, max_concurrent_recoveries=most, storm_floor=1000)) == ""
    acting = sum(one.acting for one in world.open_incidents())
    assert allowed == (acting < min(most, max(1, size // 3)))


# --- what is ruled out, and the budget ---


def out_of(world: World, rules: Rules, number: int = 1) -> dict[str, str]:
    """The fixes that are barred, and why."""
    one = incident(after(world, diagnosed("hung", incident(world, number).agent, NOW, number)), number)
    fixes = (RESTART, RESTART_WITH_DEPENDENTS)
    found = bars(world, one, world.agents[one.agent], fixes, rules, False, NOW)
    return {name: bar.reason for name, bar in found.items()}


def test_restart_never_rules_out_every_restart_but_no_other_fix() -> None:
    out = out_of(sick(), replace(RULES, policies={"api": "never", "web": "always"}))
    assert set(out) == {"restart", "restart_with_dependents"}
    assert all("only a person" in reason for reason in out.values())


def test_dependents_that_may_not_be_restarted_or_are_too_many_are_left_alone() -> None:
    world = after(storm(0, 9), opened("cache", NOW, 50), diagnosed("hung", "cache", NOW, 50))
    assert out_of(world, RULES, 50) == {}
    one_at_a_time = replace(RULES, max_concurrent_recoveries=2)
    assert set(out_of(world, one_at_a_time, 50)) == {"restart_with_dependents"}
    never = replace(RULES, policies={"web": "never"})
    assert set(out_of(world, never, 50)) == {"restart_with_dependents"}


def test_restarts_that_are_needed_again_and_again_open_the_breaker_instead() -> None:
    world = fleet()
    for number in range(12):
        world = after(world, started("api", NOW - 600.0 + number, number + 2, "fix"))
    agent = world.agents["api"]
    opening = overspent(agent, plan(), RULES, NOW)
    assert opening is not None
    assert (opening.fix, opening.retry_at, opening.why) == (
        "restart",
        NOW + 30,
        "12 restarts within an hour did not help",
    )
    assert overspent(agent, plan(fix="purge"), RULES, NOW) is None
    assert overspent(agent, replace(plan(), trial=True), RULES, NOW) is None
    assert overspent(agent, plan(), replace(RULES, attempts_per_hour=0), NOW) is None
    assert overspent(agent, plan(), replace(RULES, attempts_per_hour=13), NOW) is None
    assert overspent(agent, plan(), RULES, NOW + 3600.0) is None


def test_a_check_of_a_dependency_that_failed_last_is_not_taken_for_well() -> None:
    world = after(fleet(), failed("api", NOW - 1), opened("api", NOW - 1))
    seen = vitals(world, NOW, api="http")
    unsure = Observation("cache", "http", NOW, 0.1, "inconclusive")
    seen.put("cache", CheckRecord("http", True, True, 9, NOW - 60, unsure))
    assert why(world, seen) == "its dependency cache is looked at first"


def test_a_failure_within_an_old_incident_has_its_dependencies_looked_at_anew() -> None:
    world = after(fleet(), opened("api", NOW - 600), failed("api", NOW - 1))
    seen = vitals(world, NOW - 12.0, api="http")
    assert why(world, seen) == "its dependency cache is looked at first"
    assert why(world, vitals(world, NOW - 1.0, api="http")) == ""


def test_a_check_of_a_dependency_that_cannot_run_is_not_waited_for() -> None:
    broke = CheckBroke(NOW - 60, "cache", "http", "cannot start './nothere'")
    world = after(fleet(), broke, failed("api", NOW - 1), opened("api", NOW - 1))
    seen = vitals(world, NOW, api="http")
    seen.put("cache", CheckRecord("http", last=Observation("cache", "http", NOW, 0.1, "error")))
    assert why(world, seen) != "its dependency cache is looked at first"


# --- the code of each guard ---


def test_each_guard_says_no_under_its_own_code() -> None:
    acted = [FixStarted(NOW - 700 - n, "inc-8", 1, "restart", "application", "site", "hung") for n in range(60)]
    often = [FixStarted(NOW - 100 - n, "inc-9", n, "restart", "application", "api", "hung") for n in range(3)]
    ended = FixEnded(NOW - 100, "inc-9", 2, "succeeded", "")
    healed = (*tried("api", NOW - 40), Verified(NOW - 30, "inc-1", 1, "succeeded", "", NOW - 35))
    held_by: dict[GuardCode, tuple[World, Rules]] = {
        "target": (sick(AgentRemoved(NOW, "api")), RULES),
        "duplicate": (sick(FixStarted(NOW, "inc-1", 1, "purge", "application", "api", "hung")), RULES),
        "maintenance": (sick(MaintenanceBegan(NOW, "api", NOW + 60)), RULES),
        "paused": (sick(HealingPaused(NOW, "api", "ann")), RULES),
        "data_held": (sick(AgentHeld(NOW, "api", "ledger")), RULES),
        "interrupted": (sick(*tried("api", NOW - 3, outcome="interrupted")), RULES),
        "dependency": (sick(died("cache", NOW)), RULES),
        "dry_run": (sick(), replace(RULES, dry_run=True)),
        "concurrency": (storm(3, 90), RULES),
        "agent_budget": (sick(opened("api", NOW - 200, 9), *often, ended), RULES),
        "fleet_budget": (
            sick(opened("site", NOW - 900, 8), *acted, FixEnded(NOW - 600, "inc-8", 1, "succeeded", "")),
            RULES,
        ),
        "cooldown": (sick(*healed), RULES),
    }
    for code, (world, rules) in held_by.items():
        seen = vitals(world, NOW - 3.5, api="http")
        hold = held(world, seen, incident(world), plan(), rules, NOW)
        assert hold is not None, code
        assert hold.code == code, hold
        assert hold.until is None or hold.until > NOW
    assert {code for code, _ in GUARDS} - set(held_by) == {"recovering", "storm"}, "which have tests of their own"


def test_the_word_for_all_comes_before_the_word_for_one() -> None:
    both = sick(HealingPaused(NOW, None, "ann"), HealingPaused(NOW, "api", "bob"))
    assert why(both) == "healing is paused; 'selfheal resume' turns it on again"
    assert "selfheal resume api" in why(after(both, HealingResumed(NOW, None, "ann")))


def test_budgets_are_over_when_their_time_is() -> None:
    often = [FixStarted(NOW - 590 + n, "inc-9", n, "purge", "application", "api", "hung") for n in range(3)]
    world = sick(opened("api", NOW - 700, 9), *often, FixEnded(NOW - 500, "inc-9", 2, "succeeded", ""))
    hold = held(world, vitals(world, NOW - 1, api="http"), incident(world), plan(), RULES, NOW)
    assert hold is not None
    assert hold.until == NOW + 10, "then the oldest of them is ten minutes old"
    assert why(world, rules=replace(RULES, acts_per_agent=0)) == ""


def test_a_process_that_is_gone_is_not_left_to_cool_down() -> None:
    healed = (*tried("api", NOW - 40), Verified(NOW - 30, "inc-1", 1, "succeeded", "", NOW - 35))
    assert "healed a moment ago" in why(sick(*healed))
    assert why(sick(*healed, died("api", NOW))) == ""
