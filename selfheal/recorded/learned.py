"""What was learned of how agents fail, how is it kept, and what does it say of a step?

One booster says whether an agent fails within the horizon; where several modes were seen, one for each says which,
given that it does. A model of every fleet knows roles and shares; one of this fleet knows its signals by name too.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from selfheal.durable import replace_file
from selfheal.errors import SelfhealError
from selfheal.ml.boost import Booster
from selfheal.ml.sealed import ModelRefused, opened, sealed
from selfheal.ml.trees import NoTrees
from selfheal.predict.alarms import Task
from selfheal.predict.own_rows import OwnRows, own_features
from selfheal.predict.replay import Known, Nearing, mode_of, trend
from selfheal.predict.windows import FEATURES

FORMAT = 1
MOST_BYTES = 16_000_000
_FIRST = b"selfheal foresight\n"
# Reasons that are shown of a prediction.
REASONS = 5

Scope = Literal["every fleet", "this fleet"]


class Eta(msgspec.Struct, frozen=True, array_like=True):
    """When failures came that were given at least this probability: 5 %, half and 95 % of them, in horizons."""

    probability: float
    low: float
    middle: float
    high: float


class PastCase(msgspec.Struct, frozen=True, array_like=True):
    """A failure that was learned from, and what each feature brought to the model's word an hour or so before it."""

    agent: str
    at: float
    mode: str
    contributions: tuple[float, ...]


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """A model as it is kept. `threshold` is what an alarm takes; `rows` and `failures` are what it was learned from."""

    format: int = FORMAT
    scope: Scope
    horizon_s: float
    lead_s: float
    signals: tuple[str, ...]
    whether: Booster
    modes: dict[str, Booster]
    threshold: float
    etas: tuple[Eta, ...]
    rows: int
    failures: int
    cases: tuple[PastCase, ...] = ()

    @property
    def task(self) -> Task:
        """What it was trained to foresee."""
        return Task(self.horizon_s, self.lead_s)


class Foreseen(NamedTuple):
    """What is foreseen of an agent at a time; etas are seconds from then, of which 90 % lie between low and high."""

    agent: str
    at: float
    probability: float
    mode: str
    eta_s: float
    eta_low_s: float
    eta_high_s: float
    signal: str | None


class Reason(NamedTuple):
    """One feature of a row: what it was, and what it brings to the log-odds."""

    feature: str
    value: float
    contribution: float


def features_of(scope: Scope, signals: Sequence[str]) -> tuple[str, ...]:
    """The cells of a row, by name."""
    return FEATURES if scope == "every fleet" else (*FEATURES, *own_features(signals))


class Rows:
    """The rows of one agent as a model wants them; what both kinds have in common is made once."""

    def __init__(self, one: Known, signals: Sequence[str] | None) -> None:
        self._windows = one.windows
        self._own = OwnRows(one.track, signals) if signals is not None else None

    def row(self, place: int) -> tuple[float, ...] | None:
        """The row of a step; None before there is enough of anything."""
        common = self._windows.row(place)
        if common is None or self._own is None:
            return common
        return (*common, *self._own.row(place))


def foreseen(learned: Learned, one: Known, place: int, row: Sequence[float], task: Task) -> Foreseen:
    """What a model says of a step in full; a trend says when, where there is one."""
    probability, nearing = learned.whether.probability(row), trend(one, place, task)
    at, mode = one.track.ends_at(place), _likeliest(learned.modes, row)
    eta = _eta(learned.etas, probability)
    return by_trend(one, at, probability, nearing, task, mode, eta)


# Where nothing better is known: somewhere within the horizon.
_SOMEWHERE = Eta(0.0, 0.05, 0.5, 1.0)


def by_trend(
    one: Known,
    at: float,
    probability: float,
    nearing: Nearing | None,
    task: Task,
    mode: str | None = None,
    eta: Eta = _SOMEWHERE,
) -> Foreseen:
    """The same with the times of a trend, where there is one that is about to meet its limit; with `eta` elsewhere."""
    named = mode or (mode_of(nearing.signal) if nearing else "failure")
    if nearing is not None and nearing.forecast.eta_s <= 2 * task.horizon_s:
        seen = nearing.forecast
        return Foreseen(one.agent, at, probability, named, seen.eta_s, seen.eta_low_s, seen.eta_high_s, nearing.signal)
    low, middle, high = (share * task.horizon_s for share in (eta.low, eta.middle, eta.high))
    return Foreseen(one.agent, at, probability, named, middle, low, high, one.windows.nearest(one.place_of(at)))


def reasons(learned: Learned, row: Sequence[float]) -> list[Reason]:
    """The features that speak for a failure most, by exact Shapley values of the trees."""
    brought = zip(learned.whether.features, row, learned.whether.contributions(row)[:-1], strict=True)
    told = sorted((Reason(*one) for one in brought), key=lambda one: -one.contribution)
    return [one for one in told[:REASONS] if one.contribution > 0.0]


def nearest_case(learned: Learned, row: Sequence[float], mode: str) -> PastCase | None:
    """The failure learned from whose reasons were most like those of a row, one of its mode where there is one."""
    now = learned.whether.contributions(row)[:-1]
    alike = [case for case in learned.cases if case.mode == mode] or learned.cases
    return min(alike, key=lambda case: _apart(case.contributions, now), default=None)


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(abs(here - there) for here, there in zip(one, other, strict=True))


def write_learned(file: Path, learned: Learned) -> None:
    """Write a model that is there as a whole or not at all. Raises SelfhealError."""
    try:
        replace_file(file, zlib.compress(sealed(_FIRST, learned), 9))
    except OSError as why:
        raise SelfhealError(f"cannot write {str(file)!r}: {why.strerror or why}") from why


def read_learned(file: Path) -> Learned:
    """Read a model. Raises SelfhealError."""
    try:
        data = file.read_bytes()
    except OSError as why:
        raise SelfhealError(f"cannot read {str(file)!r}: {why.strerror or why}") from why
    return learned_of(data, str(file))


def learned_of(data: bytes, name: str) -> Learned:
    """The model in some bytes. Raises SelfhealError where they are none that can be asked."""
    try:
        learned = opened(_FIRST, _unpacked(data), Learned, MOST_BYTES)
    except (ModelRefused, NoTrees, ValueError, zlib.error) as why:
        raise SelfhealError(f"cannot use {name!r}: {why}; make a model with 'selfheal train DIR --save FILE'") from why
    wanted = features_of(learned.scope, learned.signals)
    if learned.format != FORMAT or any(one.features != wanted for one in (learned.whether, *learned.modes.values())):
        raise SelfhealError(f"cannot use {name!r}: its features are not those that are made now; train it anew")
    return learned


def _unpacked(data: bytes) -> bytes:
    """What was packed; of more than may be there only so much that it is refused."""
    return zlib.decompressobj().decompress(data, MOST_BYTES + 1)


def _likeliest(modes: Mapping[str, Booster], row: Sequence[float]) -> str | None:
    return max(modes, key=lambda mode: modes[mode].probability(row), default=None)


def _eta(etas: Sequence[Eta], probability: float) -> Eta:
    """What was seen with a probability as this one; half a horizon, somewhere in it, where nothing was."""
    after = bisect_right([one.probability for one in etas], probability)
    return etas[after - 1] if after else _SOMEWHERE
