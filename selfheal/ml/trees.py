"""What does one row weigh in boosted trees, which feature brought how much of it, and are these trees at all?

Trees come as columns, the nodes of all of them in the order of a walk that goes left first: the left branch of a node
is always the next one, and no branch can lead back. They are asked as nested tuples, several times as fast as the
library for one row.

The contributions are Shapley values over the paths of a tree (Lundberg et al., "From local explanations to global
understanding with explainable AI for trees", 2020, algorithm 2, path-dependent), worked out leaf by leaf: what a leaf
is worth goes to the features on its way, those that the row follows and those that it does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial, inf, isfinite
from operator import mul
from typing import NamedTuple, TypeAlias

import msgspec

from selfheal.ml.forest import LEAF, singles

Node: TypeAlias = "float | tuple[int, float, Node, Node]"
"""A leaf is what it weighs; a branch is the place of a cell, where it is cut, and its two sides."""

# Far beyond what is fitted here: whoever has more than that has another purpose.
MOST_TREES, MOST_NODES, MOST_DEPTH = 1_000, 60_000, 12
# A cell beyond this is as large as this: the library cuts at twice the largest, and cannot write down what has no end.
MOST_CELL = 1e30
# Log-odds of a million to one are 14; no leaf of ours comes near this.
MOST_WEIGHT = 1_000.0


class NoTrees(ValueError):
    """These columns are no trees; the message says why."""


class Columns(msgspec.Struct, frozen=True):
    """The nodes of all trees. `features` has `LEAF` for a leaf, `numbers` where a branch is cut or what a leaf weighs.

    `rights` is where the right side of a branch begins, 0 for a leaf. `missing_left` says where a row goes that has no
    such cell, `covers` how much of what was learned came by (the library's sum of second derivatives).
    """

    trees: int
    features: tuple[int, ...]
    numbers: tuple[float, ...]
    rights: tuple[int, ...]
    missing_left: tuple[bool, ...]
    covers: tuple[float, ...]


class Step(NamedTuple):
    """One feature on the way to a leaf: the row comes by where its cell is in every range of these.

    `share` is how much of what was learned went the same way where that feature was asked, all its branches together.
    """

    feature: int
    low: float
    high: float
    missing: bool
    share: float


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a leaf weighs, and the features that decide whether a row comes to it, each once."""

    weight: float
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Trees:
    """Trees that can be asked. `width` is the number of features of a row; `bias` is what they weigh on average."""

    width: int
    roots: tuple[Node, ...]
    leaves: tuple[Leaf, ...]
    bias: float

    def weight(self, row: Sequence[float]) -> float:
        """The sum of the leaves that a row comes to; NaN is a cell that was not seen."""
        cells = _sides(row)
        weight = 0.0
        for node in self.roots:
            while node.__class__ is tuple:
                place, cut, left, right = node  # a look at the class is twice as fast as isinstance
                node = left if cells[place] < cut else right  # noqa: PLW2901 - it goes down
            weight += node  # type: ignore[operator]  # what is no tuple is a number
        return weight

    def contributions(self, row: Sequence[float]) -> tuple[float, ...]:
        """What each feature brings to the weight of a row, beside the average: their sum and `bias` are the weight."""
        cells, brought = cells_of(row), [0.0] * self.width
        for leaf in self.leaves:
            _share_out(leaf, cells, brought)
        return tuple(brought)


def cells_of(row: Sequence[float]) -> list[float]:
    """The cells of a row as they are learned from and asked about: in single precision."""
    return singles(row, MOST_CELL)


def grown(columns: Columns, width: int) -> Trees:
    """Return the trees of these columns, for rows of `width` features. Raises NoTrees."""
    count = len(columns.features)
    if not 0 <= columns.trees <= MOST_TREES:
        raise NoTrees(f"it has {columns.trees} trees, and may have {MOST_TREES}")
    if not count <= MOST_NODES:
        raise NoTrees(f"it has {count} nodes, and may have {MOST_NODES}")
    if any(len(one) != count for one in (columns.numbers, columns.rights, columns.missing_left, columns.covers)):
        raise NoTrees("its columns are not of equal length")
    if not all(map(isfinite, columns.numbers)):
        raise NoTrees("a node holds what is no number")
    if not all(isfinite(cover) and cover > 0.0 for cover in columns.covers):
        raise NoTrees("a node was come by less often than never")
    reader, place, roots = _Reader(columns, width), 0, list[Node]()
    for _ in range(columns.trees):
        root, place = reader.read(place, ())
        roots.append(root)
    if place != count:
        raise NoTrees(f"{count - place} nodes belong to no tree")
    return Trees(width, tuple(roots), tuple(reader.leaves), sum(map(_average, reader.leaves)))


class _Reader:
    """Reads trees from columns, and believes nothing."""

    def __init__(self, columns: Columns, width: int) -> None:
        self._columns = columns
        self._width = width
        self.leaves: list[Leaf] = []

    def read(self, place: int, way: tuple[Step, ...]) -> tuple[Node, int]:
        """The node at `place` with all below it, and where the next one that is not below it stands."""
        columns = self._columns
        if place >= len(columns.features):
            raise NoTrees("a tree ends before all its branches do")
        if len(way) > MOST_DEPTH:
            raise NoTrees(f"a tree is deeper than {MOST_DEPTH}")
        feature, number = columns.features[place], columns.numbers[place]
        if feature == LEAF:
            return self._leaf(place, number, way), place + 1
        if not 0 <= feature < self._width:
            raise NoTrees(f"a node asks for feature {feature} of {self._width}")
        cut, missing_left = _single(number), columns.missing_left[place]
        left_at, right_at = place + 1, columns.rights[place]
        if not left_at < right_at < len(columns.features):
            raise NoTrees("a branch leads back, or out of all trees")
        together = columns.covers[left_at] + columns.covers[right_at]
        to_left = Step(feature, -inf, cut, missing_left, columns.covers[left_at] / together)
        to_right = Step(feature, cut, inf, not missing_left, columns.covers[right_at] / together)
        left, after = self.read(left_at, (*way, to_left))
        if right_at != after:
            raise NoTrees("a branch leads somewhere else than to the node after its left side")
        right, end = self.read(after, (*way, to_right))
        return (feature if missing_left else feature + self._width, cut, left, right), end

    def _leaf(self, place: int, weight: float, way: tuple[Step, ...]) -> float:
        if self._columns.rights[place] != 0:
            raise NoTrees("a leaf has a branch")
        if abs(weight) > MOST_WEIGHT:
            raise NoTrees(f"a leaf weighs {weight:g}, and may weigh {MOST_WEIGHT:g}")
        single = _single(weight)
        self.leaves.append(Leaf(single, _merged(way)))
        return single


def _merged(way: Sequence[Step]) -> tuple[Step, ...]:
    """The way to a leaf with each feature once: in the range of all its branches, with the product of their shares."""
    merged = dict[int, Step]()
    for step in way:
        known = merged.get(step.feature)
        if known is not None:
            low, high, missing = max(known.low, step.low), min(known.high, step.high), known.missing and step.missing
            step = Step(step.feature, low, high, missing, known.share * step.share)  # noqa: PLW2901 - both in one
        merged[step.feature] = step
    return tuple(merged.values())


def _average(leaf: Leaf) -> float:
    """What a leaf adds to the average: its weight by how much of what was learned came to it."""
    share = leaf.weight
    for step in leaf.steps:
        share *= step.share
    return share


def _share_out(leaf: Leaf, cells: Sequence[float], brought: list[float]) -> None:
    """Give what a leaf is worth to the features on its way: more to those that the row follows, less to the others.

    With s features followed and the others not, the Shapley values need for each number k the sum of the products of
    the shares of all but k of the followed: these sums are what multiplying (share + x) over the followed gives.
    """
    worth, sums, followed, others = leaf.weight, [1.0], list[tuple[int, float]](), list[int]()
    for feature, low, high, missing, share in leaf.steps:
        cell = cells[feature]
        if low <= cell < high or (missing and cell != cell):  # noqa: PLR0124 - NaN is what it is not
            followed.append((feature, share))
            sums = [share * one + other for one, other in zip([*sums, 0.0], [0.0, *sums], strict=True)]
        else:
            others.append(feature)
            worth *= share
    weights = _WEIGHTS[len(leaf.steps)]
    if others:
        # What is not followed takes away the same, whichever it is: without it the row would be no nearer to the leaf.
        lost = worth * sum(map(mul, weights, sums))
        for feature in others:
            brought[feature] -= lost
    for feature, share in followed:
        brought[feature] += worth * (1.0 - share) * _without(weights, sums, share)


def _without(weights: Sequence[float], sums: Sequence[float], share: float) -> float:
    """The weighed sums of a polynomial that is divided by (share + x): from the top, so never by a small share."""
    weighed = rest = 0.0
    for power in range(len(sums) - 1, 0, -1):
        rest = sums[power] - share * rest
        weighed += weights[power - 1] * rest
    return weighed


def _weights(count: int) -> tuple[float, ...]:
    """How much a set of k others counts among `count` features, by k: the share of orders in which it comes first."""
    return tuple(factorial(k) * factorial(count - 1 - k) / factorial(count) for k in range(count))


# By the number of features on a way.
_WEIGHTS = ((), *(_weights(count) for count in range(1, MOST_DEPTH + 1)))


def _sides(row: Sequence[float]) -> list[float]:
    """The row in single precision, twice: what is missing goes left in the first half, right in the second."""
    cells = cells_of(row)
    return [
        *(cell if cell == cell else -inf for cell in cells),  # noqa: PLR0124 - NaN is what it is not
        *(cell if cell == cell else inf for cell in cells),  # noqa: PLR0124
    ]


def _single(number: float) -> float:
    """The number in single precision, in which the library cuts and weighs."""
    return singles((number,))[0]
