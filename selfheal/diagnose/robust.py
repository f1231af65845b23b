"""What is usual for a number, and how far from it is another, whatever lies among the samples?

Medians in place of means: a tenth of the samples may be anything. What is no number is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log1p

# The standard deviation of a normal distribution, from its quartiles and from its median absolute deviation.
_OF_IQR, _OF_MAD = 1.349, 1.4826
# What varies by less than this share of what is usual has not moved in any way that matters.
FLOOR = 0.05
UNKNOWN = 0.1
GREATEST = 1e100
_LEAST = 1e-120


def is_number(value: float) -> bool:
    """Whether a value can be reckoned with: what is as great as this was never measured."""
    return -GREATEST < value < GREATEST


def finite(values: Iterable[float]) -> list[float]:
    """The values that are numbers, in order."""
    return sorted([value for value in values if -GREATEST < value < GREATEST])


def quantile(ordered: Sequence[float], share: float) -> float:
    """A quantile of ordered values, between its two neighbours where it falls between them; 0 of nothing."""
    if not ordered:
        return 0.0
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def median(values: Iterable[float]) -> float:
    """The middle of the values that are numbers; 0 where there are none."""
    return quantile(finite(values), 0.5)


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual: the middle, and how much it varies by itself; `count` samples say so."""

    middle: float
    spread: float
    count: int

    def distance(self, value: float, floor: float = 0.0) -> float:
        """How many times its spread a value lies above the middle, below zero where it lies below.

        The spread is taken for no less than `floor`, and for no less than a twentieth of the middle: so the distance
        is the same in whatever unit all of it is given.
        """
        scale = max(self.spread, floor, FLOOR * abs(self.middle))
        # Where nothing is known but zeros, anything else is far, and how far nobody knows.
        return (value - self.middle) / max(scale or UNKNOWN * abs(value), _LEAST)


def usual(values: Iterable[float]) -> Usual:
    """Learn what is usual from samples."""
    return usual_of(finite(values))


def usual_of(ordered: Sequence[float]) -> Usual:
    """Learn what is usual from samples that are numbers, in order."""
    middle = quantile(ordered, 0.5)
    apart = sorted([abs(value - middle) for value in ordered])
    quartiles = (quantile(ordered, 0.75) - quantile(ordered, 0.25)) / _OF_IQR
    return Usual(middle, max(quartiles, _OF_MAD * quantile(apart, 0.5)), len(ordered))


def surprise(distance: float) -> float:
    """A distance as a score: none below zero, and the tenfold of what is far says little more."""
    return log1p(min(max(distance, 0.0), GREATEST))
