"""How fast does a signal rise, how sure is that, and does the rate change?

A trend is the median of all slopes between two points (Theil-Sen; Sen, JASA 63, 1968), its interval comes from their
ranks (Kendall's S), widened where neighbours resemble each other (Hamed and Rao, J. Hydrology 204, 1998). It is read
from several windows, each half as long as the one before: the longest whose slope all shorter ones allow counts
(Lepski's method), so that all of the past is used where the rate has not changed, and the latest of it where it has.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import exp, log, sqrt
from statistics import median

Point = tuple[float, float]

LEAST_POINTS = 12
# All pairs of 30 are 435 slopes, a tenth of a millisecond; more move the median of slopes very little.
BUCKETS = 30
WINDOWS = 4
Z90 = 1.645
# A slope may be off by what moves the signal by so much of its scatter within the window: one tooth of a collector is
# no change of the rate. Found with the runs of `python -m benchmarks.exhaustion`, as the next one.
SCATTER_TO_RISE = 6.0
# The logarithm of how much steeper or flatter the late half may be than the early one. Where it is more the leak began,
# or ended, within the window, and would be bent too far.
MOST_BEND = 0.5
# Neighbours are taken to resemble each other at most so: with few points it cannot be told from a bend.
MOST_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class Trend:
    """Slope per second with its 90 % interval, over the window that begins at `since`; `scatter` is the spread of the
    points about it.

    `bend` is by what logarithm the slope grows a second, `bend_error` how far that may be off.
    """

    slope: float
    low: float
    high: float
    scatter: float
    since: float
    bend: float = 0.0
    bend_error: float = 0.0


def trend_of(points: Sequence[Point]) -> Trend:
    """Return the trend of at most some dozens of points: all pairs are looked at. At least one point."""
    slopes = [
        (value - earlier) / (at - before)
        for place, (at, value) in enumerate(points)
        for before, earlier in points[:place]
        if at > before
    ]
    slopes.sort()
    count, pairs = len(points), len(slopes)
    if not pairs:
        return Trend(0.0, 0.0, 0.0, 0.0, points[0][0])
    slope = slopes[pairs // 2]
    rests = [value - slope * at for at, value in points]
    middle = median(rests)
    rests = [rest - middle for rest in rests]
    scatter = 1.4826 * median(map(abs, rests))  # equals the standard deviation of Gaussian noise
    reach = Z90 * sqrt(count * (count - 1) * (2 * count + 5) / 18)  # of Kendall's S where there is no trend
    reach *= _likeness(rests)
    low, high = slopes[max(0, int((pairs - reach) / 2))], slopes[min(pairs - 1, int((pairs + reach) / 2))]
    return Trend(slope, low, high, scatter, points[0][0])


def longest_allowed(points: Sequence[Point], scatter: float) -> Trend:
    """Return the trend of the longest window, up to all points, that no shorter one contradicts.

    `scatter` is the spread of the points about the signal's course. At least `LEAST_POINTS` points.
    """
    span_s = points[-1][0] - points[0][0]
    windows = (since(points, points[-1][0] - span_s / 2**halved) for halved in range(WINDOWS))
    trends = [_doubted(one, scatter) for one in windows if len(one) >= LEAST_POINTS]
    chosen = trends.pop()
    low, high = chosen.low, chosen.high
    for longer in reversed(trends):
        if not low <= longer.slope <= high:
            break
        chosen = longer
        low, high = max(low, longer.low), min(high, longer.high)
    return chosen


def since(points: Sequence[Point], at: float) -> Sequence[Point]:
    """The points from a time on, of those in order of time."""
    return points[bisect_left(points, at, key=lambda point: point[0]) :]


def bent(trend: Trend, points: Sequence[Point]) -> Trend:
    """Return the trend with its slope as it is at the end, and how that changes: by as much of the difference between
    the early and the late half as stands out of chance (shrunk as by James and Stein); `points` are its window.
    """
    halves = thinned(points, BUCKETS * 4 // 3)
    early, late = trend_of(halves[: len(halves) // 2]), trend_of(halves[len(halves) // 2 :])
    apart_s = (points[-1][0] - points[0][0]) / 2
    if early.slope <= 0 or late.slope <= 0 or apart_s <= 0:
        return trend
    seen = max(-MOST_BEND, min(MOST_BEND, log(late.slope) - log(early.slope)))
    error = sqrt(_relative(early) ** 2 + _relative(late) ** 2)
    kept = seen**2 / (seen**2 + error**2) if seen else 0.0
    steeper = exp(kept * seen)
    return replace(
        trend,
        slope=trend.slope * steeper,
        low=trend.low * steeper,
        high=trend.high * steeper,
        bend=kept * seen / apart_s,
        bend_error=(kept * error + (1 - kept) * abs(seen)) / apart_s,
    )


def thinned(points: Sequence[Point], most: int = BUCKETS) -> list[Point]:
    """At most `most` points: the middle of each run of neighbours, so that spikes are gone as well."""
    size = -(-len(points) // most)
    if size <= 1:
        return list(points)
    runs = (points[max(0, end - size) : end] for end in range(len(points), 0, -size))
    return [(run[len(run) // 2][0], sorted([value for _, value in run])[len(run) // 2]) for run in runs][::-1]


def _doubted(points: Sequence[Point], scatter: float) -> Trend:
    """The trend of a window, its interval no narrower than what the scatter of the signal allows."""
    trend = trend_of(thinned(points))
    reach = SCATTER_TO_RISE * scatter / max(points[-1][0] - points[0][0], 1e-9)
    return replace(trend, low=min(trend.low, trend.slope - reach), high=max(trend.high, trend.slope + reach))


def _relative(trend: Trend) -> float:
    """The standard error of a slope as a share of it, at most 1,000."""
    return min(1e3, (trend.high - trend.low) / (2 * Z90) / trend.slope)


def _likeness(rests: Sequence[float]) -> float:
    """By how much an interval is wider since neighbours resemble each other: 1 where they do not."""
    largest = max(map(abs, rests))
    if largest <= 0.0:
        return 1.0
    shares = [rest / largest for rest in rests]  # their squares are neither too large nor too small for a float
    power = sum(share * share for share in shares)
    alike = sum(one * other for one, other in pairwise(shares)) / power
    alike = min(MOST_ALIKE, max(0.0, alike))
    return sqrt((1 + alike) / (1 - alike))
