"""Is a bar passed as often as it may be?"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.detect.patience import HITS, Patience
from selfheal.detect.tail import DAY_S, Prior, Spikes, Tail

PRIOR = Prior(line=2.0, least=4.0, most=100.0, samples=5000.0, excess=0.4, shape=0.05, peaks=6.0)
EVERY_S = 1.0


def test_peaks_that_fall_off_exponentially_pass_the_bar_as_often_as_they_may() -> None:
    dice, tail = Random(1), Tail(0.0)
    at = 0.0
    for _ in range(3000):  # a peak in a thousand seconds, half a spread beyond the line
        at += 1000.0
        tail.rise(at, 2.0 + dice.expovariate(2.0), 100.0, EVERY_S, PRIOR.line)
    bar = tail.bar(at, EVERY_S, 0.1, PRIOR)
    assert bar == pytest.approx(2.0 + 0.5 * 6.76, abs=0.8)  # 86.4 peaks a day; one in 864 is that high


def test_heavier_tails_have_a_higher_bar() -> None:
    light, heavy, dice = Tail(0.0), Tail(0.0), Random(2)
    for step in range(2000):
        light.rise(1000.0 * step, 2.0 + dice.expovariate(2.0), 100.0, EVERY_S, PRIOR.line)
        heavy.rise(1000.0 * step, 2.0 + 2.0 * (dice.paretovariate(5.0) - 1.0), 100.0, EVERY_S, PRIOR.line)
    assert heavy.bar(2e6, EVERY_S, 0.01, PRIOR) > light.bar(2e6, EVERY_S, 0.01, PRIOR)


def test_one_excursion_is_one_peak() -> None:
    tail = Tail(0.0)
    for second in range(100):
        tail.rise(float(second), 3.0, 100.0, EVERY_S, PRIOR.line)
    tail.rise(1000.0, 3.0, 100.0, EVERY_S, PRIOR.line)
    assert tail.peaks == 1.0


def test_what_is_beyond_the_bar_is_learned_only_up_to_there() -> None:
    tail = Tail(0.0)
    tail.rise(1.0, 1e9, 5.0, EVERY_S, PRIOR.line)
    tail.rise(1000.0, 3.0, 5.0, EVERY_S, PRIOR.line)
    assert tail.excess == 3.0


def test_what_was_long_ago_is_forgotten() -> None:
    tail = Tail(0.0)
    for step in range(500):
        tail.rise(1000.0 * step, 6.0, 100.0, EVERY_S, PRIOR.line)
    before = tail.bar(5e5, EVERY_S, 0.1, PRIOR)
    for day in range(10, 100, 4):
        tail.rise(day * DAY_S, 2.1, 100.0, EVERY_S, PRIOR.line)
    assert tail.bar(100 * DAY_S, EVERY_S, 0.1, PRIOR) < before - 5.0


@given(st.floats(1e-6, 1.0), st.floats(1.001, 100.0), st.floats(0.01, 3600.0))
def test_the_less_often_it_may_be_passed_the_higher_is_the_bar(a_day: float, more: float, every_s: float) -> None:
    tail = Tail(0.0)
    assert tail.bar(1000.0, every_s, a_day, PRIOR) >= tail.bar(1000.0, every_s, a_day * more, PRIOR) >= PRIOR.least


def test_spikes_have_their_bar_where_three_in_a_row_are_as_rare_as_they_may_be() -> None:
    dice, spikes = Random(3), Spikes(0.0)
    a_day, heights = 86.4, []  # one in a thousand samples, so that a tenth of all may be beyond
    for second in range(1, 40_000):
        height = dice.expovariate(1.0)
        bar = spikes.bar(float(second), EVERY_S, a_day, HITS)
        heights.append(bar)
        spikes.rise(height, 0.1)
    assert sum(heights[5000:]) / len(heights[5000:]) == pytest.approx(2.3, abs=0.3)  # e**-2.3 is a tenth


def test_who_has_come_three_times_in_a_day_by_itself_has_to_last() -> None:
    one, others = Patience(), Patience()
    for hour, length in enumerate((4, 7, 5)):
        assert one.needed(3600.0 * hour) == HITS
        for _ in range(length - HITS + 1):
            one.go_on(0.0)
        one.end(3600.0 * hour, others)
    assert one.needed(9000.0) == others.needed(9000.0) == 11
    assert one.needed(9000.0 + DAY_S) == HITS


def test_what_was_ended_by_somebody_is_no_custom() -> None:
    one, others = Patience(), Patience()
    for hour in range(5):
        one.go_on(0.0)
        one.drop()
        one.end(3600.0 * hour, others)
    assert one.needed(20_000.0) == HITS
