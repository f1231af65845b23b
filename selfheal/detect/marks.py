"""Was a series ever so high or so low before?

High and low marks are kept of each of a few readings of the series: how far it is from its time of day, its level (the
median of the latest samples), and the least that held over a while, which rises only where a rise lasts. What goes
beyond a mark counts by how far, as a share of the distance of the two marks; the shares of the readings are added, so
that what all of them find strange weighs more. Marks of a short past are easily passed and weigh less.

Samples that come faster than every five minutes are taken as means of five minutes: marks of single seconds tell of
noise. A slide passes its own marks in one mean after the other, so there a share weighs less.
"""

from __future__ import annotations

import msgspec

from selfheal.detect.departure import GRAIN
from selfheal.detect.season import Season

LEVEL, HELD = 12, 40
# Marks close in on a value between them by this share of the gap with each sample: what was long ago is forgotten.
LEAK = 2e-5
# Before so many samples there are no marks worth passing.
YOUNG = 20
# One reading alone cannot say more than this: a first change of a constant is beyond all measure.
MOST = 0.5
# How much the past weighs at first, and after how many samples it weighs all that it can.
TRUST, TRUSTED = 0.05, 1000.0
SLOT_S = 300.0
# A pace below this share of a slot is gathered into slots; a source of five minutes that hurries a little is not.
GATHERED = 0.75
# What a share weighs among means of five minutes.
GATHERED_WEIGHT = 1.0 / 6.0


class Marks(msgspec.Struct):
    """The high and the low mark of one reading. They are changed in place, for their speed."""

    high: float = 0.0
    low: float = 0.0
    count: int = 0

    def beyond(self, value: float, least: float) -> float:
        """How far beyond a mark the value is, as a share of the distance of both; then it is the mark.

        What is no further than `least` beyond it is not.
        """
        self.count += 1
        if self.count == 1:
            self.high = self.low = value
            return 0.0
        over = max(value - self.high, self.low - value)
        if over <= least:
            self.high -= LEAK * (self.high - value)
            self.low += LEAK * (value - self.low)
            return 0.0
        apart = self.high - self.low
        self.high, self.low = max(self.high, value), min(self.low, value)
        if self.count <= YOUNG:
            return 0.0
        return min(MOST, over / apart) if over < MOST * apart else MOST


class Slot(msgspec.Struct):
    """The mean of the five minutes that go on now."""

    number: int = 0
    count: int = 0
    mean: float = 0.0

    def take(self, at: float, value: float) -> tuple[float, float] | None:
        """Take one sample; returns the middle of the time before it and its mean where a new one begins with it."""
        number = int(at // SLOT_S)
        done = (self.number * SLOT_S, self.mean) if self.count and number != self.number else None
        if done is not None or not self.count:
            self.number, self.count, self.mean = number, 0, 0.0
        self.count += 1
        self.mean += (value - self.mean) / self.count
        return done


class Novelty(msgspec.Struct):
    """What of one series was never seen before."""

    slot: Slot = msgspec.field(default_factory=Slot)
    season: Season = msgspec.field(default_factory=Season)
    latest: list[float] = []
    count: int = 0
    by_season: Marks = msgspec.field(default_factory=Marks)
    by_level: Marks = msgspec.field(default_factory=Marks)
    by_held: Marks = msgspec.field(default_factory=Marks)

    def take(self, at: float, value: float, pace_s: float) -> float:
        """Take one sample; returns the sum of the shares by which it is new."""
        if not 0.0 < pace_s < GATHERED * SLOT_S:
            return self._new(at, value, pace_s)
        done = self.slot.take(at, value)
        return self._new(*done, SLOT_S) * GATHERED_WEIGHT if done is not None else 0.0

    def _new(self, at: float, value: float, pace_s: float) -> float:
        latest = self.latest
        latest.append(value)
        if len(latest) > HELD:
            del latest[0]
        residual, least = self.season.residual(at, value, pace_s), GRAIN * abs(value)
        share = self.by_level.beyond(_median(latest[-LEVEL:]), least) + self.by_held.beyond(min(latest), least)
        if residual is not None:
            share += self.by_season.beyond(residual, least)
        trust = min(1.0, TRUST + (1.0 - TRUST) * self.count / TRUSTED)
        self.count += 1
        return share * trust


def _median(values: list[float]) -> float:
    values.sort()
    middle = len(values) // 2
    return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2.0
