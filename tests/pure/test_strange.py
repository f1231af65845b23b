"""Do signals that were out of line before a failure speak for its cause, and never too loudly?"""

from __future__ import annotations

import pytest

from selfheal.diagnose.strange import BEFORE_S, CHANNEL, strange
from selfheal.diagnose.verdict import FAINT_WEIGHT, Vote, diagnose
from selfheal.events import AnomalyDismissed, AnomalyOver, AnomalySeen, Event, HealthChanged
from selfheal.plans import Clues
from selfheal.signatures import shipped
from selfheal.vitals import Vitals
from selfheal.vocabulary import NO_SECOND_SIGN
from tests.pure.situations import NOW, after, fleet, incident, opened


def seen(
    agent: str, signal: str, before_s: float, number: int = 1, score: float = 0.8, value: float = 2.0
) -> AnomalySeen:
    at = NOW - before_s
    return AnomalySeen(at, f"ano-{number}", agent, signal, value, 0.02, score, at)


def votes(*happened: Event) -> tuple[Vote, ...]:
    world = after(fleet(), *happened, opened("api", NOW))
    return strange(world, incident(world))


def test_what_an_agent_and_those_below_it_showed_before_speaks_for_what_it_is_a_sign_of() -> None:
    own, below = votes(seen("api", "http.latency", 30.0, score=0.7), seen("cache", "latency", 40.0, 2))
    assert {(own.cause, own.agent), (below.cause, below.agent)} == {("slow", "api"), ("slow_dependency", "cache")}
    assert {own.evidence, below.evidence} == {
        "api: http.latency went to 2 s where 20 ms is usual, 30 s before",
        "cache: latency went to 2 s where 20 ms is usual, 40 s before",
    }


@pytest.mark.parametrize(
    "happened",
    [
        [seen("web", "latency", 30.0)],  # who depends on it suffers, and is not why
        [seen("api", "own_queue", 30.0)],  # which speaks for nothing that is known
        [seen("api", "latency", 30.0, value=0.001)],  # it was faster than usual
        [seen("api", "latency", BEFORE_S + 1.0)],
        [seen("api", "latency", -60.0)],  # it came after
        [seen("api", "latency", 300.0), AnomalyOver(NOW - 120.0, "ano-1")],  # it had passed
        [seen("api", "latency", 300.0), AnomalyDismissed(NOW - 200.0, "ano-1", "ann")],
    ],
)
def test_what_has_nothing_to_do_with_it_says_nothing(happened: list[Event]) -> None:
    assert votes(*happened) == ()


def test_all_together_weigh_less_than_a_check_that_names_a_cause_and_are_no_second_sign() -> None:
    signals = ("latency", "error_rate", "rss", "fds", "disk")
    many = votes(*(seen("api", signal, 30.0, number, 0.99) for number, signal in enumerate(signals)))
    assert len(many) == len(signals)
    assert sum(vote.weight for vote in many) == pytest.approx(FAINT_WEIGHT)
    assert CHANNEL in NO_SECOND_SIGN


def test_the_evidence_stands_with_the_cause_and_shifts_its_share_a_little() -> None:
    failing = HealthChanged(NOW, "api", "http", False, "failed", "too slow", NOW - 10, False, "slow")
    below = seen("cache", "latency", 40.0)

    def causes(*happened: Event) -> dict[tuple[str, str], float]:
        world = after(fleet(), *happened, failing, opened("api", NOW))
        found = diagnose(world, Vitals(), incident(world), Clues(), shipped(), strange(world, incident(world)))
        assert all(one.evidence for one in found if one.slug != "unknown")
        return {(one.slug, one.agent): one.probability for one in found}

    without, with_it = causes(), causes(below)
    assert ("slow_dependency", "cache") not in without
    assert 0.02 < with_it["slow_dependency", "cache"] < 0.25
    assert max(with_it, key=lambda key: with_it[key]) == ("slow", "api")
