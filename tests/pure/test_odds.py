from __future__ import annotations

from math import asin, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.learn.odds import beta_cdf, interval, posterior, quantile
from selfheal.world import Odds

_SHAPE = st.floats(0.1, 1e4)
_COUNT = st.integers(0, 1000)


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


def test_other_causes_and_fixes_say_nothing() -> None:
    odds = {("b", "slow", "restart"): Odds(9, 0), ("b", "hung", "kill"): Odds(9, 0)}
    assert posterior(odds, "a", "hung", "restart") == posterior({}, "a", "hung", "restart")


def test_more_samples_make_the_interval_narrower() -> None:
    widths = []
    for times in (1, 10, 100):
        seen = posterior({("a", "hung", "restart"): Odds(3 * times, times)}, "a", "hung", "restart")
        widths.append(seen.high - seen.low)
    assert widths == sorted(widths, reverse=True)
