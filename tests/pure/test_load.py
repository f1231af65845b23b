"""Is it known when an agent has little to do, and only where that was seen often enough?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.predict.load import DAY_H, HOUR_S, Load, hour_of_week, learned, quietest, telling

# Monday, 5 January 2026, at midnight UTC.
MONDAY = 1_767_571_200.0


def _weeks(count: int, busy: range = range(8, 20)) -> list[tuple[float, float]]:
    hours = range(count * 7 * DAY_H)
    return [(MONDAY + hour * HOUR_S, 10.0 if hour % DAY_H in busy else 1.0) for hour in hours]


def test_the_hours_of_the_week_begin_on_monday() -> None:
    assert hour_of_week(MONDAY) == 0
    assert hour_of_week(MONDAY + 25.5 * HOUR_S) == 25
    assert hour_of_week(MONDAY - 1.0) == 167


def test_what_asks_tells_more_than_what_is_used_up() -> None:
    assert telling(["cpu", "rss", "http_requests_total"]) == "http_requests_total"
    assert telling(["io_read", "cpu", "rss"]) == "cpu"
    assert telling(["rss", "latency"]) is None
    assert telling(["rps_limit", "sharps", "cpu"]) == "rps_limit"


def test_nights_are_quiet_where_days_are_busy() -> None:
    load = learned("cpu", _weeks(2))
    assert load is not None
    assert load.at(MONDAY + 14 * 86_400.0 + 3 * HOUR_S) < load.at(MONDAY + 14 * 86_400.0 + 12 * HOUR_S)


def test_one_odd_night_does_not_make_the_hour_busy() -> None:
    hours = _weeks(3)
    hours[3] = hours[3][0], 500.0
    load = learned("cpu", hours)
    assert load is not None
    assert load.hours[3] == 1.0


def test_what_was_seen_for_a_day_teaches_nothing() -> None:
    assert learned("cpu", _weeks(1)[:47]) is None
    assert learned("cpu", _weeks(1)[:48]) is not None
    assert learned("cpu", []) is None
    assert learned("cpu", [(at, 0.0) for at, _ in _weeks(1)]) is None  # an agent that never did anything


def test_of_a_counter_the_growth_is_the_load_and_a_restart_of_it_none() -> None:
    total, hours = 0.0, []
    for number, (at, growth) in enumerate(_weeks(1)):
        total = 0.0 if number == 30 else total + growth
        hours.append((at, total))
    load = learned("requests_total", hours)
    assert load is not None
    assert load.hours[3] == 1.0
    assert load.hours[12] == 10.0
    assert 30 not in load.hours


def test_an_hour_of_the_week_that_was_never_seen_is_as_on_other_days() -> None:
    load = learned("cpu", _weeks(1)[:72])
    assert load is not None
    friday_noon, friday_night = MONDAY + (4 * 24 + 12) * HOUR_S, MONDAY + (4 * 24 + 2) * HOUR_S
    assert load.at(friday_noon) == pytest.approx(10 * load.at(friday_night))
    assert Load("cpu", {3: 2.0}, 2.0).at(MONDAY + 9 * HOUR_S) == 1.0


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20), st.floats(0, 1e6))
def test_no_moment_is_clearly_quieter_than_the_one_that_is_chosen(moments: list[float], rather: float) -> None:
    def level(moment: float) -> float:
        return moment % 97.0

    chosen = quietest(moments, rather, level)
    assert chosen in moments
    assert 0.8 * level(chosen) <= min(map(level, moments))
