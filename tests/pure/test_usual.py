"""What is usual at a time of the day, or of the week?"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from selfheal.detect.usual import RING, SLOT_S, Usual

DAY_S, HOUR_S = 86_400.0, 3600.0
EVERY_S = 300.0


def _lived(days: float, value: Callable[[float], float], usual: Usual | None = None, begin: float = 0.0) -> Usual:
    usual, dice, at = usual or Usual(), Random(1), begin
    while at < begin + days * DAY_S:
        now = value(at) + dice.gauss(0.0, 1.0)
        usual.take(at, now, now)
        at += EVERY_S
    return usual


def _by_day(at: float) -> float:
    return 100.0 if 8 * HOUR_S <= at % DAY_S < 18 * HOUR_S else 10.0


def _on_weekdays(at: float) -> float:
    return _by_day(at) if at // DAY_S % 7 < 5 else 10.0


def _near(usual: Usual, at: float, value: float) -> bool:
    off = usual.beyond(at, value)
    return off is not None and abs(off) < 5.0


def test_of_the_time_of_the_day_nothing_is_known_before_two_days() -> None:
    assert _lived(1.5, _by_day).beyond(1.6 * DAY_S, 100.0) is None


def test_what_two_days_did_at_this_time_is_usual() -> None:
    usual = _lived(3.0, _by_day)
    noon, night = 3 * DAY_S + 12 * HOUR_S, 3 * DAY_S + 3 * HOUR_S
    assert _near(usual, noon, 100.0)
    assert _near(usual, night, 10.0)
    low, high = usual.beyond(noon, 10.0), usual.beyond(night, 100.0)
    assert low is not None
    assert high is not None
    assert low < -80.0
    assert high > 80.0


def test_what_comes_a_little_early_is_usual_as_well() -> None:
    assert _near(_lived(3.0, _by_day), 3 * DAY_S + 8 * HOUR_S - 200.0, 100.0)


def test_what_happened_once_is_no_custom() -> None:
    usual = _lived(5.0, lambda at: _by_day(at) + (500.0 if 3 * DAY_S < at < 3 * DAY_S + 7 * HOUR_S else 0.0))
    assert not _near(usual, 5 * DAY_S + 3 * HOUR_S, 510.0)


def test_the_day_of_the_week_is_known_after_two_weeks() -> None:
    monday = 14 * DAY_S + 12 * HOUR_S
    assert _near(_lived(14.0, _on_weekdays), monday, 100.0)  # of the two days before it is none like it
    assert not _near(_lived(7.0, _on_weekdays), monday - 7 * DAY_S, 100.0)


def test_noise_has_no_day() -> None:
    assert _lived(6.0, lambda at: 100.0).beyond(6.1 * DAY_S, 100.0) is None


def test_days_in_which_nobody_looked_are_not_made_up() -> None:
    usual = _lived(3.0, _by_day)
    usual = _lived(0.1, _by_day, usual, 30 * DAY_S)
    assert usual.beyond(30.2 * DAY_S, 100.0) is None


@given(st.lists(st.tuples(st.floats(-1e12, 1e12), st.floats(-1e30, 1e30)), max_size=60))
def test_it_is_bounded_and_holds_whatever_comes(samples: list[tuple[float, float]]) -> None:
    usual = Usual()
    for at, value in samples:
        usual.take(at, value, value)
        usual.beyond(at, value)
    assert len(usual.cells) <= 8 * RING


def test_it_takes_no_more_than_six_kilobytes() -> None:
    usual = _lived(40.0, _by_day)
    assert len(usual.cells) == 8 * RING <= 6_000
    assert RING * SLOT_S == 15 * DAY_S
