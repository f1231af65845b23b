"""How did the signals of an agent go, in steps of equal length?

A step holds what was measured since the one before it, and ends at a whole multiple of its length: what is known at
its end is all that a row made there may use. Sums from the beginning make the mean of any window two look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf, isfinite, nan, sqrt
from statistics import median

# A horizon has so many steps where the sampling allows it: five minutes of two hours.
STEPS = 24
Points = Iterable[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Column:
    """One signal. `means` of each step, NaN where nothing was measured; the others up to each step, without it.

    `tops` are the highest means that did no harm: what led to a failure is taken out of them once it has happened.
    """

    means: Sequence[float]
    base: float
    sums: Sequence[float]
    squares: Sequence[float]
    counts: Sequence[int]
    tops: Sequence[float]

    def count(self, begin: int, end: int) -> int:
        """How many steps of [begin, end) hold something."""
        begin = max(0, begin)
        return self.counts[end] - self.counts[begin] if end > begin else 0

    def mean(self, begin: int, end: int) -> float:
        """The mean of [begin, end); NaN where nothing was measured."""
        begin = max(0, begin)
        count = self.count(begin, end)
        return self.base + (self.sums[end] - self.sums[begin]) / count if count else nan

    def spread(self, begin: int, end: int) -> float:
        """The standard deviation of [begin, end); NaN where nothing was measured."""
        begin = max(0, begin)
        count = self.count(begin, end)
        if not count:
            return nan
        middle = (self.sums[end] - self.sums[begin]) / count
        return sqrt(max(0.0, (self.squares[end] - self.squares[begin]) / count - middle * middle))

    def groups(self, begin: int, end: int, size: int) -> list[float]:
        """The means of groups of `size` steps, the last of which ends at `end`; those that hold nothing are NaN."""
        first = end - (end - max(0, begin)) // size * size
        if size == 1:
            return list(self.means[first:end])
        return [self.mean(at, at + size) for at in range(first, end, size)]


@dataclass(frozen=True, slots=True)
class Track:
    """The signals of an agent. The step at place i ends at `(first + i) * step_s`; `restarts` are places too."""

    agent: str
    first: int
    step_s: float
    length: int
    columns: Mapping[str, Column]
    limits: Mapping[str, float]
    restarts: Sequence[int]

    def ends_at(self, place: int) -> float:
        """When a step ends, in seconds since the epoch."""
        return (self.first + place) * self.step_s


def step_length(horizon_s: float, gap_s: float) -> float:
    """How long a step is for what is measured each `gap_s`: a whole number of gaps, near to a part of the horizon."""
    wanted = horizon_s / STEPS
    return gap_s * max(1, round(wanted / gap_s)) if gap_s > wanted / 4 else wanted


def place_of(at: float, step_s: float) -> int:
    """The number of the step that holds a time; the little that a product of floats is off counts for nothing."""
    return ceil(at / step_s - 1e-6)


def track(
    agent: str,
    points: Mapping[str, Points],
    span: tuple[float, float],
    step_s: float,
    limits: Mapping[str, float],
    failures: Sequence[float] = (),
) -> Track:
    """Put the points (time, value) of each signal into steps, over `span`; `failures` are the times of this agent's."""
    first, last = place_of(span[0], step_s), place_of(span[1], step_s)
    places = sorted(place_of(at, step_s) - first for at in failures)
    columns = {name: column_of(_means(one, first, last, step_s), places) for name, one in points.items()}
    return Track(agent, first, step_s, last - first + 1, columns, limits, places)


def _means(points: Points, first: int, last: int, step_s: float) -> list[float]:
    sums, counts = [0.0] * (last - first + 1), [0] * (last - first + 1)
    for at, value in points:
        if isfinite(value):
            place = ceil(at / step_s - 1e-6) - first
            sums[place] += value
            counts[place] += 1
    return [total / count if count else nan for total, count in zip(sums, counts, strict=True)]


def column_of(means: Sequence[float], failures: Sequence[int]) -> Column:
    """The column of these means; `failures` are the places of this agent's, in order."""
    base = next((mean for mean in means if isfinite(mean)), 0.0)
    sums, squares, counts, tops = [0.0], [0.0], [0], [-inf]
    failed = iter((*failures, len(means) + 1))
    due = next(failed)
    for place, mean in enumerate(means):
        there = mean - base if isfinite(mean) else 0.0
        sums.append(sums[-1] + there)
        squares.append(squares[-1] + there * there)
        counts.append(counts[-1] + isfinite(mean))
        tops.append(max(tops[-1], mean) if isfinite(mean) else tops[-1])
        while place >= due:
            tops[-1] = tops[max(0, due - STEPS)]
            due = next(failed)
    return Column(means, base, sums, squares, counts, tops)


def usual_gap(times: Iterable[Sequence[float]]) -> float:
    """The usual time between two samples: the middle of the agents' middles. One second where nothing can be told."""
    middles = []
    for at in times:
        gaps = [later - earlier for earlier, later in pairwise(at) if later > earlier]
        if gaps:
            middles.append(median(gaps[:: max(1, len(gaps) // 200)]))
    return median(middles) if middles else 1.0
