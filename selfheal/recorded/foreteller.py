"""What was learned of each way to fail, how is it kept, and may it be believed?

One file for the fleet: for each mode a booster with all that tells whether it is one (`ml.kept`), an LSTM where that
was better than the booster, when such failures came, and who is to speak: the better of both where it was better than
the trend, all on what was held back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal

import msgspec

from selfheal.events import Contribution
from selfheal.ml.boost import Booster
from selfheal.ml.drift import edges_of, shares_of
from selfheal.ml.kept import Learned, decode
from selfheal.ml.recurrent import Recurrent, Window
from selfheal.ml.sealed import ModelRefused, opened, sealed
from selfheal.predict.exhaustion import KEPT_FROM
from selfheal.predict.foretold import Said
from selfheal.predict.own_past import TAUGHT
from selfheal.predict.reasons import rate_of, reasons, since_of
from selfheal.predict.steps import STEPS, Track
from selfheal.predict.timeleft import HORIZON_S
from selfheal.predict.walk import CELLS, Walk
from selfheal.predict.windows import FEATURES, Windows
from selfheal.recorded.etas import Eta, eta_for, nearest
from selfheal.vocabulary import FailureMode

FORMAT = 2
# It is raised when a feature means something else under the same name.
MEANING = 1
MOST_BYTES = 6_000_000
MOST_TOLD = 500
_FAR = 1e300
_MOVES = FEATURES.index("limit.gain_6")
_FIRST = b"selfheal foreteller\n"


class Case(msgspec.Struct, frozen=True, array_like=True):
    """A failure of this fleet: the incident, and what each feature brought to the model's word an hour before it."""

    incident: str
    contributions: tuple[float, ...]


class Spread(msgspec.Struct, frozen=True, array_like=True):
    """How the rows of this fleet that were learned from were spread, as `ml.drift` wants it."""

    lows: tuple[float, ...]
    highs: tuple[float, ...]
    edges: tuple[tuple[float, ...], ...]
    shares: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        """Raise ValueError where it is not one of each for each feature."""
        if not len(self.lows) == len(self.highs) == len(self.edges) == len(self.shares) == len(FEATURES):
            raise ValueError("a spread is of other features than those that are made now")
        if any(len(parts) != len(cuts) + 1 for cuts, parts in zip(self.edges, self.shares, strict=True)):
            raise ValueError("a spread has not as many shares as parts")


