"""Is a good sign waited for as long as it may take, and hardly longer?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.learn.waits import ENOUGH, LEAST_S, MOST, Waits, settle_s
from selfheal.world import Odds
from selfheal.world.odds import DAY_S

NOW = 1_800_000_000.0
KEY = ("api", "hung", "restart")
SECONDS = st.floats(0.0, 1e5)
COUNTS = st.floats(0.0, 100.0)
ODDS = st.builds(Odds, COUNTS, COUNTS, st.just(NOW), SECONDS, SECONDS)
KEYS = st.tuples(st.sampled_from(("api", "web")), st.sampled_from(("hung", "slow")), st.just("restart"))
SEEN = st.dictionaries(KEYS, ODDS)
DEFAULTS = st.floats(0.1, 1e4)


def seen(count: float, slowest_s: float) -> dict[tuple[str, str, str], Odds]:
    return {KEY: Odds(count, 0.0, NOW, slowest_s / 2, slowest_s)}


def wait(count: float, slowest_s: float, default_s: float = 50.0, *, days: float = 0.0) -> float:
    return settle_s(seen(count, slowest_s), "api", "restart", default_s, now=NOW + days * DAY_S)


@pytest.mark.parametrize(
    ("count", "slowest_s", "expected_s"),
    [(5, 8.0, 13.0), (50, 8.0, 13.0), (5, 0.2, LEAST_S), (5, 1000.0, MOST * 50.0), (2, 8.0, 50.0), (0, 8.0, 50.0)],
)
def test_the_slowest_of_five_with_room_to_spare_is_waited_for(
    count: float, slowest_s: float, expected_s: float
) -> None:
    assert wait(count, slowest_s) == expected_s


def test_what_was_learned_long_ago_gives_way_to_what_was_set() -> None:
    waits = [wait(6, 8.0, days=days) for days in (0, 5, 15, 25, 60, 600)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (13.0, 50.0)


def test_all_causes_of_a_fix_speak_and_no_other_agent() -> None:
    odds = {
        ("api", "hung", "restart"): Odds(3, 0, NOW, 1.0, 2.0),
        ("api", "slow", "restart"): Odds(3, 0, NOW, 4.0, 10.0),
        ("web", "slow", "restart"): Odds(30, 0, NOW, 4.0, 40.0),
        ("api", "slow", "purge"): Odds(30, 0, NOW, 4.0, 40.0),
    }
    assert settle_s(odds, "api", "restart", 50.0, now=NOW) == 16.0


def test_successes_of_which_nobody_knows_the_time_teach_nothing() -> None:
    assert settle_s({KEY: Odds(40, 0, NOW)}, "api", "restart", 50.0, now=NOW) == 50.0


@given(SEEN, DEFAULTS, st.floats(0.0, 1000.0))
def test_a_wait_is_bounded_whatever_was_seen(
    odds: dict[tuple[str, str, str], Odds], default_s: float, days: float
) -> None:
    found = settle_s(odds, "api", "restart", default_s, now=NOW + days * DAY_S)
    assert min(default_s, LEAST_S) <= found * (1 + 1e-9)
    assert found <= MOST * default_s * (1 + 1e-9)


@given(COUNTS, SECONDS, SECONDS, DEFAULTS)
def test_the_slower_it_was_the_longer_is_waited(count: float, one: float, other: float, default_s: float) -> None:
    fast, slow = sorted((max(0.1, one), max(0.1, other)))
    assert wait(count, fast, default_s) <= wait(count, slow, default_s) * (1 + 1e-9)


@given(COUNTS, COUNTS, SECONDS, DEFAULTS)
def test_the_more_is_known_the_nearer_is_the_wait_to_what_was_seen(
    one: float, other: float, slowest_s: float, default_s: float
) -> None:
    fewer, more = sorted((one, other))
    learned = wait(10 * ENOUGH, max(0.1, slowest_s), default_s)
    far, near = (abs(wait(count, max(0.1, slowest_s), default_s) - learned) for count in (fewer, more))
    assert near <= far + 1e-6 * default_s


@given(st.lists(st.tuples(KEYS, ODDS), max_size=12), DEFAULTS)
def test_waits_that_are_kept_up_say_the_same_as_those_made_anew(
    changes: list[tuple[tuple[str, str, str], Odds]], default_s: float
) -> None:
    kept, odds = Waits(), dict[tuple[str, str, str], Odds]()
    for key, one in changes:
        odds = {**odds, key: one}
        kept.follow(odds)
        for agent in ("api", "web"):
            said = settle_s(odds, agent, "restart", default_s, now=NOW)
            assert settle_s(kept, agent, "restart", default_s, now=NOW) == said
    reversed_ = dict(reversed(odds.items()))
    assert settle_s(kept.follow(reversed_), "api", "restart", 50.0) == settle_s(reversed_, "api", "restart", 50.0)
    assert settle_s(kept.follow({}), "api", "restart", 50.0) == 50.0
