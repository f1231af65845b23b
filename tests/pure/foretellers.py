"""What was learned of how agents fail, for who has no library: one question about the latest half hour."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from random import Random

from msgspec.structs import replace

from selfheal.ml import kept
from selfheal.ml.boost import Booster
from selfheal.ml.forest import LEAF, singles
from selfheal.ml.recurrent import Recurrent
from selfheal.ml.trees import Columns
from selfheal.predict.steps import STEPS
from selfheal.predict.walk import CELLS
from selfheal.predict.windows import FEATURES
from selfheal.recorded.etas import Eta
from selfheal.recorded.foreteller import MEANING, Case, Kept, OfMode, encode
from selfheal.vocabulary import FailureMode
from tests.pure.networks import network, windows_of

RISES = FEATURES.index("limit.gain_6")
# A rise by a tenth of the limit within the horizon.
FROM = 0.1


def booster(low: float = -4.0, high: float = 3.0) -> Booster:
    """Log-odds of `low` for what does not rise, of `high` for what does."""
    weights = singles([FROM, low, high])
    columns = Columns(1, (RISES, LEAF, LEAF), tuple(weights), (2, 0, 0), (True, False, False), (100.0, 90.0, 10.0))
    return Booster(FEATURES, columns, 0.0)


def certain(margin: float = 3.0) -> Recurrent:
    """A network that says the same of whatever it is shown, in log-odds."""
    made = network(CELLS, steps=STEPS)
    return replace(made, output=(0.0,) * len(made.output), offset=margin)


def kept_network(model: Recurrent, mode: FailureMode = "out_of_memory") -> bytes:
    """The file of a network."""
    windows = windows_of(len(model.features), model.steps, count=4)
    told = kept.learned(
        model, windows, [True, False, False, False],
        subject=mode, meaning=MEANING, since=0.0, until=3600.0, library="none",
    )  # fmt: skip
    return kept.encode(told)


def of_mode(
    mode: FailureMode = "out_of_memory", *, speaks: bool = True, high: float = 3.0, cases: Sequence[Case] = ()
) -> OfMode:
    """What is kept of one mode."""
    model, dice = booster(high=high), Random(7)
    rows = [[dice.gauss(0.0, 1.0) if dice.random() > 0.1 else nan for _ in FEATURES] for _ in range(40)]
    learned = kept.learned(
        model, [(row,) for row in rows], [row[RISES] > FROM for row in rows],
        subject=mode, meaning=MEANING, since=0.0, until=3600.0, library="none",
    )  # fmt: skip
    return OfMode(
        mode=mode, learned=kept.encode(learned), etas=(Eta(0.0, 0.1, 0.5, 0.9),), cases=tuple(cases), speaks=speaks,
        why="it was made up", failures=9, own=0, held=100, loss=0.1, trend_loss=0.2,
    )  # fmt: skip


def kept_file(*modes: OfMode, trained_at: float = 0.0) -> bytes:
    """The file of these modes."""
    return encode(
        Kept(trained_at=trained_at, runs=1, own_failures=0, own_steps=0, modes=modes or (of_mode(),))
    )  # fmt: skip
