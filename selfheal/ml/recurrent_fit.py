"""How is a small LSTM fitted? By torch, in the child and by verbs that work on files: nothing else imports this.

Windows come oldest first. When to stop is read off the newest fifth of them, and the weights that were best there are
kept: unlike trees, a network that is fitted again on all windows is another one, whose end nobody has watched.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from math import inf, isnan, log, sqrt
from types import ModuleType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from selfheal.ml.calibration import calibrated
from selfheal.ml.lessons import CannotLearn, Lesson, NothingToLearn
from selfheal.ml.recurrent import MOST_FEATURES, MOST_STEPS, NoNetwork, Recurrent, Window, seen
from selfheal.ml.trees import cells_of

if TYPE_CHECKING:
    from torch import Tensor

# What a window of a few signals tells of the time to come is little: more state than that learns the rows by heart.
HIDDEN = 12
RATE, DECAY, BATCH = 0.01, 1e-4, 64
MOST_ROUNDS, PATIENCE = 60, 8
MOST_WINDOWS = 5_000
_AT_ONCE = 500
# A step that is longer goes astray.
_MOST_STEP = 1.0
# The newest share of the windows says when to stop; where it holds fewer of either kind nobody can say.
_TAIL, _LEAST_IN_TAIL = 0.2, 5
# So far single sums over sixty steps are apart from double ones, and ten times that.
_SAME = 1e-4


@dataclass(frozen=True, slots=True)
class _Measure:
    """How the cells of each feature usually are."""

    means: tuple[float, ...]
    widths: tuple[float, ...]


def fit(
    windows: Sequence[Window],
    labels: Sequence[bool],
    features: Sequence[str],
    *,
    weights: Sequence[float] | None = None,
    calibration: tuple[Sequence[Window], Sequence[bool]] | None = None,
    seed: int = 0,
) -> Recurrent:
    """Return an LSTM of windows, oldest first, and of whether it happened after each; the same for the same seed.

    `windows` are (n, steps, features), NaN for what was not seen; `weights` say how much each counts, above 0 (None:
    all alike). `calibration` are windows and labels of another time, by which its probabilities are corrected. Raises
    CannotLearn, NothingToLearn, and ValueError where the sizes do not fit.
    """
    steps, until = _check(windows, labels, features), len(windows) - int(len(windows) * _TAIL)
    measure, counted = _measured(windows[:until], len(features)), _counted(weights, len(windows))
    with library() as torch:
        torch.manual_seed(seed % 2**31)
        network = _Network(torch, len(features), _share(labels[:until], counted))
        told = _told(torch, windows, measure)
        happened, counts = torch.tensor([float(label) for label in labels]), torch.tensor(counted)
        older, newer = slice(0, until), slice(until, None)
        _train(torch, network, *((told[part], happened[part], counts[part]) for part in (older, newer)))
        made = network.written(tuple(features), steps, measure)
        some = windows[:: max(1, len(windows) // 10)]
        _compare(made, some, _margins(torch, network, some, measure))
        if calibration is None:
            return made
        held, came = calibration
        return replace(made, calibration=calibrated(_margins(torch, network, held, measure), came))


@contextmanager
def library() -> Iterator[ModuleType]:
    """The library torch, in one thread, that does the same each time. Raises CannotLearn."""
    try:
        import torch  # noqa: PLC0415 - two seconds and 140 MB, only where something is fitted
    except ImportError as why:
        raise CannotLearn("an LSTM", "torch", "lstm", why) from why
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    with torch.random.fork_rng():
        yield torch


def name_of_library() -> str:
    """The library with its version, for what was learned. Raises CannotLearn."""
    with library() as torch:
        return f"torch {torch.__version__}"


class _Network:
    """An LSTM of the library's and a line through its last state."""

    def __init__(self, torch: ModuleType, width: int, share: float) -> None:
        self._torch = torch
        self._cell = torch.nn.LSTM(2 * width, HIDDEN, batch_first=True)
        self._line = torch.nn.Linear(HIDDEN, 1)
        torch.nn.init.constant_(self._line.bias, log(share / (1.0 - share)))  # it begins with how often it happens
        self._all = torch.nn.ModuleList([self._cell, self._line])
        self.parameters = list(self._all.parameters())

    def margins(self, told: Tensor) -> Tensor:
        """The log-odds of windows."""
        states, _ = self._cell(told)
        return self._line(states[:, -1]).squeeze(1)

    def loss(self, told: Tensor, happened: Tensor, counts: Tensor) -> Tensor:
        """What windows cost on average, in nats."""
        return self._torch.nn.functional.binary_cross_entropy_with_logits(self.margins(told), happened, counts)

    def copied(self) -> list[Tensor]:
        """The weights as they are now."""
        return [one.detach().clone() for one in self.parameters]

    def restore(self, weights: Sequence[Tensor]) -> None:
        """Have the weights that once were."""
        with self._torch.no_grad():
            for one, kept in zip(self.parameters, weights, strict=True):
                one.copy_(kept)

    def written(self, features: tuple[str, ...], steps: int, measure: _Measure) -> Recurrent:
        """The network as one of ours."""
        cell = self._cell
        biases = (cell.bias_ih_l0.double() + cell.bias_hh_l0.double()).tolist()
        return Recurrent(
            features, steps, measure.means, measure.widths,
            _rows(cell.weight_ih_l0), _rows(cell.weight_hh_l0), tuple(biases),
            tuple(self._line.weight.tolist()[0]), float(self._line.bias.item()),
        )  # fmt: skip


