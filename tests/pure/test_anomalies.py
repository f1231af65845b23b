from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.detect.anomalies import NEW_NORMAL_S, WARM_UP, AnomalyWatch, Normal, Sense, Verdict, step
from selfheal.events import AnomalyOver, AnomalySeen, Event
from selfheal.world import EMPTY, fold

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


def _disturbed(watch: AnomalyWatch, agent: str, seen: int) -> list[AnomalySeen | AnomalyOver]:
    values = [1.0] * 100 + [9.0] * 5
    return [event for at, value in enumerate(values) for event in watch.look(agent, "queue", float(at), value, seen)]


def test_the_watch_names_anomalies_by_the_count_of_the_world_and_ends_them_by_that_name() -> None:
    watch = AnomalyWatch()
    (seen,) = _disturbed(watch, "api", 6)
    assert isinstance(seen, AnomalySeen)
    assert (seen.anomaly, seen.agent, seen.signal, seen.value) == ("ano-7", "api", "queue", 9.0)
    assert seen.expected == pytest.approx(1.0, abs=0.2)
    assert 0.5 <= seen.score <= 1.0
    calm = [event for at in range(105, 110) for event in watch.look("api", "queue", float(at), 1.0, 7)]
    assert calm == [AnomalyOver(109.0, "ano-7")]


def test_an_agent_that_leaves_ends_its_anomalies() -> None:
    watch = AnomalyWatch()
    _disturbed(watch, "api", 0)
    assert watch.forget("api", 200.0) == (AnomalyOver(200.0, "ano-1"),)
    assert watch.forget("api", 201.0) == ()


def test_anomalies_of_an_earlier_daemon_are_ended() -> None:
    watch = AnomalyWatch()
    old = AnomalySeen(1.0, "ano-1", "api", "rss", 2.0, 1.0, 0.7)
    over: list[Event] = [AnomalySeen(1.0, "ano-2", "api", "fds", 2.0, 1.0, 0.7), AnomalyOver(2.0, "ano-2")]
    events: list[Event] = [old, *over]
    events.extend(_disturbed(watch, "web", 2))
    world = reduce(fold, events, EMPTY)
    assert watch.left_over(world, 9.0) == (AnomalyOver(9.0, "ano-1"),)
