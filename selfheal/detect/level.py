"""Where is a signal these days, and how far does it stray?

A moving mean and spread that forget with time (EWMA). What is far out is learned no further than to a line, so that it
does not teach its own normality.
"""

from __future__ import annotations

from math import exp2, sqrt

import msgspec

MEAN_HALF_LIFE_S, SPREAD_HALF_LIFE_S = 1800.0, 7200.0
# One sample must not outweigh all that was learned before, however rarely they come.
MOST_LEARNED = 0.05
# Before that many samples nothing is normal yet; from so many on, one that is far out is known as such.
WARM_UP, YOUNG = 30, 8
# Autocorrelated noise shows its width late: a spread learned from n samples is widened by sqrt(1 + EARLY / n).
EARLY = 20.0
# What is beyond so many spreads is learned only up to there.
LEARNED = 4.0


class Level(msgspec.Struct, array_like=True):
    """Mean and variance of one signal. It is changed in place, for its speed."""

    count: int = 0
    mean: float = 0.0
    variance: float = 0.0

    @property
    def warm(self) -> bool:
        """Whether it has seen enough to be a measure of anything."""
        return self.count >= WARM_UP

    def spread(self) -> float:
        """How far the signal strays."""
        return sqrt(self.variance * (1.0 + EARLY / max(1, self.count)))

    def learn(self, value: float, passed_s: float, spread: float) -> None:
        """Move towards a value by the time that has passed; a young level is a plain average.

        `spread` is the one by which it was judged. Where there is none it is learned as far as it goes.
        """
        off = value - self.mean
        if self.count >= YOUNG and spread > 0.0:
            reach = LEARNED * spread
            off = reach if off > reach else max(off, -reach)
        self.count += 1
        young = 1.0 / self.count
        widen = max(young, min(MOST_LEARNED, 1.0 - exp2(-passed_s / SPREAD_HALF_LIFE_S)))
        move = max(young, min(MOST_LEARNED, 1.0 - exp2(-passed_s / MEAN_HALF_LIFE_S)))
        self.mean += move * off
        self.variance = (1.0 - widen) * (self.variance + widen * off * off)
