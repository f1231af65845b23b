"""Is what became of a suggestion told as it was?"""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given, settings

from selfheal.events import (
    AgentDeclared,
    Alternative,
    Event,
    FixStarted,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    Planned,
    StartAsked,
)
from selfheal.learn.scorecard import scorecard
from selfheal.learn.shadow import Shadow, agreement, shadows, tallies
from selfheal.world import EMPTY, World, fold
from tests.pure.histories import histories

T0 = 1_800_000_000.0


def suggested(fix: str = "restart", at: float = T0 + 10, cost_s: float = 40.0) -> Planned:
    weighed = (Alternative(fix, 0.8, 433.0, cost_s=cost_s),)
    return Planned(at, "inc-1", fix, "api", "it helps in 80%", weighed, shadow=True)


def after(*events: Event) -> World:
    declared = AgentDeclared(T0, "api", "process", "application", (), ("http",), True)
    opened = IncidentOpened(T0, "inc-1", "api", "check", "status 500", T0)
    return reduce(fold, (declared, opened, *events), EMPTY)


def told(*events: Event) -> list[tuple[str, str, float]]:
    return [(one.fix, one.verdict, one.longer_s) for one in shadows(after(*events).incidents.values())]


def well(at: float) -> IncidentResolved:
    return IncidentResolved(at + 30, "inc-1", "it recovered by itself", at - T0)


def test_a_person_who_did_it_agreed_whatever_is_done_to_the_agent_later() -> None:
    by_hand = StartAsked(T0 + 60, "api", "Ada")
    assert told(suggested(), by_hand) == [("restart", "agreed", 0.0)]
    later = StartAsked(T0 + 9000, "api", "Bob")
    assert told(suggested(), by_hand, well(T0 + 70), later) == [("restart", "agreed", 0.0)]
    assert told(suggested(), well(T0 + 500), later) == [("restart", "sooner", 450.0)]


def test_what_a_person_did_before_it_was_said_and_what_is_no_restart_say_nothing_of_it() -> None:
    assert told(StartAsked(T0 + 5, "api", "Ada"), suggested()) == [("restart", "open", 0.0)]
    assert told(suggested("purge"), StartAsked(T0 + 60, "api", "Ada")) == [("purge", "open", 0.0)]


def test_what_was_let_be_done_after_all_was_agreed_to() -> None:
    begun = FixStarted(T0 + 60, "inc-1", 1, "purge", "application", "api", "stale")
    assert told(suggested("purge"), begun) == [("purge", "agreed", 0.0)]
    reflex = FixStarted(T0 + 60, "inc-1", 1, "restart", "application", "api", "crashed", reflex=True)
    assert told(suggested(), reflex) == [("restart", "open", 0.0)]


@pytest.mark.parametrize(
    ("well_at", "verdict", "longer_s"),
    [(T0 + 15, "needless", 0.0), (T0 + 50, "needless", 0.0), (T0 + 110, "sooner", 60.0)],
)
def test_it_was_needless_where_it_took_no_longer_by_itself(well_at: float, verdict: str, longer_s: float) -> None:
    assert told(suggested(), well(well_at)) == [("restart", verdict, longer_s)]


def test_an_old_plan_that_tells_no_cost_is_judged_by_what_was_expected_in_all() -> None:
    assert told(suggested(cost_s=0.0), well(T0 + 440)) == [("restart", "needless", 0.0)]


@pytest.mark.parametrize(
    "closed", [IncidentSuppressed(T0 + 60, "inc-1", "it was stopped"), IncidentMerged(T0 + 60, "inc-1", "inc-2", "")]
)
def test_what_nobody_will_ever_know_is_left_out(closed: Event) -> None:
    assert told(suggested(), closed) == []


def test_a_suggestion_that_is_said_again_counts_once_and_fixes_are_counted_apart() -> None:
    world = after(suggested(), suggested("purge"), suggested(at=T0 + 20), well(T0 + 500))
    assert [(one.fix, one.sooner) for one in tallies(world.incidents.values())] == [("purge", 1), ("restart", 1)]


def test_the_scorecard_says_how_often_people_did_what_was_said() -> None:
    assert scorecard(after(), T0).shadow_agreement.value is None
    agreed = scorecard(after(suggested(), StartAsked(T0 + 60, "api", "Ada")), T0).shadow_agreement
    assert (agreed.value, agreed.count) == (1.0, 1)
    assert agreed.interval is not None
    assert agreed.interval[0] < 0.5


@given(histories())
@settings(max_examples=80, deadline=None)
def test_whatever_happened_each_suggestion_has_one_word_and_all_of_them_are_counted(history: list[Event]) -> None:
    incidents = reduce(fold, history, EMPTY).incidents.values()
    found: list[Shadow] = shadows(incidents)
    assert len({(one.incident, one.fix, one.agent) for one in found}) == len(found)
    assert all((one.longer_s > 0.0) == (one.verdict == "sooner") for one in found)
    counted = tallies(incidents)
    assert sum(one.judged + one.open for one in counted) == len(found)
    hits, count = agreement(incidents)
    assert 0 <= hits <= count == sum(one.judged for one in counted)
