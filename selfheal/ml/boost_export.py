"""Which booster of ours is it that the library has written down? Read from its JSON, without the library."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import msgspec

from selfheal.ml.boost import Booster
from selfheal.ml.forest import LEAF, singles
from selfheal.ml.trees import Columns, NoTrees


class _Tree(msgspec.Struct):
    """Columns of the nodes of one tree, in the library's order; -1 is no child."""

    left_children: list[int]
    right_children: list[int]
    split_indices: list[int]
    split_conditions: list[float]
    default_left: list[int]
    sum_hessian: list[float]


class _Model(msgspec.Struct):
    trees: list[_Tree]


class _GradientBooster(msgspec.Struct):
    model: _Model


class _LearnerParam(msgspec.Struct):
    base_score: str  # "[2.5E-1]"; of earlier releases without the brackets


class _Learner(msgspec.Struct):
    gradient_booster: _GradientBooster
    learner_model_param: _LearnerParam


class _Told(msgspec.Struct):
    """The part that we read of what the library writes."""

    learner: _Learner


def exported(written: bytes, features: Sequence[str], *, of_chances: bool = True) -> Booster:
    """Return the booster that XGBoost wrote down as JSON, over these features. Raises NoTrees.

    One of chances begins with a probability, which is a margin in log-odds; any other begins with its margin.
    """
    try:
        told = msgspec.json.decode(written, type=_Told).learner
        begins = float(told.learner_model_param.base_score.strip("[]"))
    except ValueError as why:
        raise NoTrees(f"the library wrote what we cannot read: {why}") from why
    if of_chances and not 0.0 < begins < 1.0:
        raise NoTrees(f"every row begins with {begins:g}, which is no chance")
    columns = _Columns()
    for tree in told.gradient_booster.model.trees:
        columns.append(tree)
    return Booster(tuple(features), columns.made(), log(begins / (1.0 - begins)) if of_chances else begins)


class _Columns:
    """Our columns, as they come to be."""

    def __init__(self) -> None:
        self._trees = 0
        self._features: list[int] = []
        self._numbers: list[float] = []
        self._rights: list[int] = []
        self._missing_left: list[bool] = []
        self._covers: list[float] = []

    def append(self, tree: _Tree) -> None:
        """Add a tree, in the order of a walk that goes left first."""
        self._trees += 1
        self._node(tree, 0)

    def made(self) -> Columns:
        """All trees that were added."""
        features, rights, missing_left = tuple(self._features), tuple(self._rights), tuple(self._missing_left)
        return Columns(self._trees, features, tuple(singles(self._numbers)), rights, missing_left, tuple(self._covers))

    def _node(self, tree: _Tree, node: int) -> None:
        place, left, right = len(self._features), tree.left_children[node], tree.right_children[node]
        self._features.append(LEAF if left < 0 else tree.split_indices[node])
        self._numbers.append(tree.split_conditions[node])  # of a leaf, what it weighs
        self._rights.append(0)
        self._missing_left.append(left >= 0 and bool(tree.default_left[node]))
        self._covers.append(tree.sum_hessian[node])
        if left >= 0:
            self._node(tree, left)
            self._rights[place] = len(self._features)
            self._node(tree, right)
