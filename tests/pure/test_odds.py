from __future__ import annotations

from math import asin, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.learn.odds import Posterior, beta_cdf, interval, posterior, quantile
from selfheal.learn.pools import Key, Pools
from selfheal.world import Odds
from selfheal.world.odds import DAY_S

NOW = 1_800_000_000.0

_SHAPE = st.floats(0.1, 1e4)
_COUNT = st.integers(0, 1000)
_KEY = st.tuples(st.sampled_from(["web:0", "web:1", "db"]), st.sampled_from(["hung", "slow"]), st.sampled_from("rk"))
_SEEN = st.builds(Odds, st.floats(0, 30), st.floats(0, 30), st.floats(NOW - 40 * DAY_S, NOW))
_HISTORY = st.lists(st.tuples(_KEY, _SEEN), min_size=1, max_size=12)


def assert_same(one: Posterior, other: Posterior) -> None:
    assert (one.a, one.b, one.count) == pytest.approx((other.a, other.b, other.count), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("x", [0.01, 0.2, 0.5, 0.77, 0.999])
def test_the_incomplete_beta_agrees_with_its_closed_forms(x: float) -> None:
    assert beta_cdf(x, 1, 1) == pytest.approx(x)
    assert beta_cdf(x, 3, 1) == pytest.approx(x**3)
    assert beta_cdf(x, 1, 4) == pytest.approx(1 - (1 - x) ** 4)
    assert beta_cdf(x, 2, 2) == pytest.approx(3 * x**2 - 2 * x**3)
    assert beta_cdf(x, 0.5, 0.5) == pytest.approx(2 / 3.141592653589793 * asin(sqrt(x)))


def test_the_interval_agrees_with_published_tables() -> None:
    # Clopper and Pearson's limits for 8 of 10, which are quantiles of Beta(8, 3) and Beta(9, 2).
    assert quantile(0.025, 8, 3) == pytest.approx(0.44390, abs=1e-5)
    assert quantile(0.975, 9, 2) == pytest.approx(0.97479, abs=1e-5)


@given(_SHAPE, _SHAPE, st.floats(0.01, 0.99))
def test_a_quantile_undoes_the_distribution(a: float, b: float, share: float) -> None:
    x = quantile(share, a, b)
    if 1e-9 < x < 1 - 1e-9:
        assert beta_cdf(x, a, b) == pytest.approx(share, abs=1e-6)


@given(_COUNT, _COUNT, _COUNT, _COUNT)
def test_a_posterior_is_in_order_and_counts_own_samples(h: int, f: int, fleet_h: int, fleet_f: int) -> None:
    odds = {("a", "hung", "restart"): Odds(h, f), ("b", "hung", "restart"): Odds(fleet_h, fleet_f)}
    seen = posterior(odds, "a", "hung", "restart")
    assert 0.0 <= seen.low <= seen.mean <= seen.high <= 1.0
    assert seen.count == h + f


def test_with_nothing_known_the_prior_speaks() -> None:
    seen = posterior({}, "a", "hung", "restart", prior=(3.0, 1.0))
    assert (seen.mean, seen.count) == (0.75, 0)
    assert (seen.low, seen.high) == interval(3.0, 1.0)


def test_what_helped_on_other_agents_is_believed_until_an_agent_knows_better() -> None:
    odds = {(f"agent-{n}", "hung", "restart"): Odds(20, 0) for n in range(50)}
    stranger = posterior(odds, "new", "hung", "restart")
    assert stranger.mean > 0.95
    assert stranger.low > 0.6
    disappointed = posterior({**odds, ("new", "hung", "restart"): Odds(0, 12)}, "new", "hung", "restart")
    assert disappointed.mean < 0.5


def test_other_fixes_say_nothing_and_other_causes_little() -> None:
    stranger = posterior({}, "a", "hung", "restart", (3.0, 1.0))
    other_fix = {("b", "hung", "kill"): Odds(9, 0), ("a", "slow", "kill"): Odds(9, 0)}
    assert posterior(other_fix, "a", "hung", "restart", (3.0, 1.0)) == stranger
    # A fix that never works against anything is believed in less, and not given up.
    broken = posterior({("b", "slow", "restart"): Odds(0, 500)}, "a", "hung", "restart", (3.0, 1.0))
    assert 0.4 < broken.mean < stranger.mean


def test_siblings_tell_more_than_strangers() -> None:
    fleet = {(f"web:{n}", "hung", "restart"): Odds(10, 0) for n in range(3)}
    fleet |= {(f"db:{n}", "hung", "restart"): Odds(0, 10) for n in range(3)}
    assert posterior(fleet, "web:9", "hung", "restart").mean > 0.8
    assert posterior(fleet, "db:9", "hung", "restart").mean < 0.2
    assert 0.3 < posterior(fleet, "cache", "hung", "restart").mean < 0.7
    by_letter = posterior(fleet, "wiki", "hung", "restart", kin=lambda name: name[0])
    assert by_letter == posterior(fleet, "web:9", "hung", "restart")


def test_what_was_seen_long_ago_says_less() -> None:
    odds = {("a", "hung", "restart"): Odds(10, 0, NOW), ("b", "hung", "restart"): Odds(10, 0, NOW)}
    means = [posterior(odds, "a", "hung", "restart", now=NOW + days * DAY_S).mean for days in (0, 30, 300, 3000)]
    assert means == sorted(means, reverse=True)
    assert means[-1] == pytest.approx(0.5, abs=0.01)
    assert posterior(odds, "a", "hung", "restart", now=NOW + 35 * DAY_S).count == pytest.approx(5, abs=0.1)


@given(_HISTORY, st.integers(0, 40))
def test_pools_that_are_kept_up_are_those_that_are_made_anew(history: list[tuple[Key, Odds]], days: int) -> None:
    kept, odds = Pools(), dict[Key, Odds]()
    for key, one in history:
        odds = {**odds, key: one}
        kept.follow(odds)
    now = NOW + days * DAY_S
    for key in odds:
        assert_same(posterior(kept, *key, now=now), posterior(odds, *key, now=now))
        assert_same(posterior(kept, *key, now=now), posterior(Pools(dict(reversed(odds.items()))), *key, now=now))
    fewer = dict(list(odds.items())[1:])
    for key in odds:
        assert_same(posterior(kept.follow(fewer), *key, now=now), posterior(fewer, *key, now=now))


@given(_HISTORY)
def test_no_sample_counts_in_two_pools(history: list[tuple[Key, Odds]]) -> None:
    odds, now = dict(history), NOW + 50 * DAY_S
    for key, own in odds.items():
        wider = Pools(odds).wider(*key, now)
        of_fix = [one.faded(now) for (_, _, fix), one in odds.items() if fix == key[2]]
        helped = sum(one.helped for one in of_fix) - own.faded(now).helped
        assert sum(pool[0] for pool in wider) == pytest.approx(helped, abs=1e-9)


def test_more_samples_make_the_interval_narrower() -> None:
    widths = []
    for times in (1, 10, 100):
        seen = posterior({("a", "hung", "restart"): Odds(3 * times, times)}, "a", "hung", "restart")
        widths.append(seen.high - seen.low)
    assert widths == sorted(widths, reverse=True)
