"""Is a signal told to be strange when it is, when it is over, and where it has gone?"""

from __future__ import annotations

from math import inf, isfinite, nan, sqrt
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.detect.level import WARM_UP
from selfheal.detect.patience import HITS, Patience
from selfheal.detect.usual import Usual
from selfheal.detect.watched import BEGINNING_S, NEW_NORMAL_S, SETTLING_S, Verdict, Watched
from selfheal.measures import Sense
from tests.pure.series import A_DAY, EVERY_S, Signal, noise

UPWARDS = Sense(falls=False)


def test_a_lasting_shift_of_six_spreads_is_seen_within_five_samples() -> None:
    seen = 0
    for seed in range(50):
        signal = Signal()
        signal.goes(noise(seed, 700))
        seen += signal.goes(noise(seed + 100, 5, 160.0)) == ["seen"]
    assert seen >= 48


def test_a_step_to_either_side_is_seen_at_its_third_sample_with_its_first() -> None:
    for level in (300.0, -100.0):
        signal = Signal()
        signal.goes(noise(1, 500))
        assert signal.goes([level] * (HITS - 1)) == []
        assert signal.goes([level]) == ["seen"]
        (seen,) = signal.told
        assert (seen.since, seen.value) == (signal.at - 2 * EVERY_S, level)
        assert seen.expected == pytest.approx(100.0, abs=5.0)


def test_one_spike_or_two_are_no_anomaly() -> None:
    signal = Signal()
    signal.goes(noise(1, 500))
    assert signal.goes([1e6, 1e6, *noise(2, 20)]) == []


def test_a_constant_signal_does_not_explode_at_a_small_change() -> None:
    for level in (0.0, 1.0, -40.0, 1e12):
        signal = Signal()
        signal.goes([level] * 200)
        assert signal.goes([level + 0.03 + abs(level) * 0.1] * 10) == []
        assert signal.goes([level + 1.0 + abs(level)] * 10) == ["seen"]


def test_the_first_change_of_a_constant_is_seen_where_any_is_minded() -> None:
    signal = Signal(Sense(least=0.0, share=0.0))
    signal.goes([3.0] * 200)
    assert signal.goes([3.0001] * HITS) == ["seen"]


def test_nothing_is_normal_before_the_warm_up() -> None:
    assert Signal().goes([1.0] * (WARM_UP - 3) + [1e9] * 3) == []


def test_an_anomaly_ends_when_the_signal_is_calm_again_and_is_then_silent_for_a_while() -> None:
    signal = Signal()
    assert signal.goes([*noise(2, 500), *[300.0] * 20, *noise(3, 10), *[300.0] * 5, *noise(4, 10)]) == ["seen", "over"]
    assert signal.goes([*noise(5, 40), *[300.0] * 5]) == ["seen"]


def test_an_anomaly_is_not_learned_as_normal_while_it_lasts() -> None:
    signal = Signal()
    signal.goes(noise(3, 500))
    before = signal.watched.level.mean
    assert signal.goes([200.0] * 100) == ["seen"]
    assert signal.watched.level.mean == pytest.approx(before, abs=2.0)
    assert sqrt(signal.watched.level.variance) < 15.0


def test_a_new_level_that_holds_becomes_normal_and_is_told() -> None:
    signal = Signal()
    signal.goes(noise(4, 500))
    assert signal.goes(noise(5, int(NEW_NORMAL_S / EVERY_S) + 500, 200.0)) == ["seen", "over", "level"]
    level = signal.told[-1]
    assert level.why == "held"
    assert level.expected == pytest.approx(100.0, abs=5.0)
    assert level.value == pytest.approx(200.0, abs=5.0)
    assert signal.goes(noise(6, 500, 200.0)) == []


def test_what_is_not_far_out_but_lasts_is_seen() -> None:
    signal = Signal()
    signal.goes(noise(4, 700))
    assert signal.goes(noise(5, 12, 140.0)) == ["seen"]


