"""Is it told when what is seen is no longer what was learned from, and only then?"""

from __future__ import annotations

from random import Random

import pytest

from selfheal.ml.drift import LEAST_ROWS, drift, edges_of, shares_of, stability
from selfheal.ml.rows import Points, table
from tests.pure.forests import hour, stored

HOUR_S = 3600.0


def rows_of(points: dict[str, Points], until: float) -> tuple[tuple[float, ...], ...]:
    return table(points, (), until - HOUR_S, until).rows


def hours(seed: int) -> list[tuple[tuple[float, ...], ...]]:
    """Rows of two hours, one after the other."""
    points = dict(hour(seed, until=20_000.0, count=1500))
    return [rows_of(points, until) for until in (20_000.0 - HOUR_S, 20_000.0)]


@pytest.mark.parametrize("seed", range(6))
def test_another_hour_of_the_same_is_no_drift(seed: int) -> None:
    first, second = hours(seed)
    told = stored(signals=("cpu", "http.latency", "rss"), cells=first)
    assert not drift(told, second).drifted


def test_another_level_of_most_signals_is_drift() -> None:
    first, second = hours(1)
    told = stored(signals=("cpu", "http.latency", "rss"), cells=first)
    seen = drift(told, [[3.0 * cell + 1.0 for cell in row] for row in second])
    assert seen.drifted
    assert seen.outside > 0.5


def test_a_spread_that_moved_within_what_was_learned_is_drift_too() -> None:
    dice = Random(1)
    told = stored(cells=[[dice.uniform(0.0, 1.0) for _ in range(4)] for _ in range(300)])
    seen = drift(told, [[dice.uniform(0.0, 0.2) for _ in range(4)] for _ in range(300)])
    assert seen.outside == pytest.approx(0.0, abs=0.05)
    assert seen.drifted


def test_few_rows_say_nothing() -> None:
    told = stored()
    assert not drift(told, [[1e6] * 4] * (LEAST_ROWS - 1)).drifted
    assert drift(told, [[1e6] * 4] * LEAST_ROWS).drifted
    assert not drift(told, [[float("nan")] * 4] * LEAST_ROWS).drifted
    assert not drift(told, []).drifted


def test_equal_spreads_have_the_index_0() -> None:
    assert stability((0.2, 0.8), (0.2, 0.8)) == 0.0
    assert stability((0.5, 0.5), (0.0, 1.0)) > 1.0


def test_a_feature_is_cut_into_parts_of_equal_weight_and_a_constant_once() -> None:
    cuts = edges_of([float(number) for number in range(100)])
    assert shares_of([float(number) for number in range(100)], cuts) == (0.2,) * 5
    assert edges_of([3.0] * 50) == (3.0,)
    assert shares_of([3.0] * 50, (3.0,)) == (0.0, 1.0)
