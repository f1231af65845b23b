"""What comes next? Each test is a short story: what happened, and what the healer does about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from selfheal.decide.incident import next_step
from selfheal.events import (
    AgentExited,
    AgentFinished,
    AgentRemoved,
    Attributed,
    BreakerOpened,
    BreakerTried,
    Cause,
    DaemonStarted,
    DaemonStopped,
    Diagnosed,
    Event,
    FixEnded,
    FixStarted,
    HealingPaused,
    HealthChanged,
    IncidentEscalated,
    IncidentJoined,
    IncidentResolved,
    MaintenanceBegan,
    Planned,
    RestartDelayed,
    StartAsked,
    StopAsked,
    UndoEnded,
    UndoStarted,
    Verified,
)
from selfheal.plans import (
    Attribute,
    Diagnose,
    Escalate,
    Hold,
    Judge,
    Plan,
    Resolve,
    Rest,
    Suggest,
    Suppress,
    Switch,
    Undo,
)
from selfheal.recover.restart import RESTART
from tests.pure.situations import (
    NOW,
    after,
    diagnosed,
    died,
    failed,
    fleet,
    incident,
    opened,
    ready,
    started,
    tried,
    vitals,
)
from tests.pure.steps import BEGAN, COMMAND, PURGE, RULES, dead, healing, own, sick, step

GOOD = HealthChanged(NOW - 1, "api", "http", True, "ok", "", NOW - 2)

# --- nothing to do, or nobody's trouble ---


def test_an_incident_that_is_over_needs_nothing() -> None:
    assert step(sick(IncidentResolved(NOW, "inc-1", "", 1.0))) == Rest()


def test_while_a_fix_is_being_applied_one_waits() -> None:
    assert step(sick(FixStarted(NOW, "inc-1", 1, "restart", "application", "api", "hung"))) == Rest()


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (AgentRemoved(NOW, "api"), "the agent is no longer there"),
        (StopAsked(NOW, "api", "cli"), "api is stopped on purpose"),
        (AgentFinished(NOW, "api"), "api is stopped on purpose"),
    ],
)
def test_the_trouble_of_an_agent_that_shall_not_run_is_nobodys(event: Event, reason: str) -> None:
    assert step(sick(event)) == Suppress(reason)


# --- what is learned at the end ---


def test_before_it_ends_it_is_said_what_the_attempts_have_shown_of_the_causes_and_once() -> None:
    """What was written for one cause and has failed was tried against another, most likely."""
    doubt = Diagnosed(NOW - 9, "inc-1", (Cause("stale_cache", 0.6, "api"), Cause("hung", 0.4, "api")))
    world = sick(doubt, *tried("api", NOW - 8, fix="purge"), Verified(NOW - 6, "inc-1", 1, "failed", "still"))
    world = after(world, replace(doubt, at=NOW - 5), *tried("api", NOW - 4, 2))
    world = after(world, Verified(NOW - 1, "inc-1", 2, "succeeded", "", NOW - 2), GOOD)
    attribute = step(world, None, RESTART, own("purge", "stale_cache"))
    assert isinstance(attribute, Attribute)
    assert attribute.shares["hung"] > 0.7
    world = after(world, Attributed(NOW, "inc-1", attribute.shares))
    assert isinstance(step(world, None, RESTART, PURGE), Resolve)
    assert world.odds["api", "hung", "purge"].failed == attribute.shares["hung"]


def test_where_there_is_but_one_cause_nothing_is_said_of_it() -> None:
    world = sick(*tried("api", NOW - 4), Verified(NOW - 1, "inc-1", 1, "succeeded", "", NOW - 2), GOOD)
    assert isinstance(step(world, None, RESTART), Resolve)


# --- diagnosis, plan ---


def test_first_the_causes_are_ranked() -> None:
    assert step(after(fleet(), failed("api", BEGAN), opened("api", BEGAN))) == Diagnose()


def test_then_the_best_fix_is_planned() -> None:
    plan = step(sick())
    assert isinstance(plan, Plan)
    assert (plan.fix, plan.agent, plan.cause, plan.trial) == ("restart", "api", "hung", False)
    assert plan.alternatives


def test_a_guard_that_says_no_is_asked_again_later() -> None:
    hold = step(sick(died("cache", BEGAN)))
    assert hold == Hold("its dependency cache is unhealthy", NOW + 1.0, "dependency", "restart")
    assert isinstance(step(sick(HealingPaused(NOW, None, "cli"))), Hold)


def test_in_a_dry_run_and_where_it_is_only_suggested_it_is_said_once_what_would_be_done() -> None:
    said = Planned(NOW, "inc-1", "restart", "api", "", (), shadow=True)
    for rules in (replace(RULES, dry_run=True), replace(RULES, mode=lambda agent, fix: "suggest")):
        suggest = step(sick(), None, RESTART, rules=rules)
        assert isinstance(suggest, Suggest)
        assert suggest.plan.fix == "restart"
        hold = step(sick(said), None, RESTART, rules=rules)
        assert isinstance(hold, Hold)
        assert hold.code == ("dry_run" if rules.dry_run else "mode")


def test_what_is_turned_off_is_not_thought_of() -> None:
    off = replace(RULES, mode=lambda agent, fix: "off")
    assert isinstance(step(sick(), None, RESTART, rules=off), Escalate)


def test_what_has_failed_is_taken_back_before_anything_else_is_done_and_not_while_healing_is_paused() -> None:
    undoing = replace(PURGE, mode="auto", undo=COMMAND)
    world = sick(
        *tried("api", NOW - 9, fix="purge"),
        Verified(NOW, "inc-1", 1, "failed", "still"),
        diagnosed("hung", "api", NOW + 1),
    )
    assert step(world, None, undoing, RESTART) == Undo(1)
    assert isinstance(step(after(world, HealingPaused(NOW, None, "cli")), None, undoing), Hold)
    begun = after(world, UndoStarted(NOW, "inc-1", 1))
    assert step(begun, None, undoing) == Undo(1), "a daemon that ended in the midst of it has left that to the next"
    done = after(begun, UndoEnded(NOW, "inc-1", 1, done=True, output=""))
    assert incident(done).attempts[0].outcome == "undone"
    assert isinstance(step(done, None, undoing, RESTART), Plan)


def test_a_crash_loop_that_restarts_do_not_end_is_left_to_another_fix_where_there_is_one() -> None:
    looping = dead(RestartDelayed(NOW, "api", NOW + 8.0, "crash loop"))
    plan = step(looping, None, RESTART, replace(PURGE, mode="auto"))
    assert isinstance(plan, Plan)
    assert plan.fix == "purge"
    quarantined = step(dead(QUARANTINED), None, RESTART, replace(PURGE, mode="auto"))
    assert isinstance(quarantined, Plan)


def test_after_a_failure_the_causes_are_looked_for_anew() -> None:
    failed_fix = sick(*tried("api", NOW - 9), Verified(NOW, "inc-1", 1, "failed", "still"))
    assert step(failed_fix) == Diagnose()


def test_a_restart_that_keeps_being_needed_opens_its_breaker() -> None:
    world = fleet()
    for number in range(12):
        world = after(world, started("api", NOW - 900 + number, number + 2, "fix"), ready("api", NOW - 880, number + 2))
    world = after(world, failed("api", BEGAN), opened("api", BEGAN), diagnosed("hung", "api"))
    switch = step(world)
    assert isinstance(switch, Switch)
    assert isinstance(switch.event, BreakerOpened)


def test_when_its_own_agent_is_well_those_who_suffer_from_it_are_healed_too() -> None:
    world = after(fleet(), opened("cache", BEGAN - 60), diagnosed("crashed", "cache"), *tried("cache", BEGAN - 60))
    world = after(
        world,
        Verified(BEGAN, "inc-1", 1, "succeeded", "", BEGAN - 50),
        failed("api", BEGAN - 55),
        IncidentJoined(BEGAN - 55, "inc-1", "api", ""),
    )
    early = after(world, *tried("cache", NOW - 10, 2), Verified(NOW - 9, "inc-1", 2, "succeeded", "", NOW - 9))
    assert step(early) == Rest(NOW + 1.0), "they get the time to recover by themselves"
    plan = step(world)
    assert isinstance(plan, Plan)
    assert plan.agent == "api"


# --- the reflex is at work ---


def test_while_the_reflex_waits_to_start_it_reason_waits_too() -> None:
    assert step(dead(RestartDelayed(NOW, "api", NOW + 8.0, "crash loop"))) == Rest(NOW + 8.0)


def test_a_process_that_is_just_starting_gets_its_time() -> None:
    assert step(dead(started("api", NOW, 2))) == Rest(NOW + 1.0)


def test_what_is_about_to_be_started_for_the_first_time_is_not_restarted_before() -> None:
    stopped = AgentExited(BEGAN, "api", 1, 101, None, 15, 60.0, expected=True)
    world = sick(stopped, DaemonStopped(BEGAN, "told to stop"), DaemonStarted(NOW, "1", 2, False))
    assert world.agents["api"].state == "starting"
    assert step(world) == Rest(NOW + 1.0)


def test_a_process_that_nobody_started_again_is_restarted() -> None:
    plan = step(dead())
    assert isinstance(plan, Plan)
    assert plan.fix == "restart"


# --- verification ---


def test_a_fix_that_went_through_is_verified_before_anything_else_is_tried() -> None:
    world = sick(*tried("api", NOW - 5))
    assert isinstance(step(world), Rest)
    judge = step(world, now=NOW + 60)
    assert isinstance(judge, Judge)
    assert (judge.verdict.outcome, judge.verdict.attempt) == ("failed", 1)


@pytest.mark.parametrize("outcome", ["failed", "timed_out"])
def test_an_act_that_did_not_go_through_is_judged_at_once_so_that_it_is_learned_and_not_repeated_for_ever(
    outcome: str,
) -> None:
    judge = step(sick(*tried("api", NOW - 5, fix="purge", outcome=outcome)))  # type: ignore[arg-type]
    assert judge == Judge(Verified(NOW, "inc-1", 1, outcome, f"purge {outcome}"))  # type: ignore[arg-type]


def test_an_interrupted_act_is_neither_judged_nor_held_against_the_fix() -> None:
    plan = step(sick(*tried("api", NOW - 5, outcome="interrupted")))
    assert isinstance(plan, Plan)
    assert plan.fix == "restart"


# --- the end ---


def test_a_verified_fix_ends_the_incident_with_the_first_good_sign() -> None:
    world = after(fleet(), opened("api", BEGAN), diagnosed("hung", "api"), *tried("api", BEGAN))
    world = after(world, Verified(NOW, "inc-1", 1, "succeeded", "", BEGAN + 3))
    assert step(world, vitals(world)) == Resolve("restart helped", BEGAN + 3)


def test_what_is_well_again_by_itself_is_watched_for_a_window_first() -> None:
    good = HealthChanged(NOW - 4, "api", "http", True, "ok", "", NOW - 6)
    world = sick(good)
    seen = vitals(world, NOW - 6)
    assert step(world, seen) == Rest(NOW + 4.0)
    assert step(world, seen, now=NOW + 4.0) == Resolve("it recovered by itself", NOW - 6)


def test_what_else_than_a_fix_has_helped_is_said() -> None:
    good = HealthChanged(NOW - 4, "api", "http", True, "ok", "", NOW - 6)
    back = HealthChanged(NOW - 8, "cache", "http", True, "ok", "", NOW - 9)
    away = after(sick(failed("cache", BEGAN - 5), back), good)
    assert step(away, vitals(away, NOW - 6), now=NOW + 9.0) == Resolve("its dependency cache is back", NOW - 6)
    before = after(fleet(), failed("cache", BEGAN - 9), replace(back, at=BEGAN - 5), failed("api", BEGAN))
    before = after(before, opened("api", BEGAN), diagnosed("hung", "api", BEGAN), good)
    assert step(before, vitals(before, NOW - 6), now=NOW + 9.0) == Resolve("it recovered by itself", NOW - 6)
    person = sick(StartAsked(NOW - 9, "api", "the command line"), good)
    assert step(person, vitals(person, NOW - 6), now=NOW + 9.0) == Resolve("the command line started it", NOW - 6)


def test_what_is_well_by_its_events_and_not_yet_by_its_checks_is_looked_at_again() -> None:
    world = sick(HealthChanged(NOW - 4, "api", "http", True, "ok", "", NOW - 6))
    assert step(world, vitals(world, NOW, api="process")) == Rest(NOW + 1.0)


def test_in_maintenance_the_incident_waits_for_its_end() -> None:
    assert step(sick(MaintenanceBegan(NOW, "api", NOW + 600))) == Rest(NOW + 600)


# --- breakers, escalation ---

QUARANTINED = BreakerOpened(NOW, "api", "restart", NOW + 30.0, "12 restarts within an hour did not help")


def test_a_quarantined_agent_needs_a_person_and_says_so_once() -> None:
    world = dead(QUARANTINED)
    reason = "quarantined: 12 restarts within an hour did not help"
    assert step(world) == Escalate(reason)
    assert step(after(world, IncidentEscalated(NOW, "inc-1", reason))) == Rest(NOW + 30.0)


def test_with_every_fix_barred_a_person_is_told_what_was_barred_and_why() -> None:
    world = sick(BreakerOpened(NOW, "api", "purge", NOW + 30, "it did not help"))
    escalate = step(world, None, PURGE)
    assert escalate == Escalate("no fix is left for api (purge: its breaker is open: it did not help)")
    assert step(after(world, IncidentEscalated(NOW, "inc-1", "")), None, PURGE) == Rest(NOW + 30)


def test_an_agent_without_any_fix_needs_a_person() -> None:
    world = after(fleet(), failed("site", BEGAN), opened("site", BEGAN), diagnosed("unreachable", "site"))
    nothing = replace(healing(), fixes={})
    assert next_step(world, vitals(world), incident(world), nothing, NOW) == Escalate("no fix is left for site")


def test_restart_never_leaves_a_dead_process_to_a_person() -> None:
    escalate = step(dead(), rules=replace(RULES, policies={"api": "never"}))
    assert isinstance(escalate, Escalate)
    assert "only a person may start it again" in escalate.reason


def test_after_its_time_an_open_breaker_lets_a_trial_through() -> None:
    world = sick(BreakerOpened(NOW - 40, "api", "purge", NOW - 10, "it did not help"), cause="crashed")
    plan = step(world, None, replace(PURGE, mode="auto"))
    assert isinstance(plan, Plan)
    assert plan.trial


def test_an_agent_that_works_although_its_breaker_is_open_is_on_trial() -> None:
    world = after(fleet(), opened("api", BEGAN), diagnosed("crashed", "api"), QUARANTINED)
    assert step(world, vitals(world)) == Switch(BreakerTried(NOW, "api", "restart"))


def test_once_enough_was_done_a_person_is_called_and_it_goes_on_when_the_time_is_over() -> None:
    often = [FixStarted(NOW - 300 + n, "inc-9", n, "purge", "application", "api", "slow") for n in range(3)]
    world = sick(opened("api", NOW - 400, 9), *often, FixEnded(NOW - 200, "inc-9", 2, "succeeded", ""))
    reason = "3 things were done to api within ten minutes"
    assert step(world) == Escalate(reason)
    told = after(world, IncidentEscalated(NOW, "inc-1", reason))
    assert step(told) == Rest(NOW + 300)
    assert isinstance(step(told, vitals(told, NOW + 300, api="http"), now=NOW + 301), Plan)


def test_what_was_done_to_one_who_suffers_is_not_taken_back_while_healing_of_that_one_is_paused() -> None:
    undoing = replace(PURGE, mode="auto", undo=COMMAND)
    joined = IncidentJoined(NOW - 15, "inc-1", "web", "it suffers")
    begun = FixStarted(NOW - 9, "inc-1", 1, "purge", "application", "web", "hung")
    failed_fix = (begun, FixEnded(NOW - 8, "inc-1", 1, "succeeded", ""), Verified(NOW, "inc-1", 1, "failed", "still"))
    world = sick(joined, *failed_fix, diagnosed("hung", "api", NOW + 1))
    assert step(world, None, undoing) == Undo(1)
    assert isinstance(step(after(world, HealingPaused(NOW, "web", "ann")), None, undoing), Hold)