def test_falling_is_good_news_where_the_sense_says_so() -> None:
    for sense, told in ((UPWARDS, []), (Sense(), ["seen"])):
        signal = Signal(sense)
        signal.goes([100.0] * 100)
        assert signal.goes([1.0] * 10) == told


def test_a_change_that_nobody_minds_is_none_however_sure_it_is() -> None:
    signal = Signal(Sense(least=50.0, share=0.0))
    signal.goes(noise(1, 500, width=1.0))
    assert signal.goes([140.0] * 10) == []
    assert signal.goes([160.0] * 10) == ["seen"]


# --- time ---


def test_a_gap_does_not_make_one_sample_outweigh_all_before() -> None:
    signal = Signal()
    signal.goes([100.0 + place % 2 for place in range(500)])
    signal.at += 1e6
    signal.goes([110.0])
    assert signal.watched.level.mean < 101.0


def test_samples_on_both_sides_of_a_gap_are_in_no_row() -> None:
    signal = Signal()
    signal.goes([*noise(1, 500), 300.0, 300.0])
    signal.at += 600.0
    assert signal.goes([300.0, *noise(2, 20)]) == []


def test_where_nobody_looked_for_long_the_level_may_be_another_and_that_is_told() -> None:
    signal = Signal()
    signal.goes(noise(1, 500))
    signal.at += 86_400.0
    assert signal.goes(noise(2, 500, 200.0)) == ["level"]
    assert signal.told[-1].why == "gap"


def test_an_anomaly_goes_on_over_a_gap_and_ends_in_calm() -> None:
    signal = Signal()
    signal.goes([*noise(1, 500), *[300.0] * 10])
    signal.at += 7200.0
    assert signal.goes([300.0] * 10) == []  # only what was looked at counts towards a new level
    assert signal.goes(noise(2, 10)) == ["over"]


def test_a_sample_that_comes_twice_is_one() -> None:
    signal = Signal()
    signal.goes(noise(1, 500))
    for _ in range(10):
        assert signal.watched.take(signal.at, 300.0, signal.sense, A_DAY, signal.others) == ()


def test_a_clock_that_was_set_back_is_gone_on_from() -> None:
    signal = Signal()
    signal.goes(noise(1, 500))
    signal.at -= 1800.0
    assert signal.goes(noise(2, 100)) == []
    assert signal.goes([300.0] * HITS) == ["seen"]


# --- counters ---


def test_a_counter_is_read_by_its_rate_and_begins_anew_at_a_fall() -> None:
    dice, signal = Random(1), Signal(Sense(least=0.05, counts=True))
    count, told = 0.0, []
    for place in range(2000):
        count = 0.0 if place % 500 == 499 else count + dice.randint(4, 6)
        told += signal.goes([count])
    assert told == []
    assert signal.watched.level.mean == pytest.approx(1.0, abs=0.05)
    for _ in range(HITS):
        told += signal.goes([count := count + 30.0])
    assert told == ["seen"]


def test_what_only_rises_shows_by_itself_that_it_counts() -> None:
    dice, signal, count = Random(2), Signal(Sense(counts=None)), 0.0
    told = []
    for _ in range(1000):
        told += signal.goes([count := count + dice.randint(4, 6)])
    assert signal.watched.counter is not None
    assert signal.watched.counter.counts
    assert signal.watched.level.mean == pytest.approx(1.0, abs=0.05)
    told.clear()
    for _ in range(HITS):
        told += signal.goes([count := count + 30.0])
    assert told == ["seen"]


def test_what_rises_because_of_a_trouble_does_not_count() -> None:
    signal = Signal(Sense(counts=None))
    signal.goes(noise(1, 300))
    assert signal.goes([150.0 + 5.0 * step for step in range(300)]) == ["seen"]
    assert signal.watched.counter is not None
    assert not signal.watched.counter.counts
    assert signal.goes(noise(2, 10)) == ["over"]


# --- what was done to it ---


