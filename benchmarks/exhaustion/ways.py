"""How else would one foresee it: a straight line by least squares, and one Theil-Sen line over a fixed window?

Both as a person would write them at first: the line of the latest three hours, its slope's interval, and the limit. And
what the model of every fleet has learned of times, which has seen none of these runs, alone and joined with the trend
as `selfheal predict` tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import erf, sqrt

from selfheal.predict.slopes import LEAST_POINTS, Z90, Point, since, thinned, trend_of
from selfheal.predict.steps import STEPS, track
from selfheal.predict.subjects import Subjects
from selfheal.predict.timeleft import HORIZON_S, Forecast, foresee
from selfheal.predict.windows import Windows
from selfheal.recorded.learning import shipped
from selfheal.recorded.times import Times

WINDOW_S = 3 * 3600.0
STEP_S = HORIZON_S / STEPS

Way = Callable[[Sequence[Point], float, float], Forecast | None]


def least_squares(points: Sequence[Point], limit: float, now: float) -> Forecast | None:
    latest = since(points, now - WINDOW_S)
    count = len(latest)
    if count < LEAST_POINTS:
        return None
    middle_at, middle = sum(at for at, _ in latest) / count, sum(value for _, value in latest) / count
    spread = sum((at - middle_at) ** 2 for at, _ in latest)
    slope = sum((at - middle_at) * (value - middle) for at, value in latest) / spread
    rests = sum((value - middle - slope * (at - middle_at)) ** 2 for at, value in latest)
    error = sqrt(rests / (count - 2) / spread)
    return _line(slope, error, limit - middle - slope * (now - middle_at), middle_at)


def theil_sen(points: Sequence[Point], limit: float, now: float) -> Forecast | None:
    latest = since(points, now - WINDOW_S)
    if len(latest) < LEAST_POINTS:
        return None
    thin = thinned(latest, 60)
    trend = trend_of(thin)
    ordered = sorted(value + trend.slope * (now - at) for at, value in thin)
    return _line(trend.slope, (trend.high - trend.low) / 2 / Z90, limit - ordered[len(ordered) // 2], trend.since)


def _line(slope: float, error: float, left: float, begin: float) -> Forecast | None:
    """The time left, where a slope is surely above 0."""
    low = slope - Z90 * error
    if low <= 0.0:
        return None
    left = max(0.0, left)
    chance = 0.5 * (1 + erf((slope - left / HORIZON_S) / max(error, 1e-12) / sqrt(2)))
    return Forecast(slope, left / slope, left / (slope + Z90 * error), left / low, chance, 0.0, begin)


def learned(points: Sequence[Point], limit: float, now: float) -> Forecast | None:
    """What was learned of times alone."""
    return _told(points, limit, now, None)


def both(points: Sequence[Point], limit: float, now: float) -> Forecast | None:
    """The same and the trend, joined."""
    return _told(points, limit, now, foresee(points, limit, now))


def _told(points: Sequence[Point], limit: float, now: float, trend: Forecast | None) -> Forecast | None:
    """By the row of the latest step that is over."""
    seen = track("one", {"rss": points}, (points[0][0], now), STEP_S, {"rss": limit})
    row = next((row for _, row in Subjects(Windows(seen)).rows(int(now // STEP_S) - seen.first)), None)
    if row is None:
        return trend
    when = _times().told(row, trend, HORIZON_S)
    return Forecast(0.0, when.middle, when.low, when.high, 0.0, 0.0)


@cache
def _times() -> Times:
    times = shipped().times
    assert times is not None
    return times


WAYS: Mapping[str, Way] = {
    "selfheal": foresee,
    "Theil-Sen, 3 h": theil_sen,
    "least squares, 3 h": least_squares,
}
# Those that say when, and of themselves not whether.
OF_TIMES: Mapping[str, Way] = {**WAYS, "learned": learned, "learned and trend": both}
