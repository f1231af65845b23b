"""Which feature brought how much of what trees say of a row? Its Shapley value, leaf by leaf, exactly.

What a feature brings is what knowing it adds, while each other feature is known with some chance: the mean over all
chances from none to certain. Where a feature is not known, a row is on both sides of its branches, as much as what was
learned went there (Lundberg et al., "From local explanations to global understanding with explainable AI for trees",
2020; what XGBoost calls contributions). What a leaf is worth then is its weight times a straight line in that chance
for each feature on its way: a polynomial, whose mean a few points of Gauss and Legendre give without error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import cos, pi
from typing import NamedTuple

# No tree may be deeper, so no way has more features.
MOST_DEPTH = 12


class Step(NamedTuple):
    """One feature on the way to a leaf: the row comes by where its cell is from `low` to below `high`, or missing.

    `share` is how much of what was learned went the same way where that feature was asked, all its branches together.
    """

    feature: int
    low: float
    high: float
    missing: bool
    share: float


class Leaf(NamedTuple):
    """What a leaf weighs, and the features that decide whether a row comes to it, each once."""

    weight: float
    steps: tuple[Step, ...]


def leaf_of(weight: float, way: Sequence[Step]) -> Leaf:
    """The leaf at the end of a way: of a feature that was asked twice, what lies in both ranges."""
    merged = dict[int, Step]()
    for step in way:
        known = merged.get(step.feature)
        if known is not None:
            low, high, missing = max(known.low, step.low), min(known.high, step.high), known.missing and step.missing
            step = Step(step.feature, low, high, missing, known.share * step.share)  # noqa: PLW2901 - both in one
        merged[step.feature] = step
    return Leaf(weight, tuple(merged.values()))


def average(leaf: Leaf) -> float:
    """What a leaf adds for a row of which nothing is known."""
    worth = leaf.weight
    for step in leaf.steps:
        worth *= step.share
    return worth


def contributions(leaves: Iterable[Leaf], cells: Sequence[float], width: int) -> list[float]:
    """What each of so many features brings to the weight of a row; with the averages of all leaves they sum to it."""
    brought = [0.0] * width
    for leaf in leaves:
        _share_out(leaf, cells, brought)
    return brought


def _share_out(leaf: Leaf, cells: Sequence[float], brought: list[float]) -> None:
    """Give what a leaf is worth to the features on its way: more to those that the row follows, less to the others."""
    worth = leaf.weight
    followed: list[tuple[int, float]] = []
    others: list[int] = []
    for feature, low, high, missing, share in leaf.steps:
        cell = cells[feature]
        if low <= cell < high or (missing and cell != cell):  # noqa: PLR0124 - NaN is what it is not
            followed.append((feature, share))
        else:
            others.append(feature)
            worth *= share
    lost = 0.0
    for known, part in _POINTS[len(leaf.steps)]:
        unknown = 1.0 - known
        here = part * worth * unknown ** len(others)
        for _, share in followed:
            here *= known + unknown * share
        lost += here / unknown
        for feature, share in followed:
            brought[feature] += here * (1.0 - share) / (known + unknown * share)
    # One that is not followed, once known, takes all away: whichever it is, the row is not at this leaf.
    for feature in others:
        brought[feature] -= lost


def _points(count: int) -> tuple[tuple[float, float], ...]:
    """So many points between 0 and 1 with their parts, by which polynomials below degree 2 x count have their mean."""
    return tuple(_point(count, cos(pi * (place + 0.75) / (count + 0.5))) for place in range(count))


def _point(count: int, guess: float) -> tuple[float, float]:
    """The root of the Legendre polynomial of this degree that is next to a guess, moved from -1 … 1, and its part."""
    at, slope = guess, 1.0
    for _ in range(8):  # Newton's method: the guess is good to three digits, and each round doubles them
        before, value = 1.0, at
        for degree in range(2, count + 1):
            before, value = value, ((2 * degree - 1) * at * value - (degree - 1) * before) / degree
        slope = count * (at * value - before) / (at * at - 1.0)
        at -= value / slope
    return (at + 1.0) / 2.0, 1.0 / ((1.0 - at * at) * slope * slope)


# By the number of features on a way: what is averaged has a degree of one less.
_POINTS = tuple(_points((features + 1) // 2) for features in range(MOST_DEPTH + 1))
