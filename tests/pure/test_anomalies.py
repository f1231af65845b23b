from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.detect.anomalies import NEW_NORMAL_S, WARM_UP, AnomalyWatch, Normal, Sense, Verdict, step
from selfheal.detect.grouping import Departed, Grew, Returned
from selfheal.world.dismissals import reach_of

EVERY_S = 5.0
HALF_A_DAY = 8_640


def _gaussian(dice: Random) -> Callable[[], float]:
    return lambda: dice.gauss(100.0, 10.0)


def _lognormal(dice: Random) -> Callable[[], float]:
    return lambda: dice.lognormvariate(0.0, 1.0)


def _autocorrelated(dice: Random) -> Callable[[], float]:
    level = 0.0

    def draw() -> float:
        nonlocal level
        level = 0.9 * level + dice.gauss(0.0, sqrt(1 - 0.9**2))
        return 100.0 + 10.0 * level

    return draw


def _run(values: list[float], state: Normal | None = None, sense: Sense | None = None) -> tuple[Normal, list[Verdict]]:
    state = state or Normal()
    verdicts = []
    for value in values:
        state, verdict = step(state, state.at + EVERY_S, value, sense or Sense())
        if verdict is not None:
            verdicts.append(verdict)
    return state, verdicts


def test_noise_raises_less_than_an_alarm_in_ten_series_days() -> None:
    draws = [noise(Random(seed)) for noise in (_gaussian, _lognormal, _autocorrelated) for seed in range(7)]
    verdicts = [_run([draw() for _ in range(HALF_A_DAY)])[1] for draw in draws]
    assert sum(one.kind == "seen" for each in verdicts for one in each) <= 1  # in 10.5 days


def test_a_lasting_shift_of_six_sigma_is_seen_within_five_samples() -> None:
    seen = 0
    for seed in range(50):
        dice = Random(seed)
        state, _ = _run([dice.gauss(100.0, 10.0) for _ in range(700)])
        _, verdicts = _run([dice.gauss(160.0, 10.0) for _ in range(5)], state)
        seen += [one.kind for one in verdicts] == ["seen"]
    assert seen >= 49


def test_one_spike_is_no_anomaly() -> None:
    dice = Random(1)
    state, _ = _run([dice.gauss(100.0, 10.0) for _ in range(500)])
    assert _run([1e6, *(dice.gauss(100.0, 10.0) for _ in range(20))], state)[1] == []


def test_a_constant_signal_does_not_explode_at_a_small_change() -> None:
    for level in (0.0, 1.0, -40.0, 1e12):
        state, _ = _run([level] * 200)
        assert _run([level + 0.03 + abs(level) * 0.1] * 10, state)[1] == []
        _, verdicts = _run([level + 1.0 + abs(level)] * 10, state)
        assert [one.kind for one in verdicts] == ["seen"]


def test_nothing_is_normal_before_the_warm_up() -> None:
    assert _run([1.0] * (WARM_UP - 3) + [1e9] * 3)[1] == []


def test_an_anomaly_ends_when_the_signal_is_calm_again_and_is_then_silent_for_a_while() -> None:
    dice = Random(2)

    def normal(count: int) -> list[float]:
        return [dice.gauss(100.0, 10.0) for _ in range(count)]

    state, verdicts = _run([*normal(500), *[300.0] * 20, *normal(10), *[300.0] * 5, *normal(10)])
    assert [one.kind for one in verdicts] == ["seen", "over"]
    assert [one.kind for one in _run([*normal(40), *[300.0] * 5], state)[1]] == ["seen"]


def test_an_anomaly_is_not_learned_as_normal_while_it_lasts() -> None:
    dice = Random(3)
    state, _ = _run([dice.gauss(100.0, 10.0) for _ in range(500)])
    later, verdicts = _run([200.0] * 100, state)
    assert [one.kind for one in verdicts] == ["seen"]
    assert later.mean == pytest.approx(state.mean, abs=2.0)
    assert sqrt(later.variance) < 15.0


