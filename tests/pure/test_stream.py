"""Is the detector of recorded series causal, the same in every unit, bounded, and right where that is easy?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import isnan, nan, pi, sin
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.detect.stream import FROZEN, JUST_BELOW, Bars, configuration, keep, kept, watch

Answers = list[tuple[float, bool]]
AT = 1_767_312_000.0  # 2026-01-02 in UTC
DAY_S = 86_400
FIVE_MINUTES_S, HOUR_S = 300.0, 3600.0


def told(values: Sequence[float], every_s: float = HOUR_S, times: Sequence[float] | None = None) -> Answers:
    rows = watch(1)
    at = times or [AT + place * every_s for place in range(len(values))]
    return [rows.take(when, (value,)) for when, value in zip(at, values, strict=True)]


def alarms(answers: Answers) -> list[int]:
    return [place for place, (_, alarm) in enumerate(answers) if alarm]


def noise(count: int, seed: int = 1) -> list[float]:
    dice = Random(seed)
    return [round(dice.uniform(98.0, 102.0), 3) for _ in range(count)]


def days(count: int, every_s: float = FIVE_MINUTES_S, seed: int = 1) -> list[float]:
    """A load that follows the day, with a little noise."""
    dice, samples = Random(seed), int(count * DAY_S / every_s)
    return [100.0 + 50.0 * sin(2 * pi * place * every_s / DAY_S) + dice.gauss(0.0, 2.0) for place in range(samples)]


whole = st.integers(-50, 50).map(float)
series = st.lists(whole | st.floats(), max_size=150)
# Neither so large nor so small that another unit would not be exact.
measured = st.lists(whole | st.integers(-(10**9), 10**9).map(lambda value: value / 1024) | st.just(nan), max_size=150)
paces = st.sampled_from([1.0, 60.0, FIVE_MINUTES_S, HOUR_S, float(DAY_S)])


@given(series, paces, st.integers(0, 150))
def test_a_prefix_gets_the_prefix_of_the_answer(values: list[float], every_s: float, cut: int) -> None:
    assert told(values, every_s)[:cut] == told(values[:cut], every_s)


@given(measured, paces, st.sampled_from([2.0**-30, 0.125, 2.0, 2.0**40]))
def test_another_unit_changes_nothing(values: list[float], every_s: float, factor: float) -> None:
    # Powers of two, which floating point takes without an error; others move a score by its last digits.
    assert told([value * factor for value in values], every_s) == told(values, every_s)


@settings(max_examples=50)
@given(st.integers(0, 1000), paces, st.sampled_from([10.0, 1e-3, 1e9, 7.3]), st.sampled_from([0.0, 1e3, -1e4]))
def test_another_scale_and_zero_change_nothing_but_the_last_digits(
    seed: int, every_s: float, factor: float, shift: float
) -> None:
    values = noise(150, seed)
    values[100:104] = [130.0, 131.5, 132.0, 131.0]
    moved = told([(value + shift) * factor for value in values], every_s)
    for (score, alarm), (other, other_alarm) in zip(told(values, every_s), moved, strict=True):
        assert other == pytest.approx(score, abs=1e-6)
        assert alarm == other_alarm


@given(series, paces)
def test_a_score_is_a_share_and_reaches_the_half_where_there_is_an_alarm_and_nowhere_else(
    values: list[float], every_s: float
) -> None:
    for score, alarm in told(values, every_s):
        assert 0.0 <= score <= 1.0
        assert alarm == (score >= 0.5)
        assert alarm or score <= JUST_BELOW or score < 0.5


@given(series, st.lists(st.integers(-3, 400), max_size=150))
def test_gaps_bursts_and_times_that_go_back_are_taken(values: list[float], steps: list[int]) -> None:
    at, times = AT, []
    for place in range(len(values)):
        at += float(steps[place % len(steps)]) if steps else 0.0
        times.append(at)
    assert len(told(values, times=times)) == len(values)


def test_what_is_no_number_scores_nothing_and_changes_nothing_after_it() -> None:
    values = noise(300)
    at = [AT + place * HOUR_S for place in range(300)]
    holes = [(when, value) for place, (when, value) in enumerate(zip(at, values, strict=True)) if place % 7]
    with_nan = told([value if place % 7 else nan for place, value in enumerate(values)], times=at)
    without = told([value for _, value in holes], times=[when for when, _ in holes])
    assert [answer for place, answer in enumerate(with_nan) if place % 7] == without
    assert all(with_nan[place] == (0.0, False) for place in range(0, 300, 7))


def test_a_spike_of_an_hourly_series_is_told_where_it_begins_and_once() -> None:
    values = noise(400)
    values[300:304] = [150.0, 160.0, 155.0, 150.0]
    assert alarms(told(values)) == [300]


def test_a_spike_of_one_sample_is_nothing_where_samples_come_by_the_minute() -> None:
    values = noise(2000)
    values[1500] = 150.0
    assert alarms(told(values, 60.0)) == []
    values[1500:1504] = [150.0] * 4
    assert alarms(told(values, 60.0)) == [1502]


def test_what_the_day_does_is_no_anomaly_and_another_time_of_the_day_is() -> None:
    values = days(14)
    before = alarms(told(values))
    assert len(before) <= 2
    values[12 * 288 + 216] = 150.0  # what noon has, at the lowest hour
    assert 12 * 288 + 216 in alarms(told(values, FIVE_MINUTES_S))


def test_a_constant_is_calm_and_its_first_change_is_told() -> None:
    assert alarms(told([3.0] * 500)) == []
    assert alarms(told([0.1] * 500 + [0.2] * 3))[0] == 500


def test_what_floating_point_makes_of_one_value_is_one_value() -> None:
    values = [0.3 if place < 1500 or place % 7 else 0.1 + 0.2 for place in range(3000)]
    assert alarms(told(values)) == []


@pytest.mark.parametrize("every_s", [60.0, FIVE_MINUTES_S, HOUR_S])
def test_noise_raises_no_more_than_an_alarm_in_some_days(every_s: float) -> None:
    raised = sum(len(alarms(told(noise(4000, seed), every_s))) for seed in range(3))
    assert raised / (3 * 4000 * every_s / DAY_S) <= 0.25


def test_a_new_level_is_told_and_then_it_is_normal() -> None:
    found = alarms(told([*noise(400), *(value + 40.0 for value in noise(400, 2))]))
    assert found[0] == 400
    assert [place for place in found if place > 480] == []


def test_a_value_that_comes_again_and_again_is_told_twice_and_no_more() -> None:
    values = [1.0 if place % 60 == 59 else 0.0 for place in range(1200)]
    assert len(alarms(told(values))) <= 3


def test_after_an_alarm_there_is_silence_by_the_pace() -> None:
    assert (FROZEN.silent_for(HOUR_S), FROZEN.silent_for(FIVE_MINUTES_S), FROZEN.silent_for(1.0)) == (5, 30, 30)
    values = noise(400)
    values[300], values[303], values[306] = 150.0, 170.0, 250.0
    assert alarms(told(values)) == [300, 306]


def test_what_is_far_out_has_to_last_where_samples_come_often() -> None:
    assert [Bars().out_for(pace) for pace in (0.0, 1.0, 300.0, 600.0, 1800.0, 3600.0)] == [3, 3, 3, 2, 1, 1]


def test_a_counter_is_read_by_its_rate_over_its_resets() -> None:
    dice, count, values = Random(3), 0.0, []
    for place in range(1000):
        count = 0.0 if place == 600 else count + (400.0 if 800 <= place < 804 else 40.0) + dice.randrange(10)
        values.append(count)
    found = alarms(told(values))
    assert 800 in found
    assert [place for place in found if 210 <= place < 800] == []


@pytest.mark.parametrize(
    ("spike", "told_alone", "told_of_thirty"), [(103.0, False, False), (105.0, True, False), (150.0, True, True)]
)
def test_of_many_columns_more_is_asked(spike: float, told_alone: bool, told_of_thirty: bool) -> None:
    columns = [noise(400, seed) for seed in range(30)]
    columns[7][300] = spike
    rows = watch(30)
    of_thirty = [rows.take(AT + place * HOUR_S, values) for place, values in enumerate(zip(*columns, strict=True))]
    assert (300 in alarms(told(columns[7])), 300 in alarms(of_thirty)) == (told_alone, told_of_thirty)


@given(series, paces, st.integers(0, 150))
def test_what_was_learned_survives_being_kept(values: list[float], every_s: float, cut: int) -> None:
    rows = watch(1)
    answers = []
    for place, value in enumerate(values):
        if place == cut:
            again = kept(keep(rows))
            assert again is not None
            rows = again
        answers.append(rows.take(AT + place * every_s, (value,)))
    assert answers == told(values, every_s)


def test_what_is_damaged_or_of_another_form_is_learned_anew() -> None:
    rows = watch(1)
    assert kept(keep(rows)[:-1]) is None
    rows.version = 0
    assert kept(keep(rows)) is None


def test_a_series_stays_within_its_bytes_however_long_it_is() -> None:
    rows = watch(1)
    for place, value in enumerate(days(20)):
        rows.take(AT + place * FIVE_MINUTES_S, (value,))
    assert len(keep(rows)) < 32_000
    (one,) = rows.columns
    lists = (one.pace.latest, one.pace.ordered, one.departure.latest, one.departure.far, one.novelty.latest)
    floats = sum(sys.getsizeof(each) + 24 * len(each) for each in lists)
    assert floats + sys.getsizeof(one.novelty.season.cells) < 32_000


def test_the_configuration_names_every_number_that_was_chosen() -> None:
    chosen = configuration()
    assert chosen["far"] == FROZEN.far
    assert not any(isnan(value) for value in chosen.values())
    assert {"leak", "range_share", "days", "sure", "silence_s"} <= set(chosen)
