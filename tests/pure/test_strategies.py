"""Is the order of fixes the one that was learned, as it counts now?"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from hypothesis import given, settings

from selfheal.events import Event
from selfheal.learn.odds import posterior
from selfheal.learn.strategies import Lessons
from selfheal.learn.waits import settle_s
from selfheal.world import EMPTY, Odds, World, fold
from selfheal.world.odds import DAY_S
from tests.pure.histories import histories

NOW = 1_800_000_000.0


def world(**odds: Odds) -> World:
    return replace(EMPTY, at=NOW, odds={("api", "hung", fix): one for fix, one in odds.items()})


def order(seen: World, now: float = NOW) -> list[str]:
    return [one.fix for one in Lessons(seen, now).strategy("api", "hung").fixes]


def test_what_helps_more_often_comes_first_and_among_equals_what_helps_sooner() -> None:
    assert order(world(restart=Odds(1, 5, NOW, 1.0, 1.0), purge=Odds(6, 0, NOW, 40.0, 60.0))) == ["purge", "restart"]
    assert order(world(restart=Odds(6, 0, NOW, 40.0, 60.0), purge=Odds(6, 0, NOW, 2.0, 3.0))) == ["purge", "restart"]


def test_a_fix_is_told_with_its_times_and_its_counts_as_they_are_by_now() -> None:
    seen = world(restart=Odds(8, 2, NOW, 4.0, 8.0, tried_at=NOW - 5))
    (known,) = Lessons(seen, NOW).strategy("api", "hung").fixes
    assert (known.helped, known.failed, known.took_s, known.slowest_s, known.settle_s) == (8, 2, 4.0, 8.0, 13.0)
    assert known.low < known.mean < known.high
    assert 4.0 < known.expected_s < 13.0
    assert Lessons(seen, NOW).strategy("api", "hung").used_at == NOW - 5
    (faded,) = Lessons(seen, NOW + 100 * DAY_S).strategy("api", "hung").fixes
    assert faded.helped < 2
    assert (faded.settle_s, faded.took_s) == (50.0, 4.0)


def test_what_never_helped_has_no_time_of_recovery() -> None:
    (known,) = Lessons(world(restart=Odds(0, 3, NOW)), NOW).strategy("api", "hung").fixes
    assert (known.took_s, known.slowest_s) == (None, None)
    assert Lessons(EMPTY).strategy("api", "hung").fixes == ()


def test_the_prior_is_what_is_asked_of_it() -> None:
    lessons = Lessons(EMPTY, NOW, lambda agent, cause, fix: (9.0, 1.0) if fix == "restart" else (1.0, 9.0))
    assert lessons.fix("api", "hung", "restart").mean == 0.9
    assert lessons.fix("api", "hung", "purge").mean == 0.1


@given(histories())
@settings(max_examples=60, deadline=None)
def test_whatever_happened_it_says_what_the_odds_say(history: list[Event]) -> None:
    seen = reduce(fold, history, EMPTY)
    lessons = Lessons(seen, seen.at)
    for agent, cause, fix in seen.odds:
        known = lessons.fix(agent, cause, fix)
        said = posterior(seen.odds, agent, cause, fix, now=seen.at)
        assert abs(known.mean - said.mean) < 1e-9
        assert known.settle_s == settle_s(seen.odds, agent, fix, 50.0, now=seen.at)
        strategy = lessons.strategy(agent, cause)
        assert [one.worth_s for one in strategy.fixes] == sorted(one.worth_s for one in strategy.fixes)
        assert known in strategy.fixes
