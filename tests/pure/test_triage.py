"""Which events are an incident, and whose?"""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from selfheal.causes import NOT_CURED_BY_RESTART, PASSING
from selfheal.detect.triage import triage
from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentRemoved,
    AgentStartFailed,
    BreakerClosed,
    BreakerOpened,
    BreakerTried,
    Diagnosed,
    Event,
    FixStarted,
    HealthChanged,
    IncidentJoined,
    IncidentMerged,
    IncidentOpened,
    IncidentSuppressed,
    MaintenanceBegan,
    MaintenanceOver,
    StopAsked,
    Verified,
)
from selfheal.notify.alerts import alerts
from selfheal.vocabulary import StartReason
from selfheal.world import EMPTY, World, fold
from tests.pure.histories import histories
from tests.pure.situations import NOW, after, diagnosed, died, failed, fleet, incident, opened, ready, started, tried


def follows(world: World, event: Event) -> tuple[Event, ...]:
    return triage(fold(world, event), event)


def lived(world: World, *events: Event) -> World:
    """The world after `events` and all that follows from them."""
    untold = list(events)
    while untold:
        event = untold.pop(0)
        world = fold(world, event)
        untold = [*triage(world, event), *untold]
    return world


# --- deaths ---


def test_a_death_opens_the_agents_own_incident_whatever_its_dependencies_do() -> None:
    world = lived(fleet(), died("cache", NOW))
    (event,) = follows(world, died("api", NOW + 1, ran_s=2.5))
    assert event == IncidentOpened(NOW + 1, "inc-2", "api", "exit", "exit code 1 after 2.5 s", NOW + 1)


@pytest.mark.parametrize(
    ("code", "signal", "sign"),
    [
        (3, None, "exit code 3 after 1.0 s"),
        (None, 9, "killed by SIGKILL after 1.0 s"),
        (None, 63, "killed by signal 63 after 1.0 s"),
        (None, None, "ended, nobody saw how, after 1.0 s"),
    ],
)
def test_the_sign_says_how_it_ended(code: int | None, signal: int | None, sign: str) -> None:
    (event,) = follows(fleet(), AgentExited(NOW, "api", 1, 101, code, signal, 1.0, expected=False))
    assert isinstance(event, IncidentOpened)
    assert event.sign == sign


def test_an_exit_that_was_meant_is_no_incident() -> None:
    assert follows(fleet(), AgentExited(NOW, "api", 1, 101, None, 15, 1.0, expected=True)) == ()


def test_a_start_that_failed_is_an_incident() -> None:
    (event,) = follows(fleet(), AgentStartFailed(NOW, "api", "no such program", "missing_program"))
    assert event == IncidentOpened(NOW, "inc-1", "api", "start", "no such program", NOW)


def test_a_reflex_restart_is_an_attempt_of_the_incident() -> None:
    world = lived(fleet(), died("api", NOW), started("api", NOW, 2))
    (attempt,) = incident(world).attempts
    assert (attempt.fix, attempt.reflex, attempt.agent, attempt.outcome) == ("restart", True, "api", "succeeded")
    assert incident(world).state == "verifying"


@pytest.mark.parametrize("reason", ["reflex", "backoff", "trial"])
def test_an_attempt_of_the_reflex_says_why_it_started(reason: StartReason) -> None:
    world = lived(fleet(), died("api", NOW), started("api", NOW, 2, reason))
    assert [one.start for one in incident(world).attempts] == [reason]


def test_a_start_without_an_incident_is_no_attempt() -> None:
    assert follows(fleet(), started("api", NOW, 2)) == ()


def test_dying_again_while_the_restart_is_verified_is_a_relapse() -> None:
    world = lived(fleet(), died("api", NOW), started("api", NOW, 2), died("api", NOW + 3, 2))
    (attempt,) = incident(world).attempts
    assert (attempt.outcome, attempt.verified) == ("relapsed", True)
    world = lived(world, started("api", NOW + 3, 3))
    assert [one.outcome for one in incident(world).attempts] == ["relapsed", "succeeded"]
    assert len(world.incidents) == 1


