"""How long until a signal has reached its limit, and how sure is that?

The trend of what is left when the time of day, single steps and what was released are taken off, with its bend. A
limit is reached by peaks: what stands out above the trend is taken off the room that is left.

Nothing is foreseen where rising cannot be told from chance, where it does not go on, where what rises slows down so
that it ends below its limit, and where the past is too short for what lies ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, log, log1p, sqrt
from statistics import median

from selfheal.predict.breaks import since_release, without_steps
from selfheal.predict.season import Season, season_of
from selfheal.predict.slopes import LEAST_POINTS, Z90, Point, Trend, bent, longest_allowed, since, thinned, trend_of

HORIZON_S = 7200.0
# What is older says little of the rate that holds now; a season looks further back.
LONGEST_S = 6 * 3600.0
# For teeth of a collector one looks so far back: one of them says nothing.
TEETH_S = 24 * 3600.0
# A trend is trusted for at most this many times as long as it was watched.
REACH = 6.0
# Everything grows as it warms up: watched for less than this, only what is past half its limit counts.
YOUNG_S = 120.0
# The rise that was seen has to stand out of the scatter about it: a random walk drifts too.
RISE_TO_SCATTER = 4.0
# Real leaks bend: straight as they looked, the time left was off by about this share.
BEND = 0.15
# How far the slope is taken to go on to change, as the logarithm until the limit: no further than was ever seen.
MOST_BEND = 0.5
# The level now is the middle of the latest sixth of the window, and a peak what a tenth of it is above.
LATEST = 6
PEAK = 0.9
# Intervals are this many times as wide as their parts say: so 90 % of simulated runs into exhaustion end within theirs
# (split conformal: `python -m benchmarks.exhaustion` fits it on one half of the runs and checks it on the other).
WIDENED = 1.25
# Wider than this says nothing any more.
WIDEST = 10.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is foreseen of one signal, at the time that it was asked. Etas are seconds from then, slope is per second,
    `probability` that the limit is reached within the horizon; the trend has been seen `since` then.
    """

    slope: float
    eta_s: float
    eta_low_s: float
    eta_high_s: float
    probability: float
    value: float
    since: float = 0.0


def foresee(points: Sequence[Point], limit: float, now: float, horizon_s: float = HORIZON_S) -> Forecast | None:
    """Return when a signal will reach `limit`, as seen from `now`; None where it cannot be said to rise towards it.

    `points` are (time, value) in order of time, as far back as there are any. The etas span a 90 % interval.
    """
    if not _within_reach(points, limit):
        return None
    seen = _foreseen(points, limit, now, horizon_s, Season())
    season = season_of(points) if seen is not None else Season()  # which takes some milliseconds
    return _foreseen(points, limit, now, horizon_s, season) if season else seen


def _foreseen(points: Sequence[Point], limit: float, now: float, horizon_s: float, season: Season) -> Forecast | None:
    lasting = since_release(season.taken_off(since(points, points[-1][0] - TEETH_S)))
    latest = without_steps(since(lasting, points[-1][0] - LONGEST_S))
    trend = _trend(latest, limit) if _worth_a_look(latest, limit) else None
    if trend is None:
        return None
    level, peak = _level(since(latest, trend.since), trend, now)
    eta_s = _eta(trend, limit - level - peak, season, now)
    if eta_s is None or eta_s > REACH * (latest[-1][0] - trend.since):
        return None
    width = min(WIDEST, WIDENED * _width(trend, eta_s))
    probability = _probability(eta_s, width, horizon_s)
    value = level + season.at(now) if season else level
    return Forecast(trend.slope, eta_s, eta_s / (1 + width), eta_s * (1 + width), probability, value, trend.since)


def _within_reach(points: Sequence[Point], limit: float) -> bool:
    """Leave out, at the price of one pass, what is far from its limit and moves little: nearly all, nearly always.

    Twice the reach, since all of the rise may lie in the latest half.
    """
    values = [value for _, value in points]
    return len(values) >= LEAST_POINTS and 2 * REACH * (max(values) - min(values)) >= limit - max(values)


def _worth_a_look(points: Sequence[Point], limit: float) -> bool:
    """Leave out what does not rise at all, and what is young and far from its limit."""
    if len(points) < LEAST_POINTS:
        return False
    third = len(points) // 3
    rises = median(value for _, value in points[-third:]) > median(value for _, value in points[:third])
    young = points[-1][0] - points[0][0] < YOUNG_S
    return rises and (not young or points[-1][1] >= limit / 2)


def _trend(points: Sequence[Point], limit: float) -> Trend | None:
    """The trend of the points, where it is one and goes on."""
    whole = thinned(points)
    early, late = trend_of(whole[: len(whole) // 2]), trend_of(whole[len(whole) // 2 :])
    if late.low <= 0 or _levels_off(early, late, whole, limit):
        return None
    trend = longest_allowed(points, max(early.scatter, late.scatter))
    rise = trend.slope * (points[-1][0] - trend.since)
    if trend.low <= 0 or rise < RISE_TO_SCATTER * trend.scatter:
        return None
    return bent(trend, since(points, trend.since))


def _levels_off(early: Trend, late: Trend, points: Sequence[Point], limit: float) -> bool:
    """Whether a rise that slows down, as of what warms up, ends below the limit if it goes on to slow down so.

    Each half of the time the slope shrinks by the same factor; the rest of the rise is the integral of that.
    """
    if late.high >= early.low:
        return False
    half_s = (points[-1][0] - points[0][0]) / 2
    shrinks = late.slope / early.slope
    rest = late.slope * sqrt(shrinks) * half_s / -log(shrinks)
    return points[-1][1] + rest < limit


def _level(points: Sequence[Point], trend: Trend, now: float) -> tuple[float, float]:
    """Where the trend stands now, by the latest of its window, and how far peaks stand out above it."""
    latest = points[-max(LEAST_POINTS, len(points) // LATEST) :]
    values = sorted(value + trend.slope * (now - at) for at, value in latest)
    level = median(values)
    return level, values[min(len(values) - 1, int(PEAK * len(values)))] - level


def _eta(trend: Trend, left: float, season: Season, now: float) -> float | None:
    """When what is `left` is used up: at a rate that goes on to change, or with what the time of day adds."""
    if season:
        return season.reached(trend.slope, left, now)
    straight_s = max(0.0, left) / trend.slope
    bend = max(-MOST_BEND, min(MOST_BEND, trend.bend * straight_s))
    return straight_s * (log1p(bend) / bend if abs(bend) > 1e-9 else 1.0)


def _width(trend: Trend, eta_s: float) -> float:
    """How far off the time left may be, as a share of it: for the slope, its bend, and where in the noise it is."""
    slope = (trend.high - trend.low) / (2 * trend.slope)
    noise = Z90 * trend.scatter / trend.slope / max(eta_s, 1.0)
    return sqrt(slope**2 + noise**2 + (trend.bend_error * eta_s / 2) ** 2 + BEND**2) if slope < WIDEST else WIDEST


def _probability(eta_s: float, width: float, horizon_s: float) -> float:
    """That the limit is reached within the horizon, the time left taken as log-normal."""
    if eta_s <= 0.0:
        return 1.0
    return 0.5 * (1 + erf(log(horizon_s / eta_s) * Z90 / log1p(width) / sqrt(2)))