_Part = tuple["Tensor", "Tensor", "Tensor"]
"""What the network is told, what happened, and how much each window counts."""


def _train(torch: ModuleType, network: _Network, older: _Part, newer: _Part) -> None:
    """Leave the network with the weights that were best for the newer windows."""
    optimiser = torch.optim.Adam(network.parameters, lr=RATE, weight_decay=DECAY)
    best, kept, waited = inf, network.copied(), 0
    for _ in range(MOST_ROUNDS):
        _round(torch, network, optimiser, *older)
        with torch.no_grad():
            loss = network.loss(*newer).item()
        if loss < best:
            best, kept, waited = loss, network.copied(), 0
        else:
            waited += 1
        if waited == PATIENCE:
            break
    network.restore(kept)


def _round(
    torch: ModuleType, network: _Network, optimiser: Tensor, told: Tensor, happened: Tensor, counts: Tensor
) -> None:
    """Look at each window once, in an order of chance."""
    for some in torch.randperm(len(told)).split(BATCH):
        optimiser.zero_grad()
        network.loss(told[some], happened[some], counts[some]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters, _MOST_STEP)
        optimiser.step()


def _check(windows: Sequence[Window], labels: Sequence[bool], features: Sequence[str]) -> int:
    """The number of steps. Raises NothingToLearn, and ValueError where the sizes do not fit."""
    if len(windows) != len(labels) or len(windows) > MOST_WINDOWS:
        raise ValueError(f"there are not as many labels as windows, or more than {MOST_WINDOWS}")
    steps = len(windows[0]) if windows else 0
    if any(len(window) != steps or any(len(row) != len(features) for row in window) for window in windows):
        raise ValueError("a window has other steps than the first, or a row other cells than there are features")
    if steps > MOST_STEPS or len(features) > MOST_FEATURES:
        raise ValueError(
            f"a window has {steps} steps of {len(features)} cells, and may have {MOST_STEPS} of {MOST_FEATURES}"
        )
    until = len(windows) - int(len(windows) * _TAIL)
    parts = (Lesson((), labels[:until]), Lesson((), labels[until:]))
    if min(part.rarer for part in parts) < _LEAST_IN_TAIL:
        raise NothingToLearn(
            f"{_LEAST_IN_TAIL} windows of either kind to learn from are needed, and as many in the newest fifth"
        )
    return steps


def _counted(weights: Sequence[float] | None, count: int) -> list[float]:
    """The weights so that one of them is 1 on average: a step of the network shall be as long as without. Raises
    ValueError where they are none.
    """
    if weights is None:
        return [1.0] * count
    if len(weights) != count or not all(0.0 < weight < inf for weight in weights):
        raise ValueError("there are not as many weights as windows, or one is no number above 0")
    usual = sum(weights) / count
    return [weight / usual for weight in weights]


def _share(labels: Sequence[bool], counted: Sequence[float]) -> float:
    """How often it happens."""
    before = counted[: len(labels)]
    return sum(weight for weight, label in zip(before, labels, strict=True) if label) / sum(before)


def _measured(windows: Sequence[Window], width: int) -> _Measure:
    """Mean and standard deviation of what was seen of each feature; of what never was, 0 and 1."""
    means, widths = list[float](), list[float]()
    for place in range(width):
        column = [one for window in windows for one in cells_of([row[place] for row in window]) if not isnan(one)]
        mean = sum(column) / len(column) if column else 0.0
        spread = sqrt(sum((one - mean) ** 2 for one in column) / len(column)) if column else 0.0
        means.append(mean)
        widths.append(spread or 1.0)
    return _Measure(tuple(means), tuple(widths))


def _told(torch: ModuleType, windows: Sequence[Window], measure: _Measure) -> Tensor:
    """What the network is told of windows, (n, steps, 2 x features)."""
    cells = array("f")
    for row in chain.from_iterable(windows):
        cells.extend(seen(cells_of(row), measure.means, measure.widths))
    return torch.frombuffer(cells, dtype=torch.float32).reshape(len(windows), len(windows[0]), -1)


def _margins(torch: ModuleType, network: _Network, windows: Sequence[Window], measure: _Measure) -> list[float]:
    """What windows weigh in the library, which is ten times as fast for many: some at a time, for they take room."""
    margins: list[float] = []
    with torch.no_grad():
        for begin in range(0, len(windows), _AT_ONCE):
            margins += network.margins(_told(torch, windows[begin : begin + _AT_ONCE], measure)).tolist()
    return margins


def _compare(made: Recurrent, windows: Sequence[Window], margins: Sequence[float]) -> None:
    """Raise NoNetwork where a window weighs another thing than in the library."""
    if any(abs(made.margin(window) - margin) > _SAME for window, margin in zip(windows, margins, strict=True)):
        raise NoNetwork("this network does not weigh what it weighs in the library: its release computes otherwise")


def _rows(weights: Tensor) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in weights.tolist())