def test_not_becoming_ready_after_the_restart_is_a_failure_of_it() -> None:
    world = lived(fleet(), died("api", NOW), started("api", NOW, 2))
    learned, verdict = follows(world, AgentStartFailed(NOW + 30, "api", "not ready", "hung"))
    assert verdict == Verified(NOW + 30, "inc-1", 1, "failed", "not ready")
    assert isinstance(learned, Diagnosed)
    assert learned.causes[0].slug == "hung"


@pytest.mark.parametrize("outcome", ["interrupted", "failed", "timed_out"])
def test_a_death_does_not_touch_an_attempt_that_never_went_through(outcome: str) -> None:
    """An interrupted fix that may not be done twice is known by its outcome."""
    world = after(fleet(), opened("api", NOW), *tried("api", NOW, outcome=outcome))  # type: ignore[arg-type]
    assert follows(world, died("api", NOW + 3)) == ()


def test_a_death_while_a_fix_is_being_applied_is_left_to_the_fix() -> None:
    begun = FixStarted(NOW, "inc-1", 1, "restart", "application", "api", "hung")
    assert follows(after(fleet(), opened("api", NOW), begun), died("api", NOW + 1)) == ()


# --- failing checks ---


def test_a_failing_check_opens_an_incident_that_began_with_the_first_failure() -> None:
    (event,) = follows(fleet(), failed("api", NOW))
    assert event == IncidentOpened(NOW, "inc-1", "api", "check", "check http: status 500", NOW - 10.0)


def test_one_incident_is_enough_however_many_checks_fail() -> None:
    world = lived(fleet(), failed("api", NOW))
    assert follows(world, failed("api", NOW + 1, "process")) == ()


def test_who_suffers_from_a_dependency_joins_its_incident_also_over_several_steps() -> None:
    world = lived(fleet(), died("cache", NOW), failed("web", NOW + 5), failed("api", NOW + 6))
    assert incident(world).agents == ("cache", "web", "api")
    assert len(world.incidents) == 1


def test_a_failing_look_at_its_own_process_is_its_own_affair() -> None:
    world = lived(fleet(), died("cache", NOW), failed("api", NOW + 5))
    (event,) = follows(world, failed("api", NOW + 6, "process", "stopped (SIGSTOP)", local=True))
    assert isinstance(event, IncidentOpened)
    assert event.agent == "api"


def test_incidents_of_dependents_are_merged_when_the_cause_comes_to_light_later() -> None:
    world = lived(fleet(), failed("web", NOW), failed("api", NOW + 1))
    assert [one.agent for one in world.open_incidents()] == ["api"]
    assert follows(world, opened("cache", NOW + 2, 3)) == (
        IncidentMerged(NOW + 2, "inc-2", "inc-3", "it depends on cache, which is in trouble itself"),
        IncidentJoined(NOW + 2, "inc-3", "api", "check http: status 500"),
        IncidentJoined(NOW + 2, "inc-3", "web", "check http: status 500"),
    )


def test_an_incident_in_which_something_was_tried_is_not_merged() -> None:
    world = after(fleet(), opened("api", NOW), *tried("api", NOW))
    assert follows(world, opened("cache", NOW + 2, 2)) == ()


def test_an_incident_on_local_evidence_is_not_merged() -> None:
    dead = lived(fleet(), died("api", NOW))
    assert follows(dead, opened("cache", NOW + 2, 2)) == ()
    stopped = lived(fleet(), failed("api", NOW, "process", local=True))
    assert follows(stopped, opened("cache", NOW + 2, 2)) == ()


def test_two_agents_that_do_not_depend_on_each_other_have_an_incident_each() -> None:
    world = lived(fleet(), failed("site", NOW), failed("api", NOW))
    assert [one.agent for one in world.open_incidents()] == ["site", "api"]


# --- when nothing is anybody's trouble ---

