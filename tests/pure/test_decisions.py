"""What is logged of a choice, so that it can be judged?"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from selfheal.events import Alternative, Event, IncidentEscalated, IncidentResolved, Planned, Verified
from selfheal.learn.decisions import PAGED_S, decisions
from selfheal.learn.policy import Decision
from selfheal.ledger import replay
from tests.pure.histories import histories
from tests.pure.situations import NOW, after, fleet, incident, opened, tried

WEIGHED = (
    Alternative("restart", 0.8, 30.0, propensity=0.7),
    Alternative("reload", 0.7, 35.0, propensity=0.3),
    Alternative("purge", 0.5, 60.0, "it is turned off", "mode"),
)
CHOSEN = Planned(NOW + 5, "inc-1", "restart", "api", "", WEIGHED, ladder="reload")
RESOLVED = IncidentResolved(NOW + 60, "inc-1", "restart helped", 25.0)


def told(*events: Event) -> list[Decision]:
    return decisions([incident(after(fleet(), opened("api", NOW), *events))])


def test_a_choice_is_told_with_all_that_was_weighed_and_the_time_from_it_to_the_first_good_sign() -> None:
    verified = Verified(NOW + 50, "inc-1", 1, "succeeded", "", NOW + 25)
    (one,) = told(CHOSEN, *tried("api", NOW + 6), verified, RESOLVED)
    assert one == Decision({"restart": 30.0, "reload": 35.0}, "restart", 0.7, "reload", 20.0)


def test_what_a_person_was_called_to_cost_a_night() -> None:
    called = IncidentEscalated(NOW + 40, "inc-1", "no fix is left")
    (one,) = told(CHOSEN, *tried("api", NOW + 6), called)
    assert one.outcome_s == PAGED_S


def test_what_was_not_done_only_said_or_is_not_over_tells_nothing() -> None:
    assert told(CHOSEN, RESOLVED) == []
    assert told(CHOSEN, *tried("api", NOW + 6)) == []
    assert told(replace(CHOSEN, shadow=True), *tried("api", NOW + 6), RESOLVED) == []
    assert told(replace(CHOSEN, ladder=""), *tried("api", NOW + 6), RESOLVED) == [], "what an older version wrote"


@given(histories())
def test_whatever_happened_a_decision_has_a_chance_and_an_outcome(history: list[Event]) -> None:
    for one in decisions(replay(history).incidents.values()):
        assert one.propensity > 0.0
        assert one.outcome_s >= 0.0
