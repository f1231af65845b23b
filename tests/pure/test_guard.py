"""What holds the healer back, and is it said so that a person understands?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.decide.guard import LOOK_S, Rules, barred, held, overspent
from selfheal.events import (
    AgentDeclared,
    AgentFinished,
    AgentRemoved,
    CheckBroke,
    Event,
    FixStarted,
    HealingPaused,
    HealingResumed,
    HealthChanged,
    MaintenanceBegan,
    StopAsked,
)
from selfheal.kinds import Observation
from selfheal.plans import Hold, Plan
from selfheal.vitals import CheckRecord, Vitals
from selfheal.world import World
from tests.pure.situations import NOW, after, died, failed, fleet, incident, opened, started, vitals

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
        assert hold == Hold("healing is paused; 'selfheal resume' turns it on again", None)
        assert why(after(paused, HealingResumed(NOW, agent, "cli"))) == ""
    assert why(sick(HealingPaused(NOW, "web", "cli"))) == ""


def test_maintenance_holds_until_it_is_over() -> None:
    world = sick(MaintenanceBegan(NOW, "api", NOW + 600))
    assert held(world, vitals(world), incident(world), plan(), RULES, NOW) == Hold("api is in maintenance", NOW + 600)


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
    assert why(storm(limit - 1, size)) == ""
    under_way = "1 recovery is" if limit == 1 else f"{limit} recoveries are"
    assert why(storm(limit, size)) == f"{under_way} under way, and {limit} at once is the limit"


@given(st.integers(4, 60), st.integers(1, 20), st.integers(0, 25))
def test_the_limit_is_never_exceeded_and_one_may_always_be_healed(size: int, most: int, busy: int) -> None:
    world = storm(min(busy, size - 4), size)
    allowed = why(world, rules=replace(RULES, max_concurrent_recoveries=most)) == ""
    acting = sum(one.acting for one in world.open_incidents())
    assert allowed == (acting < min(most, max(1, size // 3)))


# --- what is ruled out, and the budget ---


def test_restart_never_rules_out_every_restart_but_no_other_fix() -> None:
    world = fleet()
    out = barred(world, world.agents["api"], replace(RULES, policies={"api": "never", "web": "always"}))
    assert set(out) == {"restart", "restart_with_dependents"}
    assert all("only a person" in reason for reason in out.values())


def test_dependents_that_may_not_be_restarted_or_are_too_many_are_left_alone() -> None:
    world = storm(0, 9)
    assert barred(world, world.agents["cache"], RULES) == {}
    one_at_a_time = replace(RULES, max_concurrent_recoveries=2)
    assert set(barred(world, world.agents["cache"], one_at_a_time)) == {"restart_with_dependents"}
    never = replace(RULES, policies={"web": "never"})
    assert set(barred(world, world.agents["cache"], never)) == {"restart_with_dependents"}


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
