"""What was learned of how agents fail, how is it kept, and what does it say of a step?

A model of every fleet knows roles and shares: it is asked of each signal by itself whether that brings a failure within
the horizon, and the one that is likeliest to speaks for the agent. One of this fleet is asked of the agent as a whole,
of which it knows the signals by name; where several modes were seen, a booster for each says which it will be.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
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
from selfheal.predict.replay import Known, Nearing, mode_of, trend, trend_of
from selfheal.predict.subjects import FEATURES as OF_SIGNAL
from selfheal.predict.subjects import Subjects
from selfheal.predict.windows import FEATURES as OF_AGENT
from selfheal.recorded.etas import SOMEWHERE, Eta, eta_for, nearest
from selfheal.recorded.times import FURTHEST, Times

FORMAT = 2
MOST_BYTES = 16_000_000
_FIRST = b"selfheal foresight\n"
# Reasons that are shown of a prediction.
REASONS = 5

Scope = Literal["every fleet", "this fleet"]


class PastCase(msgspec.Struct, frozen=True, array_like=True):
    """A failure that was learned from, and what each feature brought to the model's word an hour or so before it."""

    agent: str
    at: float
    mode: str
    contributions: tuple[float, ...]


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """A model as it is kept. `threshold` is what an alarm takes; `rows` and `failures` are what it was learned from.

    `times` say when, by a row of a signal; where there are none `etas` do, by how likely it is.
    """

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
    times: Times | None = None

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
    return OF_SIGNAL if scope == "every fleet" else (*OF_AGENT, *own_features(signals))


class Rows:
    """The rows of one agent as a model of `scope` wants them, by the signal of which they tell; None: of all of it."""

    def __init__(self, one: Known, scope: Scope, signals: Sequence[str]) -> None:
        self._windows = one.windows
        self._subjects = Subjects(one.windows) if scope == "every fleet" else None
        self._own = OwnRows(one.track, signals) if scope == "this fleet" else None

    def rows(self, place: int) -> Iterator[tuple[str | None, tuple[float, ...]]]:
        """The rows of a step; none before there is enough of anything."""
        if self._subjects is not None:
            yield from self._subjects.rows(place)
        elif self._own is not None and (common := self._windows.row(place)) is not None:
            yield None, (*common, *self._own.row(place))


class Word(NamedTuple):
    """What a model says of a step: how likely a failure is, by which row, and which signal brings it, if it knows."""

    probability: float
    row: Sequence[float]
    signal: str | None


class Asked:
    """A model, ready to be asked of one agent."""

    def __init__(self, learned: Learned, one: Known) -> None:
        self._learned = learned
        self._rows = Rows(one, learned.scope, learned.signals)

    def word(self, place: int) -> Word | None:
        """What it says at the end of a step; None before there is enough of anything."""
        chance = self._learned.whether.probability
        words = (Word(chance(row), row, signal) for signal, row in self._rows.rows(place))
        return max(words, key=lambda word: word.probability, default=None)


def foreseen(learned: Learned, one: Known, place: int, word: Word, task: Task) -> Foreseen:
    """What a model says of a step in full; a trend says when, where there is one, and what was learned of times."""
    at, eta = one.track.ends_at(place), eta_for(learned.etas, word.probability)
    if word.signal is None:
        return by_trend(
            one, at, word.probability, trend(one, place, task), task, _likeliest(learned.modes, word.row), eta
        )
    nearing, mode = trend_of(one, word.signal, place, task), mode_of(word.signal)
    if learned.times is None:
        return by_trend(one, at, word.probability, nearing, task, mode, eta)._replace(signal=word.signal)
    when = learned.times.told(word.row, nearing.forecast if nearing else None, task.horizon_s)
    return Foreseen(one.agent, at, word.probability, mode, when.middle, when.low, when.high, word.signal)


def by_trend(
    one: Known,
    at: float,
    probability: float,
    nearing: Nearing | None,
    task: Task,
    mode: str | None = None,
    eta: Eta = SOMEWHERE,
) -> Foreseen:
    """The same with the times of a trend, where there is one that is about to meet its limit; with `eta` elsewhere."""
    named = mode or (mode_of(nearing.signal) if nearing else "failure")
    if nearing is not None and nearing.forecast.eta_s <= FURTHEST * task.horizon_s:
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
    return nearest(alike, now)


def check_place(file: Path) -> None:
    """What takes minutes to learn has to have a place before. Raises SelfhealError."""
    if file.is_dir():
        raise SelfhealError(f"cannot write {str(file)!r}: it is a folder; name a file")
    if not file.parent.is_dir():
        raise SelfhealError(f"cannot write {str(file)!r}: there is no folder {str(file.parent)!r}")
    if not os.access(file.parent, os.W_OK):
        raise SelfhealError(f"cannot write {str(file)!r}: nothing may be written into {str(file.parent)!r}")


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
    except (ModelRefused, NoTrees, ValueError) as why:
        raise SelfhealError(f"cannot use {name!r}: {why}; make a model with 'selfheal train DIR --save FILE'") from why
    wanted = features_of(learned.scope, learned.signals)
    if learned.format != FORMAT or any(one.features != wanted for one in _boosters(learned)):
        raise SelfhealError(f"cannot use {name!r}: its features are not those that are made now; train it anew")
    return learned


def _boosters(learned: Learned) -> Iterator[Booster]:
    yield learned.whether
    yield from learned.modes.values()
    if learned.times is not None:
        yield from learned.times.boosters


def _unpacked(data: bytes) -> bytes:
    """What was packed; of more than may be there only so much that it is refused. Raises ModelRefused."""
    try:
        return zlib.decompressobj().decompress(data, MOST_BYTES + 1)
    except zlib.error as why:
        raise ModelRefused("foreign", "it is no model of selfheal, or damaged") from why


def _likeliest(modes: Mapping[str, Booster], row: Sequence[float]) -> str | None:
    return max(modes, key=lambda mode: modes[mode].probability(row), default=None)