def test_after_a_deploy_the_level_may_be_another_which_is_told_and_normal_from_then_on() -> None:
    signal = Signal()
    signal.goes(noise(1, 500, 150.0))
    signal.watched.change(signal.at + 1.0, "deploy")
    began = signal.at + 1.0
    assert signal.goes(noise(2, int(SETTLING_S / EVERY_S) + 5, 210.0)) == ["level"]
    (level,) = signal.told
    assert (level.why, level.since) == ("deploy", began)
    assert level.expected == pytest.approx(150.0, abs=5.0)
    assert level.value == pytest.approx(210.0, abs=5.0)
    assert signal.goes(noise(3, 500, 210.0)) == []
    assert signal.goes([500.0] * HITS) == ["seen"]


def test_what_a_fix_does_not_end_is_not_normal_any_sooner() -> None:
    signal = Signal()
    signal.goes(noise(1, 500))
    assert signal.goes(noise(2, 20, 300.0)) == ["seen"]
    signal.watched.change(signal.at, "fix")
    assert signal.goes(noise(3, int(NEW_NORMAL_S / EVERY_S) - 30, 300.0)) == []
    assert signal.goes(noise(4, 20, 300.0)) == ["over", "level"]
    assert signal.told[-1].why == "fix"


def test_a_start_that_changes_nothing_is_not_told_and_forgets_nothing() -> None:
    signal = Signal()
    signal.goes(noise(1, 500))
    known = signal.watched.level
    signal.watched.change(signal.at, "start")
    assert signal.goes([*[500.0] * int(BEGINNING_S / EVERY_S - 1), *noise(2, 400)]) == []
    assert signal.watched.level is known
    assert signal.goes([300.0] * HITS) == ["seen"]


def test_trouble_after_a_deploy_is_seen_once_its_level_is_known() -> None:
    signal = Signal()
    signal.goes(noise(1, 500))
    signal.watched.change(signal.at, "deploy")
    signal.goes(noise(2, int(BEGINNING_S / EVERY_S) + WARM_UP))
    assert signal.goes([500.0] * HITS) == ["seen"]


def test_trouble_of_a_signal_that_comes_seldom_is_seen_once_it_had_the_time_to_settle() -> None:
    for level in (100.0, 200.0):
        signal = Signal(every_s=60.0)
        signal.goes(noise(1, 500))
        signal.watched.change(signal.at, "deploy")
        assert signal.goes(noise(2, int(SETTLING_S / 60.0), level)) == []
        assert signal.goes([600.0] * HITS) == ["seen"]


@pytest.mark.parametrize("every_s", [EVERY_S, 60.0])
def test_an_anomaly_after_a_deploy_ends_where_it_began_and_then_the_new_level_is_told(every_s: float) -> None:
    signal = Signal(every_s=every_s)
    signal.goes(noise(1, 500))
    signal.watched.change(signal.at, "deploy")
    signal.goes(noise(2, int(BEGINNING_S / every_s) + (WARM_UP if every_s < 60.0 else 11), 200.0))
    signal.told.clear()
    assert signal.goes([600.0] * 5) == ["seen"]
    assert signal.told[0].expected == pytest.approx(200.0, abs=10.0)
    assert signal.goes(noise(3, 10, 200.0)) == ["over"]
    assert signal.goes(noise(4, 130, 200.0)) == ["level"]
    assert signal.told[-1].why == "deploy"
    assert signal.told[-1].value == pytest.approx(200.0, abs=5.0)


def test_a_level_of_few_samples_is_not_yet_the_normal_one() -> None:
    signal = Signal(every_s=60.0)
    signal.goes(noise(1, 500))
    signal.watched.change(signal.at, "start")
    assert signal.goes(noise(2, WARM_UP - 1, 200.0)) == []
    assert signal.goes(noise(3, 3, 200.0)) == ["level"]


# --- patience, and what is usual ---


def test_bursts_that_come_again_and_again_are_what_the_signal_does() -> None:
    signal, told = Signal(), []
    for seed in range(12):
        told += signal.goes([*noise(seed, 400), *[300.0] * 5])
    assert told.count("seen") <= 4
    assert signal.goes([*noise(99, 400), *[300.0] * 20]).count("seen") == 1  # one that lasts is none of them