def test_a_new_level_that_holds_becomes_normal() -> None:
    dice = Random(4)
    state, _ = _run([dice.gauss(100.0, 10.0) for _ in range(500)])
    state, verdicts = _run([dice.gauss(200.0, 10.0) for _ in range(int(NEW_NORMAL_S / EVERY_S) + 500)], state)
    assert [one.kind for one in verdicts] == ["seen", "over"]
    assert state.mean == pytest.approx(200.0, abs=5.0)


def test_falling_is_good_news_where_the_sense_says_so() -> None:
    state, _ = _run([100.0] * 100)
    assert _run([1.0] * 10, state, Sense(falls=False))[1] == []
    assert [one.kind for one in _run([1.0] * 10, state)[1]] == ["seen"]


def test_a_gap_does_not_make_one_sample_outweigh_all_before() -> None:
    state, _ = _run([100.0 + i % 2 for i in range(500)])
    later, _ = step(state, state.at + 1e6, 110.0)
    assert later.mean < 101.0


@given(st.lists(st.tuples(st.floats(-1e3, 1e4), st.floats()), max_size=120))
def test_a_score_is_a_share_and_verdicts_alternate_whatever_comes(samples: list[tuple[float, float]]) -> None:
    state, kinds = Normal(), []
    for at, value in samples:
        state, verdict = step(state, at, value)
        if verdict is not None:
            assert 0.0 <= verdict.score <= 1.0
            kinds.append(verdict.kind)
    assert kinds == [("seen", "over")[place % 2] for place in range(len(kinds))]


def _told(watch: AnomalyWatch, values: Iterable[float], begin: float = 0.0) -> list[Departed | Grew | Returned]:
    looks = (watch.look("api", "queue", begin + at, value) for at, value in enumerate(values))
    return [found for found in looks if found is not None]


CALM = [1.0] * 100


def test_the_watch_tells_that_a_signal_departs_and_since_when_and_that_it_is_back() -> None:
    watch = AnomalyWatch()
    (departed,) = _told(watch, CALM + [9.0] * 5)
    assert isinstance(departed, Departed)
    assert (departed.agent, departed.signal, departed.value) == ("api", "queue", 9.0)
    assert (departed.since, departed.at) == (100.0, 102.0)  # three hits make an alarm, and it began with the first
    assert departed.expected == pytest.approx(1.0, abs=0.2)
    assert 0.5 <= departed.score <= 1.0
    assert watch.is_out("api", "queue")
    assert _told(watch, [1.0] * 5, 105.0) == [Returned(109.0, "api", "queue")]
    assert not watch.is_out("api", "queue")


def test_a_lone_spike_before_is_no_part_of_what_departs_later() -> None:
    (departed,) = _told(AnomalyWatch(), [*CALM, 9.0, *[1.0] * 30, 9.0, 9.0, 9.0])
    assert isinstance(departed, Departed)
    assert departed.since == 131.0


def test_a_signal_that_goes_further_out_is_told_as_it_doubles_and_not_in_between() -> None:
    watch = AnomalyWatch()
    told = _told(watch, CALM + [3.0] * 3 + [3.0 + 0.5 * step for step in range(60)])
    departed, *further = told
    assert isinstance(departed, Departed)
    reaches = [reach_of(departed.score), *(reach_of(one.score) for one in further if isinstance(one, Grew))]
    assert len(reaches) == len(told) >= 3
    assert all(after >= 2.0 * before for before, after in pairwise(reaches))


def test_a_signal_of_which_only_rising_is_strange_does_not_go_further_out_by_falling() -> None:
    watch = AnomalyWatch()
    values = [0.1] * 100 + [0.4] * 3
    told = [watch.look("api", "latency", float(at), value) for at, value in enumerate([*values, -9.0, -90.0])]
    assert [type(one) for one in told if one is not None] == [Departed]


def test_what_was_out_of_line_of_an_agent_that_leaves_is_told_once() -> None:
    watch = AnomalyWatch()
    _told(watch, CALM + [9.0] * 5)
    assert watch.forget("api") == ("queue",)
    assert watch.forget("api") == ()
    assert not watch.is_out("api", "queue")


def test_a_number_that_stands_for_something_is_never_strange() -> None:
    watch = AnomalyWatch()
    codes = [watch.look("api", "http.status", float(at), code) for at, code in enumerate([200.0] * 100 + [503.0] * 9)]
    assert codes == [None] * 109
