"""How long until a failure, by how long it took where it looked like this?

A trend knows one signal and its limit, and takes for granted that it goes on as it went. Boosted trees have seen how
leaks, queues and crash loops end: three of them say before which moment 5 %, half and 95 % of the failures came that a
row as this one led to. What both say is joined, each weighing the more the surer it is, and the interval is as wide as
failures ask for that were foreseen while nothing was learned from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, isfinite, log
from typing import NamedTuple

import msgspec

from selfheal.ml.boost import Booster
from selfheal.predict.timeleft import Forecast

# An alarm may be a little early: what comes within so many horizons is learned from, and a trend that says so believed.
FURTHEST = 2.0
# In horizons, a minute of two hours: nothing is told to be nearer than that, and it has a logarithm.
NEAREST = 1 / 120
# How often an interval shall hold what comes, and of how many it takes to know how wide it must be.
HELD, LEAST_SAID = 0.9, 200
# No interval is so narrow that nothing beside it counts.
_NARROWEST = 0.05


class When(NamedTuple):
    """When a failure comes, from now on; it lies between low and high nine times in ten."""

    low: float
    middle: float
    high: float

    def times(self, length: float) -> When:
        """The same in another unit, of which one of this has so many."""
        return When(self.low * length, self.middle * length, self.high * length)

    def widened(self, by: float) -> When:
        """The same with an interval that is wider at both ends, by so much of a logarithm."""
        return When(self.low * exp(-by), self.middle, self.high * exp(by))


class Times(msgspec.Struct, frozen=True):
    """What was learned of when failures come: the ends and the middle of the interval, as logarithms of horizons.

    `wider` is by how much of a logarithm the interval that is told has to be wider at both ends.
    """

    low: Booster
    middle: Booster
    high: Booster
    wider: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError where these are no times."""
        if not isfinite(self.wider) or len({one.features for one in self.boosters}) != 1:
            raise ValueError("what tells times tells them of different rows, or not how sure it is")

    @property
    def boosters(self) -> tuple[Booster, Booster, Booster]:
        """The three of them."""
        return self.low, self.middle, self.high

    def when(self, row: Sequence[float]) -> When:
        """When a failure comes that a row announces, in horizons."""
        low, middle, high = sorted(one.margin(row) for one in self.boosters)
        return When(*(exp(min(max(end, log(NEAREST)), log(FURTHEST))) for end in (low, middle, high)))

    def told(self, row: Sequence[float], trend: Forecast | None, horizon_s: float) -> When:
        """When it comes, in seconds: as was learned, joined with a trend that sees it near, as wide as it must be."""
        said = [self.when(row).times(horizon_s)]
        if trend is not None and trend.eta_s <= FURTHEST * horizon_s:
            ends = (trend.eta_low_s, trend.eta_s, trend.eta_high_s)
            said.append(When(*(max(NEAREST * horizon_s, end) for end in ends)))
        return joined(said).widened(self.wider)


def joined(said: Iterable[When]) -> When:
    """What several say together: means of logarithms, each weighing by the inverse square of how wide its interval is.

    All are in one unit, and there is at least one. The ends are means as well: what one has wrong the others may, too.
    """
    weights, sums = 0.0, [0.0, 0.0, 0.0]
    for one in said:
        ends = [log(end) for end in one]
        weight = max(_NARROWEST, ends[2] - ends[0]) ** -2
        weights += weight
        sums = [so_far + weight * end for so_far, end in zip(sums, ends, strict=True)]
    return When(*(exp(end / weights) for end in sums))


def wider(said: Sequence[tuple[When, float]]) -> float:
    """By how much of a logarithm both ends of such intervals have to move until nine in ten hold what came, at least 0.

    Pairs of what was said and what came; of too few nothing is told, and it is 0. Conformalised quantile regression
    (Romano, Patterson and Candès, NeurIPS 2019).
    """
    if len(said) < LEAST_SAID:
        return 0.0
    beyond = sorted(max(log(one.low / came), log(came / one.high)) for one, came in said)
    return max(0.0, beyond[int(HELD * len(beyond))])
