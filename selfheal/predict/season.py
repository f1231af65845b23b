"""What of a signal is the time of day, and what is left when that is taken off?

Known from two days on: the middle of what the same time of the former days showed, after their own slow drift was
taken off. Today is never part of it, so that what is new today is not taken for a habit. Weekends count as days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from selfheal.predict.slopes import Point

DAY_S = 86400.0
LEAST_S = 2 * DAY_S
BIN_S = 600.0
BINS = int(DAY_S / BIN_S)
# What is new today is looked for in so many bins.
TODAY = 36
MOST_DAYS = 7


@dataclass(frozen=True, slots=True)
class Season:
    """What the time of day adds to a signal, by bins of `BIN_S` from midnight UTC; nothing where it is empty."""

    shape: Sequence[float] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.shape)

    def at(self, at: float) -> float:
        """What it adds at a time, in a straight line between the middles of two bins."""
        place = at / BIN_S - 0.5
        left = int(place // 1)
        share = place - left
        return self.shape[left % BINS] * (1 - share) + self.shape[(left + 1) % BINS] * share

    def taken_off(self, points: Sequence[Point]) -> Sequence[Point]:
        return [(at, value - self.at(at)) for at, value in points] if self.shape else points

    def reached(self, slope: float, left: float, now: float) -> float | None:
        """Seconds until a line, `left` below its limit now, reaches that with what the time of day adds; None where it
        does not within a day.
        """
        before_s, before = 0.0, left - self.at(now)
        if before <= 0.0:
            return 0.0
        for place in range(1, BINS + 1):
            after_s = place * BIN_S
            after = left - slope * after_s - self.at(now + after_s)
            if after <= 0.0:
                return before_s + BIN_S * before / (before - after)
            before_s, before = after_s, after
        return None


def season_of(points: Sequence[Point]) -> Season:
    """Return what the time of day adds; nothing where the past is shorter than two days, or has gaps."""
    if not points or points[-1][0] - points[0][0] < LEAST_S:
        return Season()
    bins = _binned(points)
    last = int(points[-1][0] // BIN_S)
    drift = _drift(bins, last)
    if drift is None:
        return Season()
    expected: dict[int, float] = {}
    for place in range(last - TODAY, last - TODAY + BINS):
        former = [
            bins[place - BINS * days] + drift * BINS * days
            for days in range(1, MOST_DAYS + 1)
            if place - BINS * days in bins and place - BINS * days < last - TODAY
        ]
        if not former:
            return Season()
        expected[place] = median(former) - drift * (place - last)
    middle = median(expected.values())
    shape = [0.0] * BINS
    for place, value in expected.items():
        shape[place % BINS] = value - middle
    return Season(shape)


def _drift(bins: dict[int, float], last: int) -> float | None:
    """How much a signal grows from bin to bin over days; None where too little is known of two days."""
    places = range(last - TODAY - BINS, last - TODAY)
    daily = [bins[place] - bins[place - BINS] for place in places if place in bins and place - BINS in bins]
    return median(daily) / BINS if len(daily) >= BINS // 2 else None


def _binned(points: Sequence[Point]) -> dict[int, float]:
    """The middle of the points in each bin."""
    inside: dict[int, list[float]] = {}
    for at, value in points:
        inside.setdefault(int(at // BIN_S), []).append(value)
    return {place: median(values) for place, values in inside.items()}
