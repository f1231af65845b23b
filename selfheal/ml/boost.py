"""How likely is it that a row comes before a failure, as boosted trees have it, and because of which features?

The library that fits them is needed for neither: the daemon asks the trees by itself, and hears what the library says
to single precision. A booster is checked when it is made, also when it is read: there is none that cannot be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import isfinite

import msgspec

from selfheal.ml.calibration import Calibration, logistic
from selfheal.ml.trees import MOST_WEIGHT, Columns, NoTrees, Trees, grown

MOST_FEATURES = 500
_MOST_NAME = 200


class Booster(msgspec.Struct, frozen=True, dict=True, tag="xgboost"):
    """Boosted trees over the cells of a row, in the order of `features`; NaN is a cell that was not seen.

    `base` is what every row begins with, in log-odds as all margins; `calibration` makes of a margin the share that
    was counted. Making one raises NoTrees, or ValueError of the calibration.
    """

    features: tuple[str, ...]
    columns: Columns
    base: float
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        """Raise NoTrees where these are no trees over these features."""
        if not 0 < len(self.features) <= MOST_FEATURES:
            raise NoTrees(f"it has {len(self.features)} features, and may have 1 to {MOST_FEATURES}")
        if len(set(self.features)) != len(self.features):
            raise NoTrees("two of its features have one name")
        if not all(0 < len(name) <= _MOST_NAME for name in self.features):
            raise NoTrees(f"a feature has a name of 1 to {_MOST_NAME} letters")
        if not (isfinite(self.base) and abs(self.base) <= MOST_WEIGHT):
            raise NoTrees("what every row begins with is no number")
        assert self._trees.width  # trees that are none are refused here

    @cached_property
    def _trees(self) -> Trees:
        return grown(self.columns, len(self.features))

    def margin(self, row: Sequence[float]) -> float:
        """The log-odds of a row. Raises ValueError where it is no row of these features."""
        self._check(row)
        return self.base + self._trees.weight(row)

    def probability(self, row: Sequence[float]) -> float:
        """How often it happened with rows as this one, 0 to 1. Raises ValueError as `margin` does."""
        margin = self.margin(row)
        return logistic(margin) if self.calibration is None else self.calibration.probability(margin)

    def contributions(self, row: Sequence[float]) -> tuple[float, ...]:
        """What each feature brings to the margin of a row, in log-odds, and last what every row has.

        Exact Shapley values by the paths of the trees, what the library calls contributions: they sum to the margin,
        which is not calibrated. Raises ValueError as `margin` does.
        """
        self._check(row)
        return (*self._trees.contributions(row), self.base + self._trees.bias)

    def _check(self, row: Sequence[float]) -> None:
        if len(row) != len(self.features):
            raise ValueError(f"a row of {len(row)} cells, and there are {len(self.features)} features")