TROUBLES = [
    died("api", NOW + 1),
    failed("api", NOW + 1),
    failed("api", NOW + 1, "process", local=True),
    AgentStartFailed(NOW + 1, "api", "no such program", "missing_program"),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize(
    "quiet", [MaintenanceBegan(NOW, "api", NOW + 60), StopAsked(NOW, "api", "cli"), AgentRemoved(NOW, "api")]
)
def test_nothing_is_an_incident_in_maintenance_or_of_a_stopped_or_removed_agent(quiet: Event, trouble: Event) -> None:
    assert follows(fold(fleet(), quiet), trouble) == ()


def test_what_fails_still_when_maintenance_is_over_is_an_incident_from_then_on() -> None:
    world = lived(fleet(), MaintenanceBegan(NOW, "api", NOW + 60), failed("api", NOW + 1))
    assert follows(world, MaintenanceOver(NOW + 60, "api")) == (
        IncidentOpened(NOW + 60, "inc-1", "api", "check", "check http: status 500", NOW + 60),
    )


@pytest.mark.parametrize("event", [died("api", NOW + 2), HealthChanged(NOW + 2, "api", "http", True, "ok", "", NOW)])
def test_what_is_well_or_gone_when_maintenance_is_over_is_none(event: Event) -> None:
    """What is gone is started again then: there is nothing to reason about."""
    world = lived(fleet(), MaintenanceBegan(NOW, "api", NOW + 60), failed("api", NOW + 1), event)
    assert follows(world, MaintenanceOver(NOW + 60, "api")) == ()


def test_a_person_who_stops_an_agent_ends_its_incident() -> None:
    world = lived(fleet(), died("api", NOW))
    assert follows(world, StopAsked(NOW + 1, "api", "cli")) == (
        IncidentSuppressed(NOW + 1, "inc-1", "api was stopped by cli"),
    )
    assert follows(fleet(), StopAsked(NOW, "api", "cli")) == ()


# --- breakers ---


def test_the_breaker_opens_after_two_failures_in_one_incident() -> None:
    first = Verified(NOW + 9, "inc-1", 1, "failed", "still status 500")
    world = after(fleet(), opened("api", NOW), *tried("api", NOW))
    assert follows(world, first) == ()
    second = Verified(NOW + 19, "inc-1", 2, "timed_out", "still status 500")
    assert follows(after(world, first, *tried("api", NOW + 10, 2)), second) == (
        BreakerOpened(NOW + 19, "api", "restart", NOW + 49, "restart did not help: still status 500"),
    )


def test_failures_of_different_fixes_are_not_added_up() -> None:
    world = after(fleet(), opened("api", NOW), *tried("api", NOW))
    world = after(world, Verified(NOW + 9, "inc-1", 1, "failed", ""), *tried("api", NOW + 10, 2, "purge"))
    assert follows(world, Verified(NOW + 19, "inc-1", 2, "failed", "")) == ()


def test_a_failed_trial_opens_the_breaker_again_for_twice_as_long() -> None:
    breaker = (BreakerOpened(NOW, "api", "restart", NOW + 30, "why"), BreakerTried(NOW + 30, "api", "restart"))
    world = after(fleet(), opened("api", NOW), *breaker, *tried("api", NOW + 30))
    (event,) = follows(world, Verified(NOW + 40, "inc-1", 1, "failed", "still"))
    assert isinstance(event, BreakerOpened)
    assert event.retry_at == NOW + 40 + 60.0


def test_a_breaker_that_is_open_already_is_not_opened_again() -> None:
    world = after(fleet(), opened("api", NOW), *tried("api", NOW), BreakerOpened(NOW, "api", "restart", NOW + 30, ""))
    assert follows(world, Verified(NOW + 9, "inc-1", 1, "failed", "")) == ()


def test_what_helped_closes_its_breaker_and_only_if_there_is_one_to_close() -> None:
    world = after(fleet(), opened("api", NOW), *tried("api", NOW))
    helped = Verified(NOW + 19, "inc-1", 1, "succeeded", "well for 10 s", NOW + 2)
    assert follows(world, helped) == ()
    world = after(world, BreakerOpened(NOW, "api", "restart", NOW + 30, ""), BreakerTried(NOW, "api", "restart"))
    assert follows(world, helped) == (BreakerClosed(NOW + 19, "api", "restart", "well for 10 s"),)


@pytest.mark.parametrize("cause", sorted(NOT_CURED_BY_RESTART - PASSING))
def test_a_cause_that_no_restart_cures_opens_the_breaker_after_two_short_runs(cause: str) -> None:
    once = lived(fleet(), died("api", NOW), started("api", NOW, 2))
    assert follows(once, diagnosed(cause, "api")) == ()
    twice = lived(once, diagnosed(cause, "api"), died("api", NOW + 1, 2))
    assert twice.agents["api"].breaker.state == "open"
    late = lived(fleet(), died("api", NOW), started("api", NOW, 2), died("api", NOW + 1, 2), started("api", NOW + 1, 3))
    (event,) = follows(late, diagnosed(cause, "api", NOW + 2))
    assert isinstance(event, BreakerOpened)
    assert event.retry_at == NOW + 32


@pytest.mark.parametrize("cause", ["crashed", *sorted(PASSING)])
def test_a_cause_that_a_restart_may_cure_or_that_passes_is_left_to_the_reflex(cause: str) -> None:
    world = lived(fleet(), died("api", NOW), started("api", NOW, 2), died("api", NOW + 1, 2))
    assert follows(world, diagnosed(cause, "api", NOW + 2)) == ()


# --- whatever happened ---


@settings(max_examples=200)
@given(histories())
def test_no_history_makes_triage_or_the_alerts_stumble(history: list[Event]) -> None:
    world = EMPTY
    for event in history:
        world = fold(world, event)
        assert all(one.at == event.at for one in (*triage(world, event), *alerts(world, event)))


def test_a_breaker_that_another_fix_had_half_opened_opens_again_where_that_did_not_help() -> None:
    broken = BreakerOpened(NOW - 60, "api", "restart", NOW - 30, "it did not help")
    world = after(fleet(), opened("api", NOW - 50), broken, BreakerTried(NOW - 20, "api", "restart"))
    world = after(world, *tried("api", NOW - 20, fix="roll_back"))
    verdict = Verified(NOW, "inc-1", 1, "failed", "still")
    (opening,) = triage(after(world, verdict), verdict)
    assert isinstance(opening, BreakerOpened)
    assert (opening.fix, opening.retry_at) == ("restart", NOW + 60)


# --- a host that is gone ---


def remote(*hosts: str) -> World:
    """Services elsewhere, one on each of these hosts."""
    declared = [
        AgentDeclared(NOW - 900, f"s{n}", "service", "application", (), ("http",), False, hosts=(host,))
        for n, host in enumerate(hosts)
    ]
    return after(EMPTY, *declared, *(ready(f"s{n}", NOW - 890, 0) for n in range(len(hosts))))


def silent(agent: str, at: float, cause: str = "unreachable") -> HealthChanged:
    return HealthChanged(at, agent, "http", False, "failed", "no answer", at - 5, cause=cause)


def test_what_stops_answering_on_one_host_is_one_incident() -> None:
    world = lived(remote("a.example", "a.example", "b.example"), silent("s0", NOW), silent("s1", NOW + 3))
    assert [one.agents for one in world.open_incidents()] == [("s0", "s1")]
    assert len(lived(world, silent("s2", NOW + 4)).open_incidents()) == 2


@pytest.mark.parametrize("later", [silent("s1", NOW + 300), silent("s1", NOW + 3, cause="wrong_answer")])
def test_what_fails_later_or_answers_wrong_has_a_trouble_of_its_own(later: HealthChanged) -> None:
    world = lived(remote("a.example", "a.example"), silent("s0", NOW), later)
    assert len(world.open_incidents()) == 2
