"""Is the new model better than the old one, on what neither has seen?

Both say how likely it was, of the same rows of the newest time that was held back; what then happened is known. A row
costs a model minus the logarithm of the chance that it gave to what happened. Rows next to each other are much alike,
so that whole stretches of time are compared, not rows: were both models equally good, each stretch might as well have
gone to the other one. The share of all ways to give them out by which the new one would win by as much is the chance
that it wins by luck (Fisher's randomisation test, all ways counted). The old one stays where that is not small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from math import log
from typing import Literal

# All ways to give out so many stretches are 4,096: some milliseconds.
STRETCHES = 12
# Wins by luck more often than this are none.
LUCK = 0.05
# Of either kind; fewer tell no two models apart.
LEAST = 10
# What is said to be certain costs no more than this chance would: one wrong row shall not decide.
_LEAST_CHANCE = 1e-4

Winner = Literal["old", "new"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which of two models is kept and why. Losses are the mean costs of a row, in nats; `luck` is a chance, 0 to 1."""

    keep: Winner
    why: str
    old_loss: float
    new_loss: float
    luck: float
    rows: int
    positives: int


def contest(
    old: Sequence[float],
    new: Sequence[float],
    labels: Sequence[bool],
    *,
    old_name: str = "the old model",
    new_name: str = "the new model",
) -> Verdict:
    """Say which model is kept, by their probabilities of the same rows, oldest first, and what happened.

    A booster against the one before it, or one kind of model against another. Raises ValueError where the sizes do not
    fit, or what a model says is no probability.
    """
    _check(old, new, labels)
    happened = sum(map(bool, labels))
    before, after = _costs(old, labels), _costs(new, labels)
    rows = len(labels)
    losses = (sum(before) / rows, sum(after) / rows) if rows else (0.0, 0.0)
    if min(happened, rows - happened) < LEAST:
        why = f"it happened {happened} times in {rows} rows held back, and {LEAST} of either kind tell models apart"
        return Verdict("old", f"{old_name} is kept: {why}", *losses, 1.0, rows, happened)
    luck = _luck(_stretches([one - other for one, other in zip(before, after, strict=True)]))
    better = losses[1] < losses[0] and luck <= LUCK
    return Verdict("new" if better else "old", _told(losses, luck, old_name, new_name), *losses, luck, rows, happened)


def _told(losses: tuple[float, float], luck: float, old_name: str, new_name: str) -> str:
    """Why, in words."""
    cost = f"a row costs it {losses[1]:.4g} and {old_name} {losses[0]:.4g}"
    if losses[1] >= losses[0]:
        return f"{old_name} is kept: {new_name} is no better, {cost}"
    if luck > LUCK:
        return f"{old_name} is kept: {new_name} is better by no more than luck would have it ({luck:.2g}), {cost}"
    return f"{new_name} is taken: {cost} (by luck: {luck:.2g})"


def _check(old: Sequence[float], new: Sequence[float], labels: Sequence[bool]) -> None:
    if not len(old) == len(new) == len(labels):
        raise ValueError("both models must have said something of the same rows")
    if not all(0.0 <= chance <= 1.0 for chance in (*old, *new)):
        raise ValueError("what a model says is no probability")


def _costs(chances: Sequence[float], labels: Sequence[bool]) -> list[float]:
    """What each row costs who said these chances."""
    given = (chance if label else 1.0 - chance for chance, label in zip(chances, labels, strict=True))
    return [-log(max(chance, _LEAST_CHANCE)) for chance in given]


def _stretches(gains: Sequence[float]) -> list[float]:
    """The gains of each stretch of time together; the stretches are of equal length but for a row."""
    count = min(STRETCHES, len(gains))
    ends = [len(gains) * part // count for part in range(count + 1)]
    return [sum(gains[begin:end]) for begin, end in pairwise(ends)]


def _luck(gains: Sequence[float]) -> float:
    """The share of all ways to turn signs by which as much is gained as was, or more."""
    gained = sum(gains)
    ways = sum(sum(turned) >= gained - 1e-12 for turned in product(*((gain, -gain) for gain in gains)))
    return float(ways / 2 ** len(gains))
