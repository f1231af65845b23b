"""Is the time left told as it is, by shapes that real signals have?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import pi, sin
from random import Random

import pytest

from benchmarks.exhaustion.shapes import LEAKS, LOOK_ALIKES, Run, leak, look_alike
from selfheal.predict.breaks import since_release, without_steps
from selfheal.predict.season import season_of
from selfheal.predict.slopes import MOST_BEND, Point, bent, longest_allowed, trend_of
from selfheal.predict.timeleft import Forecast, foresee

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0


def _points(
    span_s: float, value: Callable[[float], float], noise: float = 0.0, every_s: float = MINUTE_S
) -> list[Point]:
    dice = Random(3)
    times = (place * every_s for place in range(int(span_s / every_s) + 1))
    return [(at, value(at) + dice.gauss(0.0, noise)) for at in times]


def _seen(points: Sequence[Point], limit: float = 1.0) -> Forecast | None:
    return foresee(points, limit, points[-1][0])


@pytest.mark.parametrize("shape", LEAKS)
def test_most_runs_into_a_limit_are_foreseen_about_right_an_hour_before(shape: str) -> None:
    dice, off, held = Random(11), [], []
    for _ in range(10):
        run = leak(shape, dice)
        assert run.end is not None
        seen = _seen([point for point in run.points if point[0] <= run.end - HOUR_S])
        if seen is not None:
            off.append(abs(seen.eta_s / HOUR_S - 1))
            held.append(seen.eta_low_s <= HOUR_S <= seen.eta_high_s)
    assert len(off) >= 8
    assert sorted(off)[len(off) // 2] < 0.2
    assert sum(held) >= 0.6 * len(held)


def _alarms(run: Run) -> int:
    """How often, each half an hour, a failure would be likely."""
    asked = (run.points[:place] for place in range(60, len(run.points), 30))
    seen = (_seen(points) for points in asked)
    return sum(one is not None and one.probability >= 0.7 for one in seen)


@pytest.mark.parametrize("shape", [shape for shape in LOOK_ALIKES if shape not in ("collector", "wandering")])
def test_what_only_looks_like_it_raises_no_alarm(shape: str) -> None:
    dice = Random(12)
    assert [_alarms(look_alike(shape, dice)) for _ in range(2)] == [0, 0]


def test_what_wanders_seldom_raises_one() -> None:
    dice = Random(12)
    assert sum(_alarms(look_alike("wandering", dice)) for _ in range(3)) <= 2  # of 573 times that it was asked


def test_a_collector_is_taken_for_a_leak_before_it_has_released_twice_at_most() -> None:
    run = look_alike("collector", Random(12))
    releases = [at for (_, before), (at, after) in pairwise(run.points) if after < before - 0.1]
    later = [point for point in run.points if point[0] >= releases[2]]
    assert _alarms(Run(run.shape, later, None)) == 0


def test_a_rate_that_has_changed_is_known_by_the_latest_of_it() -> None:
    points = _points(6 * HOUR_S, lambda at: 0.1 + 0.02 * at / HOUR_S + 0.2 * max(0.0, at / HOUR_S - 4.0), noise=0.001)
    seen = _seen(points)
    assert seen is not None
    assert seen.slope * HOUR_S == pytest.approx(0.22, rel=0.1)
    assert seen.since >= 3 * HOUR_S


def test_all_of_the_past_counts_where_the_rate_is_the_same() -> None:
    seen = _seen(_points(6 * HOUR_S, lambda at: 0.1 + 0.1 * at / HOUR_S, noise=0.01))
    assert seen is not None
    assert seen.since <= 15 * MINUTE_S
    assert seen.slope * HOUR_S == pytest.approx(0.1, rel=0.05)


def test_one_day_of_a_season_is_no_leak_and_two_days_show_it() -> None:
    def daily(at: float) -> float:
        return 0.5 + 0.4 * sin(2 * pi * at / DAY_S)

    points = _points(3 * DAY_S, daily, noise=0.002)
    assert season_of(points[: int(DAY_S / MINUTE_S)]).shape == ()
    season = season_of(points)
    assert season.at(2.25 * DAY_S) - season.at(2.75 * DAY_S) == pytest.approx(0.8, rel=0.05)
    rests = [value for _, value in season.taken_off(points)]
    assert max(rests) - min(rests) < 0.05


def test_a_leak_under_a_season_is_foreseen_with_what_the_time_of_day_will_add() -> None:
    def rises(at: float) -> float:
        return 0.4 + 0.2 * sin(2 * pi * at / DAY_S) + 0.1 * max(0.0, at - 2.5 * DAY_S) / HOUR_S

    points = _points(2.6 * DAY_S, rises, noise=0.002)
    end = next(at for at in range(int(points[-1][0]), int(4 * DAY_S), 60) if rises(at) >= 1.0)
    seen = _seen(points)
    assert seen is not None
    assert seen.eta_s == pytest.approx(end - points[-1][0], rel=0.15)


def test_a_season_with_holes_is_none() -> None:
    points = _points(3 * DAY_S, lambda at: 0.5)
    assert season_of([point for point in points if not 0.3 * DAY_S < point[0] % DAY_S < 0.4 * DAY_S]).shape == ()


def test_a_season_that_alone_reaches_the_limit_does_so_in_its_time() -> None:
    season = season_of(_points(3 * DAY_S, lambda at: 0.5 + 0.4 * sin(2 * pi * at / DAY_S)))
    reached = season.reached(1e-9, 0.3, 3 * DAY_S)
    assert reached is not None
    assert reached == pytest.approx(DAY_S * 0.135, rel=0.1)  # 0.3 / 0.4 is the sine of 0.135 of a turn
    assert season.reached(1e-9, 0.6, 3 * DAY_S) is None
    assert season.reached(1e-9, -1.0, 3 * DAY_S) == 0.0


def test_a_step_is_taken_out_of_a_leak_and_spikes_are_none() -> None:
    stepped = without_steps(_points(4 * HOUR_S, lambda at: 0.1 * at / HOUR_S + 0.3 * (at > 2 * HOUR_S), noise=0.001))
    rises = [after - before for (_, before), (_, after) in pairwise(stepped)]
    assert max(rises) < 0.05
    spiked = _points(4 * HOUR_S, lambda at: 0.1 * at / HOUR_S + 0.3 * (at == 2 * HOUR_S), noise=0.001)
    assert without_steps(spiked) == spiked
    assert since_release(spiked) == spiked


def test_what_rises_above_all_teeth_is_none_of_them() -> None:
    def teeth(at: float) -> float:
        return 0.2 + 0.2 * (at % HOUR_S) / HOUR_S if at < 12 * HOUR_S else 0.2 + 0.2 * (at - 12 * HOUR_S) / HOUR_S

    assert since_release(_points(12.9 * HOUR_S, teeth)) == ()
    assert since_release(_points(14 * HOUR_S, teeth))[0][0] >= 12 * HOUR_S


def test_bends_are_followed_as_far_as_they_stand_out_of_chance() -> None:
    curved = _points(3 * HOUR_S, lambda at: 0.1 * (at / HOUR_S) ** 1.2)
    trend = bent(trend_of(curved[::6]), curved)
    assert 0.0 < trend.bend * (curved[-1][0] / 2) <= MOST_BEND
    straight = _points(3 * HOUR_S, lambda at: 0.1 * at / HOUR_S, noise=0.03)
    assert abs(bent(trend_of(straight[::6]), straight).bend) < trend.bend


def test_a_window_is_never_shorter_than_what_its_points_can_carry() -> None:
    few = _points(19 * MINUTE_S, lambda at: 0.01 * at)
    assert longest_allowed(few, 0.0).since == 0.0
