"""How is it learned when failures come? From rows that led to some, with how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from selfheal.ml.boost_fit import Size, fit_quantile
from selfheal.recorded.times import NEAREST, Times

# Of fewer rows than this, and in a leaf of fewer than its least, the ends of an interval would be chance.
LEAST = 200
_ENDS = (0.05, 0.5, 0.95)
_SIZE = Size(depth=5, trees=200, rate=0.08, least=20)


def fit_times(taught: Sequence[tuple[Sequence[float], float]], features: Sequence[str], seed: int) -> Times | None:
    """Learn from rows, and how many horizons later the failure came that each announced; None of too few.

    Raises CannotLearn.
    """
    if len(taught) < LEAST:
        return None
    rows, targets = [row for row, _ in taught], [log(max(NEAREST, left)) for _, left in taught]
    low, middle, high = (fit_quantile(rows, targets, features, end, seed=seed, size=_SIZE) for end in _ENDS)
    return Times(low, middle, high)
