"""Is what is seen now still what was learned from?

Two looks at the latest rows. How many of their values lie outside of all that was learned, and how differently they
are spread over the parts of each feature (the population stability index). A forest knows no more of what it has not
seen than that it is strange: when most of the world is, the forest is old.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log
from statistics import median
from typing import Protocol

# So many parts of equal weight. Rows overlap, so that even many are few: more parts would be chance.
PARTS = 5
# Half an hour of rows.
LEAST_ROWS = 120
# A share of values outside, or a shift of most features, that chance does not give with overlapping rows:
# tests/pure/test_ml_drift.py has days of noise that stay below.
OUTSIDE, SHIFT = 0.3, 1.0
# In an empty part there is a little all the same, else its logarithm would be without end.
_LEAST_SHARE = 0.01


class Spread(Protocol):
    """How the values of what was learned from were spread, by feature: their ends, their parts, and what is in each."""

    @property
    def lows(self) -> Sequence[float]: ...
    @property
    def highs(self) -> Sequence[float]: ...
    @property
    def edges(self) -> Sequence[Sequence[float]]: ...
    @property
    def shares(self) -> Sequence[Sequence[float]]: ...


@dataclass(frozen=True, slots=True)
class Drift:
    """How far the latest rows are from what was learned: a share of values, and the index of the middle feature."""

    rows: int
    outside: float
    shift: float

    @property
    def drifted(self) -> bool:
        return self.rows >= LEAST_ROWS and (self.outside >= OUTSIDE or self.shift >= SHIFT)


def drift(told: Spread, seen: Sequence[Sequence[float]]) -> Drift:
    """Compare the latest rows with what a model learned from; what was not seen counts for neither side."""
    columns = [[cell for cell in column if isfinite(cell)] for column in zip(*seen, strict=True)]
    if not any(columns):
        return Drift(0, 0.0, 0.0)
    ranges = zip(columns, told.lows, told.highs, strict=True)
    outside = sum(not low <= cell <= high for column, low, high in ranges for cell in column)
    shifts = [
        stability(shares, shares_of(column, edges))
        for column, edges, shares in zip(columns, told.edges, told.shares, strict=True)
        if column
    ]
    return Drift(len(seen), outside / sum(map(len, columns)), median(shifts))


def stability(then: Sequence[float], now: Sequence[float]) -> float:
    """The population stability index of two spreads over the same parts: 0 where they are equal."""
    pairs = ((max(one, _LEAST_SHARE), max(other, _LEAST_SHARE)) for one, other in zip(then, now, strict=True))
    return sum((other - one) * log(other / one) for one, other in pairs)


def edges_of(column: Sequence[float]) -> tuple[float, ...]:
    """Where a feature is cut into parts that hold as much of it each; fewer where many values are the same."""
    ordered = sorted(column)
    return tuple(sorted({ordered[len(ordered) * part // PARTS] for part in range(1, PARTS)}))


def shares_of(column: Sequence[float], edges: Sequence[float]) -> tuple[float, ...]:
    """The share of a feature's values in each of its parts."""
    counts = [0] * (len(edges) + 1)
    for cell in column:
        counts[bisect_right(edges, cell)] += 1
    return tuple(count / len(column) for count in counts)
