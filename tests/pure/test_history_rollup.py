from __future__ import annotations

from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.history.columns import Table
from selfheal.history.rollup import as_rows, counted, drawn, in_order, joined, rolled, sketched, within
from selfheal.history.sketch import sketch

POINTS = st.dictionaries(st.integers(0, 200_000).map(float), st.integers(-100, 100).map(float), max_size=80)


def rows(points: dict[float, float]) -> Table:
    ordered = sorted(points.items())
    return as_rows(array("d", [at for at, _ in ordered]), array("d", [value for _, value in ordered]))


def plain(table: Table) -> list[list[float]]:
    return [list(column) for column in table]


@given(POINTS)
def test_hours_of_minutes_are_hours_of_points(points: dict[float, float]) -> None:
    assert plain(rolled(rolled(rows(points), 60.0), 3600.0)) == plain(rolled(rows(points), 3600.0))


@given(POINTS)
def test_a_bucket_says_what_was_in_it(points: dict[float, float]) -> None:
    for at, count, total, least, most, last in zip(*rolled(rows(points), 60.0), strict=True):
        inside = [points[one] for one in sorted(points) if at <= one < at + 60.0]
        assert (count, total, least, most, last) == (len(inside), sum(inside), min(inside), max(inside), inside[-1])


@given(POINTS, st.integers(1, 50))
def test_what_is_drawn_has_every_point_in_few_buckets_in_order(points: dict[float, float], count: int) -> None:
    buckets = drawn(rows(points), 0.0, 200_001.0, count)
    assert len(buckets) <= count
    assert sum(bucket.count for bucket in buckets) == len(points)
    assert all(before.at < after.at for before, after in pairwise(buckets))
    assert all(bucket.least <= bucket.mean <= bucket.most for bucket in buckets)


@given(st.lists(st.tuples(st.integers(0, 50).map(float), st.floats(0, 1)), max_size=60))
def test_points_written_twice_or_after_the_clock_was_set_back_are_in_order(points: list[tuple[float, float]]) -> None:
    times, values = in_order(array("d", [at for at, _ in points]), array("d", [value for _, value in points]))
    assert dict(zip(times, values, strict=True)) == dict(points)
    assert all(before < after for before, after in pairwise(times))


def test_sketches_of_hours_add_up_to_the_sketch_of_all() -> None:
    times, values = array("d", [10.0, 20.0, 3700.0]), array("d", [0.1, 0.2, 0.4])
    table = sketched(times, values, 3600.0)
    assert counted(table, 0.0) == sketch(values)
    assert counted(table, 3600.0) == sketch([0.4])


def test_rows_are_joined_and_cut_by_time() -> None:
    both = joined([rows({1.0: 5.0}), rows({2.0: 6.0, 3.0: 7.0})], 6)
    assert plain(within(both, 2.0, 3.0)) == [[2.0], [1.0], [6.0], [6.0], [6.0], [6.0]]
    assert drawn(joined([], 6), 0.0, 10.0, 5) == []
    assert drawn(both, 0.0, 10.0, 1)[0].mean == pytest.approx(6.0)
