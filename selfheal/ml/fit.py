"""How is a forest grown? By the library, in the child: nothing else imports this module.

What is strange is told by two forests, each grown from one half of the time and asked about the other: the scores of
what a forest has seen itself are too good.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import log
from statistics import median
from typing import Protocol

import sklearn
from sklearn.ensemble import IsolationForest

from selfheal.ml.drift import edges_of, shares_of
from selfheal.ml.forest import LEAF, Columns
from selfheal.ml.model import FORMAT, Stored, column_bytes, encode, schema
from selfheal.ml.rows import Table, filled, names

# 256 rows a tree find no more of what was tried, and cost half as much again to keep.
TREES, SAMPLE = 100, 128
PROOFS = 8
# Quiet hours may look all the same; a score that is hardly above them is not strange yet.
LEAST_ABOVE_CALM = 0.08
_EULER = 0.5772156649015329


class _Tree(Protocol):
    """A tree of the library, as columns of its nodes; the left side of a branch is the next node."""

    @property
    def children_left(self) -> Sequence[int]: ...
    @property
    def children_right(self) -> Sequence[int]: ...
    @property
    def feature(self) -> Sequence[int]: ...
    @property
    def threshold(self) -> Sequence[float]: ...
    @property
    def n_node_samples(self) -> Sequence[int]: ...


def learn(agent: str, seen: Table, now: float, seed: int) -> bytes:
    """Return the file of a model of these rows, of which there must be enough."""
    width = len(names(seen.signals))
    centres = tuple(_centre([row[place] for row in seen.rows]) for place in range(width))
    cells = [filled(row, centres) for row in seen.rows]
    columns = list(zip(*cells, strict=True))
    edges = tuple(edges_of(column) for column in columns)
    forest = grow(cells, seed)
    flat = columns_of(forest)
    features, numbers, rights = column_bytes(flat)
    calm = median(scores(forest, cells))
    return encode(
        Stored(
            format=FORMAT,
            schema=schema(seen.signals),
            agent=agent,
            signals=seen.signals,
            trained_at=now,
            since=seen.times[0],
            until=seen.times[-1],
            rows=len(cells),
            library=f"scikit-learn {sklearn.__version__}",
            centres=centres,
            lows=tuple(map(min, columns)),
            highs=tuple(map(max, columns)),
            edges=edges,
            shares=tuple(shares_of(column, cuts) for column, cuts in zip(columns, edges, strict=True)),
            calm=calm,
            line=min(1.0, max(calm + LEAST_ABOVE_CALM, _strange(cells, seed))),
            trees=flat.trees,
            scale=flat.scale,
            features=features,
            numbers=numbers,
            rights=rights,
            proofs=_proofs(forest, cells),
        )
    )


def grow(cells: Sequence[Sequence[float]], seed: int, trees: int = TREES, sample: int = SAMPLE) -> IsolationForest:
    """A forest of the library's."""
    forest = IsolationForest(n_estimators=trees, max_samples=min(sample, len(cells)), random_state=seed)
    return forest.fit([list(row) for row in cells])


def scores(forest: IsolationForest, cells: Sequence[Sequence[float]]) -> list[float]:
    """What the library says of rows, the higher the stranger."""
    return [-float(score) for score in forest.score_samples([list(row) for row in cells])]


def columns_of(forest: IsolationForest) -> Columns:
    """The trees of a forest of the library's, as columns."""
    features, numbers, rights = array("i"), array("d"), array("i")
    for one in forest.estimators_:
        _append(one.tree_, features, numbers, rights)
    trees = len(forest.estimators_)
    return Columns(trees, features, numbers, rights, trees * usual_depth(forest.max_samples_))


def usual_depth(count: int) -> float:
    """The mean depth at which a search tree of so many rows is left without a hit."""
    if count <= 1:
        return 0.0
    return 1.0 if count == 2 else 2.0 * (log(count - 1.0) + _EULER) - 2.0 * (count - 1.0) / count


def _append(tree: _Tree, features: array[int], numbers: array[float], rights: array[int]) -> None:
    first, depths = len(features), {0: 0}
    for node, (left, right) in enumerate(zip(tree.children_left, tree.children_right, strict=True)):
        if left < 0:
            features.append(LEAF)
            numbers.append(depths[node] + usual_depth(int(tree.n_node_samples[node])))
            rights.append(0)
        else:
            depths[int(left)] = depths[int(right)] = depths[node] + 1
            features.append(int(tree.feature[node]))
            numbers.append(float(tree.threshold[node]))
            rights.append(first + int(right))


def _strange(cells: Sequence[Sequence[float]], seed: int) -> float:
    """The highest score of what a forest of the other half of the time has not seen."""
    halves = (cells[: len(cells) // 2], cells[len(cells) // 2 :])
    return max(max(scores(grow(one, seed), other)) for one, other in (halves, halves[::-1]))


def _centre(column: Sequence[float]) -> float:
    return float(median(cell for cell in column if cell == cell))  # noqa: PLR0124 - NaN is what it is not


def _proofs(forest: IsolationForest, cells: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], ...]:
    """Rows over the whole time with the library's scores, and one far from all of them."""
    far = tuple(2.0 * abs(cell) + 1.0 for cell in cells[0])
    some = [*cells[:: max(1, len(cells) // (PROOFS - 1))][: PROOFS - 1], far]
    return tuple((*row, score) for row, score in zip(some, scores(forest, some), strict=True))
