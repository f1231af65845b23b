"""What do plainer detectors make of a series? Each gives a strength a row; where an alarm begins is chosen for it."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import exp2, isfinite, sqrt
from statistics import median

from benchmarks.anomaly.corpora import DAY_S, Labelled
from selfheal.detect.anomalies import AnomalyWatch
from selfheal.detect.grouping import Departed
from selfheal.detect.stream import watch

Strengths = Sequence[float]
Rival = Callable[[Labelled], Strengths]
WARM_UP = 20
ROBUST_ROWS = 288


def ours(series: Labelled) -> Strengths:
    """`selfheal detect`: 1 at the row of an alarm."""
    rows = watch(1)
    return [float(rows.take(at, (value,))[1]) for at, value in zip(series.at, series.values, strict=True)]


def daemons(series: Labelled) -> Strengths:
    """What the daemon itself does with a signal whose name tells nothing: 1 where it sees an anomaly."""
    known = AnomalyWatch()
    told = (known.look("agent", "value", at, value) for at, value in zip(series.at, series.values, strict=True))
    return [float(any(isinstance(one, Departed) for one in each)) for each in told]


def ewma(series: Labelled) -> Strengths:
    """Distance from a moving mean (half-life 50 samples), in moving spreads (200) of 5 % of the overall one or more."""
    move, widen = 1.0 - exp2(-1 / 50), 1.0 - exp2(-1 / 200)
    mean = variance = all_mean = all_square = 0.0
    count, found = 0, []
    for value in series.values:
        if not isfinite(value):
            found.append(0.0)
            continue
        count += 1
        if count == 1:
            mean = all_mean = value
        off, young = value - mean, 1.0 / (count + 1)
        all_off = value - all_mean
        all_mean += all_off / count
        all_square += all_off * (value - all_mean)
        spread = max(sqrt(variance), 0.05 * sqrt(all_square / count))
        found.append(abs(off) / spread if count > WARM_UP and spread > 0.0 else 0.0)
        mean += max(move, young) * off
        variance = (1.0 - max(widen, young)) * (variance + max(widen, young) * off * off)
    return found


def seven_days(series: Labelled) -> Strengths:
    """Distance from the mean of the last seven days in spreads of those: what is written in PromQL."""
    past: deque[tuple[float, float]] = deque()
    total = squares = 0.0
    found = []
    for at, value in zip(series.at, series.values, strict=True):
        if not isfinite(value):
            found.append(0.0)
            continue
        while past and past[0][0] < at - 7 * DAY_S:
            gone = past.popleft()[1]
            total, squares = total - gone, squares - gone * gone
        count = len(past)
        variance = max(0.0, squares / count - (total / count) ** 2) if count else 0.0
        found.append(abs(value - total / count) / sqrt(variance) if count > WARM_UP and variance > 0.0 else 0.0)
        past.append((at, value))
        total, squares = total + value, squares + value * value
    return found


def robust(series: Labelled) -> Strengths:
    """Distance from the median of the last 288 samples in median deviations of a tenth of them."""
    latest: deque[float] = deque()
    ordered: list[float] = []
    found = []
    for value in series.values:
        if not isfinite(value):
            found.append(0.0)
            continue
        if len(latest) > WARM_UP:
            middle = ordered[len(ordered) // 2]
            spread = 1.4826 * median(abs(one - middle) for one in ordered[:: max(1, len(ordered) // 29)])
            found.append(abs(value - middle) / spread if spread > 0.0 else 0.0)
        else:
            found.append(0.0)
        if len(latest) == ROBUST_ROWS:
            del ordered[bisect_left(ordered, latest.popleft())]
        latest.append(value)
        insort(ordered, value)
    return found


RIVALS: Mapping[str, Rival] = {"EWMA z": ewma, "seven-day z": seven_days, "robust z": robust}


def alarms(strengths: Strengths, bar: float, silent: int) -> list[int]:
    """The rows at which an alarm begins; for `silent` rows after one there is none."""
    found: list[int] = []
    for row, strength in enumerate(strengths):
        if strength >= bar and (not found or row - found[-1] > silent):
            found.append(row)
    return found


def pace_s(series: Labelled) -> float:
    """How often it comes."""
    return median(later - one for one, later in pairwise(series.at) if later > one)
