"""From what is learned what comes before a failure, and when can nothing be?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from selfheal.errors import SelfhealError

Row = Sequence[float]
"""The cells of a moment, NaN for what was not seen."""


class CannotLearn(SelfhealError):
    """A library is not installed; the message says which one, and how to have it."""

    def __init__(self, what: str, library: str, extra: str, why: ImportError) -> None:
        super().__init__(
            f"cannot fit {what}: {library} cannot be imported ({why}); "
            f"install it with \"pip install 'selfheal[{extra}]'\""
        )


class NothingToLearn(ValueError):
    """What is there tells nothing apart; the message says why."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """Rows to learn from, oldest first, whether it happened after each, and how much each counts (None: the same)."""

    rows: Sequence[Row]
    labels: Sequence[bool]
    weights: Sequence[float] | None = None

    @property
    def rarer(self) -> int:
        """How many there are of the rarer kind."""
        happened = sum(map(bool, self.labels))
        return min(happened, len(self.labels) - happened)

    def part(self, begin: int, end: int) -> Lesson:
        """The rows from one place to another."""
        weights = None if self.weights is None else self.weights[begin:end]
        return Lesson(self.rows[begin:end], self.labels[begin:end], weights)

    def check(self, width: int) -> None:
        """Raise NothingToLearn where all rows are of one kind, ValueError where sizes do not fit."""
        weights = self.labels if self.weights is None else self.weights
        if not len(self.rows) == len(self.labels) == len(weights):
            raise ValueError("there are not as many labels and weights as rows")
        if any(len(row) != width for row in self.rows):
            raise ValueError("a row has not as many cells as there are features")
        if not self.rarer:
            raise NothingToLearn("it happened after none of the rows, or after each: there is nothing to tell apart")
