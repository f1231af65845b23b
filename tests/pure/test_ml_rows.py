"""Do the points of an agent become the rows that they should?"""

from __future__ import annotations

from array import array
from math import isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.ml import rows
from selfheal.ml.rows import (
    LEAST_ROWS,
    MOST_ROWS,
    MOST_SIGNALS,
    STEP_S,
    WINDOW_S,
    filled,
    missing,
    names,
    row,
    table,
    tells,
)
from tests.pure.forests import hour

UNTIL = 10_000.0


def of(values: list[float], every_s: float = 10.0) -> rows.Points:
    times = [UNTIL - every_s * back for back in reversed(range(len(values)))]
    return array("d", times), array("d", values)


def test_names_of_things_and_names_that_no_text_can_hold_tell_nothing() -> None:
    told = [tells(name) for name in ("cpu", "http.latency", "größe", "status", "http.status", "que\udcffue")]
    assert told == [True, True, True, False, False, False]


def test_a_row_has_level_slope_residual_and_spread_of_each_signal() -> None:
    straight = of([100.0 + 2.0 * step for step in range(10)])
    level, slope, residual, spread = row({"x": straight}, ("x",), UNTIL)
    assert (level, slope) == pytest.approx((108.0, 0.2 * WINDOW_S))  # the level is without the newest point
    assert (residual, spread) == pytest.approx((0.0, 0.0), abs=1e-9)
    assert names(("x",)) == ("x.level", "x.slope", "x.residual", "x.spread")


def test_the_newest_point_stands_against_those_before_it() -> None:
    jumped = row({"x": of([5.0] * 20 + [9.0])}, ("x",), UNTIL)
    assert jumped == pytest.approx((5.0, 0.0, 4.0, 0.0))


def test_points_outside_of_the_window_say_nothing() -> None:
    times = array("d", [UNTIL - WINDOW_S - 1.0, UNTIL - 30.0, UNTIL - 20.0, UNTIL - 10.0, UNTIL, UNTIL + 1.0])
    seen = row({"x": (times, array("d", [1e6, 1.0, 1.0, 1.0, 1.0, 1e6]))}, ("x",), UNTIL)
    assert seen == pytest.approx((1.0, 0.0, 0.0, 0.0))


def test_what_is_missing_or_no_number_is_not_seen_and_filled_with_what_is_usual() -> None:
    seen = row({"few": of([1.0, 2.0, 3.0]), "none": of([nan] * 9)}, ("few", "gone", "none"), UNTIL)
    assert all(map(isnan, seen))
    assert missing(seen) == 1.0
    assert missing(()) == 1.0
    assert filled((1.0, nan), (5.0, 6.0)) == (1.0, 6.0)


def test_an_hour_gives_rows_of_the_signals_that_measure_something() -> None:
    made = table(hour(), (), UNTIL - 3600.0, UNTIL)
    assert made.signals == ("cpu", "http.latency", "rss")  # a status is the name of a thing
    assert made.too_little == ""
    assert len(made.rows) == len(made.times) >= 230
    assert made.rows[-1] == row(hour(), made.signals, UNTIL)


def test_what_is_left_out_touches_no_window() -> None:
    span = (UNTIL - 2000.0, UNTIL - 1000.0)
    made = table(hour(), (span,), UNTIL - 3600.0, UNTIL)
    assert all(at < span[0] or at - WINDOW_S > span[1] for at in made.times)
    assert len(made.rows) < len(table(hour(), (), UNTIL - 3600.0, UNTIL).rows) - 1300.0 // STEP_S + 1


def test_too_little_is_said() -> None:
    short = table(hour(), (), UNTIL - (LEAST_ROWS - 2) * STEP_S, UNTIL)
    assert short.too_little == f"{LEAST_ROWS - 1} quiet rows of {LEAST_ROWS} that are needed"
    assert table({}, (), 0.0, UNTIL).too_little == "no signal of it was seen often enough"
    assert table(hour(), ((0.0, UNTIL),), UNTIL - 3600.0, UNTIL).too_little == "no signal of it was seen often enough"


def test_times_when_nothing_was_seen_are_no_rows_and_count_against_no_signal() -> None:
    long = table(hour(), (), UNTIL - 8 * 3600.0, UNTIL)
    hours = table(hour(), (), UNTIL - 3600.0, UNTIL)
    assert (long.signals, long.rows) == (hours.signals, hours.rows)


def test_a_signal_that_is_seldom_there_is_none_to_learn_from() -> None:
    late = of([1.0] * 60)  # the last ten minutes of an hour
    assert "late" not in table({**hour(), "late": late}, (), UNTIL - 3600.0, UNTIL).signals


def test_rows_and_signals_are_bounded() -> None:
    many = {f"s{number:02}": of([1.0] * 400) for number in range(MOST_SIGNALS + 4)}
    assert len(table(many, (), UNTIL - 3600.0, UNTIL).signals) == MOST_SIGNALS
    long = table({"x": of([1.0] * 2000, every_s=60.0)}, (), 0.0, 1e9)
    assert len(long.rows) <= MOST_ROWS


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(width=32)), max_size=30))
def test_a_row_never_raises_and_has_finite_numbers_or_none(points: list[tuple[float, float]]) -> None:
    ordered = sorted(points)
    given_points = array("d", [at for at, _ in ordered]), array("d", [value for _, value in ordered])
    seen = row({"x": given_points}, ("x",), 300.0)
    assert all(isnan(cell) or abs(cell) < 1e300 for cell in seen)
