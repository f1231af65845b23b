"""How is kept what foretells a failure, of what is it, and may it be believed?

As a forest is: nothing in the file is run, and it is taken only where its checksum holds, its features are those that
are made now, its trees are trees (or its network is one), and some windows weigh what they did when it was fitted.
Which kind of model it is makes no difference to who asks it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import isfinite, nan
from typing import Literal

import msgspec

from selfheal.ml.boost import Booster
from selfheal.ml.recurrent import Recurrent, Window
from selfheal.ml.sealed import ModelRefused, opened, sealed

FORMAT = 1
MOST_BYTES = 4_000_000
PROOFS, MOST_PROOFS = 8, 16
# The same doubles, summed in the same order: what differs is no model of ours.
_SAME = 1e-9
_FIRST = b"selfheal foretelling\n"

Fitted = Booster | Recurrent
Speaker = Literal["xgboost", "lstm"]


class Proof(msgspec.Struct, frozen=True, array_like=True):
    """A window, and what it weighed and how likely it was when the model was fitted."""

    window: tuple[tuple[float, ...], ...]
    margin: float
    probability: float


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """A model as it is kept: what it foretells (`subject`), and what it was learned from.

    `meaning` is a number that changes with what the features mean. `rows` (or windows) were learned from between
    `since` and `until`, and it happened after `positives` of them.
    """

    format: int = FORMAT
    schema: str
    subject: str
    meaning: int
    since: float
    until: float
    rows: int
    positives: int
    library: str
    model: Fitted
    proofs: tuple[Proof, ...]

    @property
    def speaker(self) -> Speaker:
        """Which kind of model speaks."""
        return "xgboost" if isinstance(self.model, Booster) else "lstm"

    @property
    def steps(self) -> int:
        """How many rows it looks at; the trees at the newest one."""
        return 1 if isinstance(self.model, Booster) else self.model.steps

    def probability(self, window: Window) -> float:
        """How often it happened after windows as this one, whose newest rows are looked at.

        Raises ValueError where it has fewer rows than `steps`, or other cells.
        """
        return _said(self.model, window[-self.steps :])[1]


def schema(features: Sequence[str], meaning: int) -> str:
    """What tells rows of one make from those of another: the features by name and order, and what they mean."""
    return hashlib.blake2b(msgspec.json.encode((meaning, tuple(features))), digest_size=16).hexdigest()


def learned(
    model: Fitted,
    windows: Sequence[Window],
    labels: Sequence[bool],
    *,
    subject: str,
    meaning: int,
    since: float,
    until: float,
    library: str,
) -> Learned:
    """What is to be kept of a model, and of the windows from which it was learned: of one row each for trees."""
    return Learned(
        schema=schema(model.features, meaning), subject=subject, meaning=meaning, since=since, until=until,
        rows=len(labels), positives=sum(map(bool, labels)), library=library, model=model,
        proofs=_proofs(model, windows),
    )  # fmt: skip


def encode(told: Learned) -> bytes:
    """Return a model as the bytes of its file."""
    return sealed(_FIRST, told)


def decode(
    data: bytes, subject: str | None = None, features: Sequence[str] | None = None, meaning: int | None = None
) -> Learned:
    """Return the model of a file: that of `subject`, over `features` with that `meaning`, where they are given.

    Raises ModelRefused.
    """
    told = opened(_FIRST, data, Learned, MOST_BYTES)
    if told.format != FORMAT:
        raise ModelRefused("format", f"it is of format {told.format}, and {FORMAT} is read")
    if subject is not None and told.subject != subject:
        raise ModelRefused("foreign", f"it is of {told.subject!r}")
    made = schema(told.model.features if features is None else features, told.meaning if meaning is None else meaning)
    if not told.schema == made == schema(told.model.features, told.meaning):
        raise ModelRefused("schema", "its features are not those that are made now")
    if not (isfinite(told.since) and isfinite(told.until) and 0 < told.positives < told.rows):
        raise ModelRefused("poisoned", "it was learned from nothing")
    _check_proofs(told)
    return told


def _said(model: Fitted, window: Window) -> tuple[float, float]:
    """Margin and probability of a window of as many rows as the model looks at. Raises ValueError."""
    if isinstance(model, Recurrent):
        return model.margin(window), model.probability(window)
    if len(window) != 1:
        raise ValueError(f"trees look at one row, and there are {len(window)}")
    return model.margin(window[0]), model.probability(window[0])


def _proofs(model: Fitted, windows: Sequence[Window]) -> tuple[Proof, ...]:
    """Some of the windows with what they weigh, and one in which nothing was seen."""
    some = list(windows[:: max(1, len(windows) // (PROOFS - 1))][: PROOFS - 1])
    steps = model.steps if isinstance(model, Recurrent) else 1
    some.append([(nan,) * len(model.features)] * steps)
    return tuple(Proof(tuple(map(tuple, window)), *_said(model, window)) for window in some)


def _check_proofs(told: Learned) -> None:
    if not 0 < len(told.proofs) <= MOST_PROOFS:
        raise ModelRefused("poisoned", "it proves nothing")
    for proof in told.proofs:
        try:
            margin, probability = _said(told.model, proof.window)
        except ValueError as why:
            raise ModelRefused("poisoned", f"a window that shall prove it is none: {why}") from why
        if not (abs(margin - proof.margin) <= _SAME and abs(probability - proof.probability) <= _SAME):
            raise ModelRefused("poisoned", "it does not say what it said when it was fitted")
