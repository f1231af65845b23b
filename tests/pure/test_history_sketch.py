from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfheal.history.sketch import ERROR, LEAST, MOST, quantile, sketch

VALUES = st.lists(st.floats(LEAST * 1.1, MOST), min_size=1, max_size=200)
SHARES = st.sampled_from((0.0, 0.25, 0.5, 0.9, 0.95, 0.99, 1.0))


@given(VALUES, SHARES)
def test_a_quantile_is_within_two_percent_of_the_exact_one(values: list[float], share: float) -> None:
    exact = sorted(values)[int(share * (len(values) - 1))]
    told = quantile(sketch(values), share)
    assert told is not None
    assert abs(told - exact) <= ERROR * exact * (1 + 1e-9)


@given(VALUES, VALUES)
def test_the_sum_of_two_sketches_is_the_sketch_of_both(some: list[float], others: list[float]) -> None:
    assert sketch(some) + sketch(others) == sketch(some + others)


@given(st.lists(st.floats(allow_nan=False), max_size=50))
def test_whatever_comes_the_buckets_are_few(values: list[float]) -> None:
    counts = sketch(values)
    assert sum(counts.values()) == len(values)
    assert all(-520 <= bucket <= 520 for bucket in counts)


def test_of_nothing_there_is_no_quantile_and_nothing_is_told_as_nothing() -> None:
    assert quantile({}, 0.5) is None
    assert quantile(sketch([0.0, -1.0]), 0.5) == 0.0
