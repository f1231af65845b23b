"""How strange is a row, as an isolation forest has it, and is this a forest at all?

The library that grows a forest needs ten milliseconds for one row; the trees as nested tuples need a few hundredths of
one, and give the same score. A forest comes as columns: the nodes of all trees in the order of a walk that goes left
first. So the left branch of a node is always the next one, and no branch can lead back.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TypeAlias, TypeVar

Node: TypeAlias = "float | tuple[int, float, Node, Node]"
"""A leaf is what it adds to the depth; a branch is the number of a feature, where it is cut, and its two sides."""

# Far beyond what is grown here: whoever has more than that has another purpose.
MOST_TREES, MOST_NODES, MOST_DEPTH = 1_000, 200_000, 40
# A row at the end of a path of that depth, with all rows that there may be in its leaf.
MOST_WEIGHT = 100.0
LEAF = -1
# The library reads rows as single floats; what is larger has no place there.
_MOST_SINGLE = 3.4e38

_T = TypeVar("_T", int, float)


class NoForest(ValueError):
    """These columns are no forest; the message says why."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The nodes of all trees. `features` has `LEAF` for a leaf, `numbers` where a branch is cut or what a leaf weighs.

    `rights` is where the right side of a branch begins, 0 for a leaf. `scale` is the depth of all trees together at
    which the score is one half.
    """

    trees: int
    features: array[int]
    numbers: array[float]
    rights: array[int]
    scale: float


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees that can be asked. `width` is the number of features of a row."""

    width: int
    roots: tuple[Node, ...]
    scale: float

    def score(self, row: Sequence[float]) -> float:
        """From 0 to 1, the higher the stranger; 0.5 is no better than chance. The row must be of finite numbers."""
        cells, depth = singles(row), 0.0
        for node in self.roots:
            while node.__class__ is tuple:
                feature, cut, left, right = node  # a look at the class is twice as fast as isinstance
                node = left if cells[feature] <= cut else right  # noqa: PLW2901 - it goes down
            depth += node  # type: ignore[operator]  # what is no tuple is a number
        return float(2.0 ** (-depth / self.scale))


def singles(row: Sequence[float], most: float = _MOST_SINGLE) -> list[float]:
    """The row in single precision, as the library compares it, and nothing beyond `most`; NaN stays what it is."""
    return array("f", [min(max(value, -most), most) for value in row]).tolist()


def grown(columns: Columns, width: int) -> Forest:
    """Return the forest of these columns, for rows of `width` features. Raises NoForest."""
    count = len(columns.features)
    if not 0 < columns.trees <= MOST_TREES:
        raise NoForest(f"it has {columns.trees} trees, and may have 1 to {MOST_TREES}")
    if not count <= MOST_NODES:
        raise NoForest(f"it has {count} nodes, and may have {MOST_NODES}")
    if not (len(columns.numbers) == len(columns.rights) == count):
        raise NoForest("its columns are not of equal length")
    if not (isfinite(columns.scale) and columns.scale > 0.0):
        raise NoForest("its depth is no number above 0")
    reader, place, roots = _Reader(columns, width), 0, list[Node]()
    for _ in range(columns.trees):
        root, place = reader.read(place, 0)
        roots.append(root)
    if place != count:
        raise NoForest(f"{count - place} nodes belong to no tree")
    return Forest(width, tuple(roots), columns.scale)


class _Reader:
    """Reads trees from columns, and believes nothing."""

    def __init__(self, columns: Columns, width: int) -> None:
        self._columns = columns
        self._width = width

    def read(self, place: int, depth: int) -> tuple[Node, int]:
        """The node at `place` with all below it, and where the next one that is not below it stands."""
        columns = self._columns
        if place >= len(columns.features):
            raise NoForest("a tree ends before all its branches do")
        if depth > MOST_DEPTH:
            raise NoForest(f"a tree is deeper than {MOST_DEPTH}")
        feature, number = columns.features[place], columns.numbers[place]
        if not isfinite(number):
            raise NoForest("a node holds what is no number")
        if feature == LEAF:
            return self._leaf(place, number), place + 1
        if not 0 <= feature < self._width:
            raise NoForest(f"a node asks for feature {feature} of {self._width}")
        left, after = self.read(place + 1, depth + 1)
        if columns.rights[place] != after:
            raise NoForest("a branch leads somewhere else than to the node after its left side")
        right, end = self.read(after, depth + 1)
        return (feature, number, left, right), end

    def _leaf(self, place: int, weight: float) -> float:
        if self._columns.rights[place] != 0:
            raise NoForest("a leaf has a branch")
        if not 0.0 <= weight <= MOST_WEIGHT:
            raise NoForest(f"a leaf weighs {weight:g}, and may weigh 0 to {MOST_WEIGHT:g}")
        return weight


def packed(column: array[int] | array[float]) -> bytes:
    """A column as bytes, the lowest first on every machine."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.tobytes()


def unpacked_numbers(data: bytes) -> array[float]:
    """Doubles from bytes. Raises NoForest."""
    column = array("d")
    return _filled(column, data)


def unpacked_whole(data: bytes) -> array[int]:
    """Whole numbers of four bytes from bytes. Raises NoForest."""
    column = array("i")
    return _filled(column, data)


def _filled(column: array[_T], data: bytes) -> array[_T]:
    try:
        column.frombytes(data)
    except ValueError as why:
        raise NoForest(f"a column is cut off: {why}") from why
    if sys.byteorder == "big":
        column.byteswap()
    return column