def test_what_a_restart_has_ended_is_no_burst() -> None:
    signal = Signal()
    for seed in range(6):
        assert "seen" in signal.goes([*noise(seed, 400), *[300.0] * 5])
        signal.watched.change(signal.at, "start")


def test_a_job_of_each_night_is_usual_from_the_third_on() -> None:
    signal = Signal(watched=Watched(usual=Usual()), every_s=60.0)
    nights = []
    for night in range(6):
        values = noise(night, 1440)
        values[180:200] = noise(night, 20, 400.0)
        nights.append("seen" in signal.goes(values))
    assert nights == [True, True, False, False, False, False]
    assert "seen" in signal.goes([*noise(7, 600), *noise(8, 20, 400.0)])  # at another time it is strange


# --- whatever comes ---


_samples = st.lists(st.tuples(st.floats(), st.floats()), max_size=150)


@given(_samples, st.sampled_from([Sense(), UPWARDS, Sense(0.0, 0.0), Sense(counts=True), Sense(counts=None)]))
def test_a_score_is_a_share_and_anomalies_begin_and_end_in_turn_whatever_comes(
    samples: list[tuple[float, float]], sense: Sense
) -> None:
    watched, others, told = Watched(usual=Usual()), Patience(), list[Verdict]()
    for place, (at, value) in enumerate(samples):
        if place == 100:
            watched.change(at if isfinite(at) else 0.0, "deploy")
        told += watched.take(at, value, sense, A_DAY, others)
    assert all(0.0 <= one.score <= 1.0 for one in told)
    kinds = [one.kind for one in told if one.kind != "level"]
    assert kinds == [("seen", "over")[place % 2] for place in range(len(kinds))]
    msgspec.msgpack.decode(msgspec.msgpack.encode(watched), type=Watched)


def _story(seed: int) -> list[float]:
    """Noise, a step, noise, a ramp, what is no number, and noise again."""
    ramp = [100.0 + 5.0 * step for step in range(60)]
    return [*noise(seed, 200), *[220.0] * 8, *noise(seed + 1, 80), *ramp, nan, inf, -inf, *noise(seed + 2, 100)]


def _told(values: list[float], sense: Sense) -> list[tuple[str, float]]:
    signal = Signal(sense)
    signal.goes(values)
    return [(one.kind, one.since) for one in signal.told]


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(0, 450))
def test_what_is_told_depends_on_nothing_that_comes_later(seed: int, length: int) -> None:
    values = _story(seed)
    whole, part = _told(values, Sense()), _told(values[:length], Sense())
    assert whole[: len(part)] == part


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([1e-9, 0.125, 8.0, 1e9]), st.sampled_from([-1e4, -3.0, 0.0, 1e4]))
def test_another_unit_and_another_zero_change_nothing_where_every_change_is_minded(
    seed: int, scale: float, shift: float
) -> None:
    """Least deviations are in units: those that are absolute hold for no other unit, and shares for no other zero."""
    values = _story(seed)
    moved = [scale * (value + shift) for value in values]
    assert _told(moved, Sense(0.0, 0.0)) == _told(values, Sense(0.0, 0.0))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from([1e-9, 0.125, 8.0, 1e9]))
def test_another_unit_changes_nothing_where_a_share_is_minded(seed: int, scale: float) -> None:
    values = _story(seed)
    assert _told([scale * value for value in values], Sense(0.0)) == _told(values, Sense(0.0))


def test_what_is_kept_goes_on_as_if_nothing_had_been() -> None:
    values = _story(7)
    for cut in (50, 205, 300, 340):
        whole, first = Signal(watched=Watched(usual=Usual())), Signal(watched=Watched(usual=Usual()))
        whole.goes(values)
        first.goes(values[:cut])
        kept = msgspec.msgpack.decode(msgspec.msgpack.encode(first.watched), type=Watched)
        second = Signal(watched=kept)
        second.at = first.at
        second.goes(values[cut:])
        assert first.told + second.told == whole.told
