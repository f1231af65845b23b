"""How far is a sample from what its series does these days?

A moving mean and spread that forget with samples. What is far out is learned no further than to a line, so that it does
not teach its own normality. The spread is never less than a share of the range of the last days: a wiggle of a smooth
series is far out by its own spread, and nobody minds.

A series that has just raised alarms has to do more for the next one, for a day; and a value that has been far out as
often before, exactly, is what the series does: a job of each night, a square wave, a count that is nearly always 0.
"""

from __future__ import annotations

from math import sqrt

import msgspec

MEAN_HALF_LIFE, SPREAD_HALF_LIFE = 20.0, 400.0
_MEAN_WEIGHT = 1.0 - 0.5 ** (1.0 / MEAN_HALF_LIFE)
_SPREAD_WEIGHT = 1.0 - 0.5 ** (1.0 / SPREAD_HALF_LIFE)
# Before that many samples nothing is normal yet.
WARM_UP = 20
# A spread that was learned from n samples is widened by sqrt(1 + EARLY / n).
EARLY = 20.0
# What is beyond so many spreads is learned only up to there.
LEARNED_Z = 4.0
# The least spread, as a share of the range; and how soon the range forgets.
RANGE_SHARE, RANGE_HALF_LIFE_S = 0.12, 4 * 86_400.0
# The bar rises by this factor with each alarm, to so much at most, and comes down again by half in so long.
RAISED, MOST_RAISED, RAISED_HALF_LIFE_S = 1.5, 20.0, 86_400.0
# Alarms that follow within so many samples raise it once.
ONCE = 5
# Far values that are remembered; how near is the same, as a share of all that was ever seen; how often is too often.
REMEMBERED, SAME, OFTEN = 12, 0.005, 2
# From this share of the bar a value is far enough to be remembered.
MEMORABLE = 0.7
# Values that differ by no more than this share of themselves are equal: floating point makes as much of one value.
GRAIN = 1e-12
# What a change of a constant is worth: more than any bar.
BEYOND_MEASURE = 1000.0


class Normal(msgspec.Struct):
    """Mean, spread and range of one series. It is changed in place, for its speed."""

    count: int = 0
    mean: float = 0.0
    variance: float = 0.0
    high: float = 0.0
    low: float = 0.0
    late: list[float] = []

    def distance(self, value: float, pace_s: float, lasting: int) -> float:
        """How many spreads the value is from the mean, without its sign; then it is learned.

        The range learns it so late that it can be far out for `lasting` samples.
        """
        if self.count == 0:
            self.mean = self.high = self.low = value
        self.count += 1
        off, warm, least = value - self.mean, self.count > WARM_UP, GRAIN * abs(value)
        spread = max(sqrt(self.variance * (1.0 + EARLY / self.count)), RANGE_SHARE * (self.high - self.low))
        far = 0.0
        if warm and abs(off) > least:
            far = min(BEYOND_MEASURE, abs(off) / spread) if spread > least else BEYOND_MEASURE
        self._learn(off, LEARNED_Z * spread if warm and spread > least else abs(off))
        self.late.append(value)
        while len(self.late) >= lasting:
            self._widen(self.late.pop(0), pace_s)
        return far

    def _learn(self, off: float, most: float) -> None:
        young = 1.0 / self.count
        near = min(most, max(-most, off))
        widen = max(_SPREAD_WEIGHT, young)
        self.mean += max(_MEAN_WEIGHT, young) * near
        self.variance = (1.0 - widen) * (self.variance + widen * near * near)

    def _widen(self, value: float, pace_s: float) -> None:
        leak = 1.0 - 0.5 ** (pace_s / RANGE_HALF_LIFE_S)
        self.high = value if value > self.high else self.high - leak * (self.high - self.mean)
        self.low = value if value < self.low else self.low + leak * (self.mean - self.low)


class Departure(msgspec.Struct):
    """What is far out, and not for the third time."""

    normal: Normal = msgspec.field(default_factory=Normal)
    latest: list[float] = []
    raised: float = 1.0
    since: int = ONCE
    highest: float = 0.0
    lowest: float = 0.0
    far: list[float] = []

    def take(self, value: float, passed_s: float, pace_s: float, bar: float, lasting: int) -> float:
        """Take one sample; returns how far the last `lasting` samples have been out, as a share of the bar."""
        self._see(value)
        if self.raised > 1.0:
            self.raised = 1.0 + (self.raised - 1.0) * 0.5 ** (passed_s / RAISED_HALF_LIFE_S)
        self.since += 1
        latest = self.latest
        latest.append(self.normal.distance(value, pace_s, lasting))
        if len(latest) > lasting:
            del latest[: len(latest) - lasting]
        share = min(latest) / bar if len(latest) == lasting else 0.0
        if share >= MEMORABLE and self._often(value):
            return 0.0
        told = share / self.raised
        if told >= 1.0 and self.since > ONCE:
            self.since = 0
            self.raised = min(MOST_RAISED, self.raised * RAISED)
        return told

    def _see(self, value: float) -> None:
        if self.normal.count == 0:
            self.highest = self.lowest = value
        self.highest, self.lowest = max(self.highest, value), min(self.lowest, value)

    def _often(self, value: float) -> bool:
        """Whether it was there often enough to be nothing new; then remember it."""
        near = SAME * (self.highest - self.lowest)
        often = sum(abs(one - value) <= near for one in self.far) >= OFTEN
        self.far.append(value)
        if len(self.far) > REMEMBERED:
            del self.far[0]
        return often
