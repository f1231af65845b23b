"""Does a short run of numbers rise, how fast, and how sure is that?

The slope is the median of the slopes between any two numbers, and its 90 % interval comes from their ranks, as in
`slopes`; here for a dozen numbers at equal distance, of which a row takes some twenty, in microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite, sqrt
from typing import NamedTuple

MOST = 12
_Z90 = 1.645


class Trendline(NamedTuple):
    """Slopes are per number; `scatter` is the spread about the line, `rises` the share of numbers above the last."""

    slope: float
    low: float
    high: float
    scatter: float
    rises: float


def _pairs(count: int) -> tuple[tuple[int, int, float], ...]:
    return tuple((early, late, 1.0 / (late - early)) for late in range(count) for early in range(late))


def _reach(count: int) -> int:
    """How many ranks lie on either side of the middle in the interval, by the variance of Kendall's S."""
    return int(_Z90 * sqrt(count * (count - 1) * (2 * count + 5) / 18) / 2)


_PAIRS = tuple(_pairs(count) for count in range(MOST + 1))
_REACH = tuple(_reach(count) for count in range(MOST + 1))
LEAST = 4


def trendline(values: Sequence[float]) -> Trendline | None:
    """The line through at most twelve numbers; None where fewer than four of them are there."""
    there = [(place, value) for place, value in enumerate(values) if isfinite(value)]
    count = len(there)
    if count < LEAST:
        return None
    if count == len(values):
        slopes = sorted([(values[late] - values[early]) * share for early, late, share in _PAIRS[count]])
    else:
        slopes = sorted(
            [
                (there[late][1] - there[early][1]) / (there[late][0] - there[early][0])
                for early, late, _ in _PAIRS[count]
            ]
        )
    middle, reach = len(slopes) // 2, _REACH[count]
    slope = slopes[middle] if len(slopes) % 2 else (slopes[middle - 1] + slopes[middle]) / 2
    low, high = slopes[max(0, middle - reach)], slopes[min(len(slopes) - 1, middle + reach)]
    rests = sorted([value - slope * place for place, value in there])
    centre = rests[count // 2]
    scatter = 1.4826 * sorted([abs(rest - centre) for rest in rests])[count // 2]
    rises = sum([later[1] > earlier[1] for earlier, later in pairwise(there)]) / (count - 1)
    return Trendline(slope, low, high, scatter, rises)
