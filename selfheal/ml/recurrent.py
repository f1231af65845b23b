"""How likely is it that a window of rows comes before a failure, as a small LSTM has it?

The network is asked in plain Python: a few milliseconds for a window, and no library. As the trees, it is checked when
it is made, also when it is read: there is none that cannot be asked.

The cell is that of Hochreiter and Schmidhuber (1997) with a gate to forget (Gers 1999), in the order and with the names
of torch.nn.LSTM: input, forget, cell, output.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from math import isfinite, tanh
from operator import mul

import msgspec

from selfheal.ml.calibration import Calibration, logistic
from selfheal.ml.trees import cells_of

MOST_HIDDEN, MOST_STEPS, MOST_FEATURES = 16, 60, 64
# No weight that was learned with decay comes near this.
_MOST_WEIGHT = 1_000.0
# A cell further out than so many widths says no more than one that is so far.
_MOST_WIDTHS = 8.0

Numbers = tuple[float, ...]
Window = Sequence[Sequence[float]]
"""Rows, oldest first and equally far apart; NaN is a cell that was not seen."""


class NoNetwork(ValueError):
    """These numbers are no network; the message says why."""


class Recurrent(msgspec.Struct, frozen=True, dict=True, tag="lstm"):
    """An LSTM over windows of `steps` rows with the cells of `features`, and a line through what it holds at the end.

    Of each cell it is told how many `widths` it is from its mean, 0 where it was not seen, and after all cells of each
    whether it was not. `inputs` are the weights of these, `states` those of its own state, four gates of as many rows
    as the state has numbers. Making one raises NoNetwork, or ValueError of the calibration.
    """

    features: tuple[str, ...]
    steps: int
    means: Numbers
    widths: Numbers
    inputs: tuple[Numbers, ...]
    states: tuple[Numbers, ...]
    biases: Numbers
    output: Numbers
    offset: float
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        """Raise NoNetwork where the sizes do not fit, or something is no number."""
        _check(self)

    @cached_property
    def _gates(self) -> tuple[tuple[Numbers, float], ...]:
        """The weights of all that a gate looks at, and where it begins."""
        weights = zip(self.inputs, self.states, self.biases, strict=True)
        return tuple(((*one, *other), bias) for one, other, bias in weights)

    def margin(self, window: Window) -> float:
        """The log-odds of a window. Raises ValueError where it is none of these features and steps."""
        if len(window) != self.steps or any(len(row) != len(self.features) for row in window):
            raise ValueError(f"no window of {self.steps} rows of {len(self.features)} cells")
        size = len(self.output)
        state, memory = [0.0] * size, [0.0] * size
        for row in window:
            told = [*seen(cells_of(row), self.means, self.widths), *state]
            sums = [sum(map(mul, weights, told), bias) for weights, bias in self._gates]
            memory = [
                logistic(forget) * held + logistic(entry) * tanh(cell)
                for entry, forget, cell, held in zip(sums, sums[size:], sums[2 * size :], memory, strict=False)
            ]
            state = [logistic(exit_) * tanh(held) for exit_, held in zip(sums[3 * size :], memory, strict=True)]
        return sum(map(mul, self.output, state), self.offset)

    def probability(self, window: Window) -> float:
        """How often it happened after windows as this one, 0 to 1. Raises ValueError as `margin` does."""
        margin = self.margin(window)
        return logistic(margin) if self.calibration is None else self.calibration.probability(margin)


def seen(row: Sequence[float], means: Sequence[float], widths: Sequence[float]) -> list[float]:
    """What the network is told of a row: how far each cell is from its mean, then whether it is missing."""
    far = [(cell - mean) / width for cell, mean, width in zip(row, means, widths, strict=True)]
    missing = [0.0 if one == one else 1.0 for one in far]  # noqa: PLR0124 - NaN is what it is not
    near = [min(max(one, -_MOST_WIDTHS), _MOST_WIDTHS) if one == one else 0.0 for one in far]  # noqa: PLR0124
    return [*near, *missing]


def _check(told: Recurrent) -> None:
    cells, size = len(told.features), len(told.output)
    if not (0 < cells <= MOST_FEATURES and 0 < size <= MOST_HIDDEN and 0 < told.steps <= MOST_STEPS):
        raise NoNetwork(
            f"it has {cells} features, {told.steps} steps and {size} numbers of state, and may have "
            f"{MOST_FEATURES}, {MOST_STEPS} and {MOST_HIDDEN}"
        )
    if len(set(told.features)) != cells or not all(told.features):
        raise NoNetwork("two of its features have one name, or one has none")
    if not len(told.means) == len(told.widths) == cells:
        raise NoNetwork("it does not tell how each of its features is measured")
    if not len(told.inputs) == len(told.states) == len(told.biases) == 4 * size:
        raise NoNetwork("it has not four gates for each number of its state")
    if any(len(row) != 2 * cells for row in told.inputs) or any(len(row) != size for row in told.states):
        raise NoNetwork("a gate has not as many weights as there is to look at")
    weights = (*told.biases, *told.output, told.offset, *(cell for row in (*told.inputs, *told.states) for cell in row))
    if not all(abs(weight) <= _MOST_WEIGHT for weight in weights):
        raise NoNetwork(f"a weight is no number up to {_MOST_WEIGHT:g}")
    if not all(map(isfinite, (*told.means, *told.widths))) or min(told.widths) <= 0.0:
        raise NoNetwork("a feature is measured by what is no number above 0")