class OfMode(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one mode. `learned` is a file of `ml.kept`, a booster, and so is `network`, an LSTM; it is empty
    where there is none that was better. `speaks` and `why` are what the contest with the trend said, `of_lstm` is what
    the one with an LSTM did, or why there was none.

    `failures` were learned from, `own` of them of this fleet. `held` rows were held back to find out who is better, and
    the losses are what a row of them costs.
    """

    mode: FailureMode
    learned: bytes
    etas: tuple[Eta, ...]
    cases: tuple[Case, ...] = ()
    spread: Spread | None = None
    speaks: bool
    why: str
    failures: int
    own: int
    held: int
    loss: float
    trend_loss: float
    network: bytes = b""
    of_lstm: str = ""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The file. `own_failures` and `own_steps` of this fleet were there to be learned from."""

    format: int = FORMAT
    trained_at: float
    runs: int
    own_failures: int
    own_steps: int
    modes: tuple[OfMode, ...]


@dataclass(frozen=True, slots=True)
class Mode:
    """One mode, ready to be asked."""

    told: OfMode
    learned: Learned
    booster: Booster
    network: Recurrent | None = None

    @property
    def model(self) -> Literal["boost", "lstm"]:
        """Which of both says how likely it is."""
        return "boost" if self.network is None else "lstm"

    def probability(self, row: Sequence[float], window: Callable[[], Window]) -> float:
        """How likely it is, by a row or by the window of a walk, which is made where it is looked at."""
        return self.booster.probability(row) if self.network is None else self.network.probability(window())

    def eta(self, probability: float) -> tuple[float, float, float]:
        """When failures came that were given at least so much: 5 %, half and 95 % of them, in horizons; somewhere in
        the horizon where that was not seen.
        """
        known = eta_for(self.told.etas, probability)
        return known.low, known.middle, known.high

    def nearest(self, contributions: tuple[float, ...]) -> str:
        """The incident whose reasons were most like these; empty where none is kept."""
        best = nearest(self.told.cases, contributions)
        return best.incident if best is not None else ""


@dataclass(frozen=True, slots=True)
class Foreteller:
    """What was learned, ready to be asked."""

    told: Kept
    modes: Mapping[FailureMode, Mode]

    @property
    def speaking(self) -> frozenset[FailureMode]:
        """The modes for which it is better than the trend."""
        return frozenset(mode for mode, one in self.modes.items() if one.told.speaks)


def spread_of(rows: Sequence[Sequence[float]]) -> Spread:
    """How some rows are spread. A feature that was never seen is nowhere outside."""
    columns = [[cell for cell in column if isfinite(cell)] for column in zip(*rows, strict=True)]
    edges = [edges_of(column) if column else () for column in columns]
    return Spread(
        tuple(min(column, default=-_FAR) for column in columns),
        tuple(max(column, default=_FAR) for column in columns),
        tuple(edges),
        tuple(shares_of(column, cuts) if column else (1.0,) for column, cuts in zip(columns, edges, strict=True)),
    )


def encode(kept: Kept) -> bytes:
    """The bytes of the file."""
    return sealed(_FIRST, kept)


def foreteller_of(data: bytes) -> Foreteller:
    """What is in a file. Raises ModelRefused where it is none that can be asked."""
    told = opened(_FIRST, data, Kept, MOST_BYTES)
    if told.format != FORMAT:
        raise ModelRefused("format", f"it is of format {told.format}, and {FORMAT} is read")
    if not (isfinite(told.trained_at) and 0 < len(told.modes) == len({one.mode for one in told.modes})):
        raise ModelRefused("poisoned", "it was learned from nothing")
    return Foreteller(told, {one.mode: mode_of(one) for one in told.modes})


def said_of(one: Mode, track: Track, limits: Mapping[str, float]) -> Said | None:
    """What is said of an agent at the end of its track, by the signals that have these limits.

    None where too little was seen of them. Reasons are looked for where there is something to tell: what the trees see,
    also where an LSTM says how likely it is, which has none of its own.
    """
    limited = replace(track, limits={name: limit for name, limit in limits.items() if name in track.columns})
    windows, place, mode = Windows(limited), track.length - 1, one.told.mode
    row, signal = row_of(windows, place), windows.nearest(place)
    if row is None or signal is None:
        return None
    at, limit = track.ends_at(place), limits[signal]
    probability = one.probability(row, lambda: Walk(limited).window(place))
    told: tuple[Contribution, ...] = ()
    case = ""
    if probability >= KEPT_FROM:
        brought = one.booster.contributions(row)[:-1]
        told = reasons(row, brought, mode, signal, limit, tuple(track.columns))
        case = one.nearest(brought)
    low, middle, high = (share * HORIZON_S for share in one.eta(probability))
    return Said(
        at, mode, probability, middle, low, high, signal, _level(row) * limit, limit, rate_of(row, limit),
        since_of(row, at, track.step_s), told, case, row, one.model,
    )  # fmt: skip


def row_of(windows: Windows, place: int) -> tuple[float, ...] | None:
    """The row of a step; None where it does not tell how the signal moves, as in the half hour after a start.

    Such a row is neither learned from nor asked about: it would say that all is well because nothing is seen.
    """
    row = windows.row(place)
    return row if row is not None and isfinite(row[_MOVES]) else None


def _level(row: Sequence[float]) -> float:
    return row[FEATURES.index("limit.level")]


def mode_of(told: OfMode) -> Mode:
    """What is kept of a mode, ready to be asked. Raises ModelRefused."""
    if told.mode not in TAUGHT:
        raise ModelRefused("foreign", f"it foretells {told.mode!r}, which is not learned")
    learned = decode(told.learned, told.mode, FEATURES, MEANING)
    if not isinstance(learned.model, Booster):
        raise ModelRefused("foreign", "it is no booster")
    numbers = [number for eta in told.etas for number in (eta.probability, eta.low, eta.middle, eta.high)]
    longest = max(len(told.why), len(told.of_lstm))
    numbers += [number for case in told.cases for number in case.contributions]
    if not all(map(isfinite, (*numbers, told.loss, told.trend_loss))) or longest > MOST_TOLD:
        raise ModelRefused("poisoned", "it holds what is no number, or too many words")
    if any(len(case.contributions) != len(FEATURES) for case in told.cases):
        raise ModelRefused("schema", "its cases have other features than those that are made now")
    return Mode(told, learned, learned.model, _network(told) if told.network else None)


def _network(told: OfMode) -> Recurrent:
    network = decode(told.network, told.mode, CELLS, MEANING).model
    if not isinstance(network, Recurrent) or network.steps != STEPS:
        raise ModelRefused("foreign", "it is no LSTM over the steps of a horizon")
    return network
