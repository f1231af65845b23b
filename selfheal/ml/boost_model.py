"""How is a booster kept, of what is it, and may it be believed?

As a forest is: nothing in the file is run, and it is taken only where its checksum holds, its features are those that
are made now, its trees are trees, and some rows weigh what they did when it was fitted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import isfinite, nan

import msgspec

from selfheal.ml.boost import Booster
from selfheal.ml.sealed import ModelRefused, opened, sealed

FORMAT = 1
MOST_BYTES = 4_000_000
PROOFS, MOST_PROOFS = 8, 16
# The same doubles, summed in the same order: what differs is no booster of ours.
_SAME = 1e-9
_FIRST = b"selfheal booster\n"


class Proof(msgspec.Struct, frozen=True, array_like=True):
    """A row, and what it weighed and how likely it was when the booster was fitted."""

    row: tuple[float, ...]
    margin: float
    probability: float


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """A booster as it is kept: what it foretells (`subject`), and what it was learned from.

    `meaning` is a number that changes with what the features mean. `rows` were learned from between `since` and
    `until`, and it happened after `positives` of them.
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
    booster: Booster
    proofs: tuple[Proof, ...]


def schema(features: Sequence[str], meaning: int) -> str:
    """What tells rows of one make from those of another: the features by name and order, and what they mean."""
    return hashlib.blake2b(msgspec.json.encode((meaning, tuple(features))), digest_size=16).hexdigest()


def proofs(booster: Booster, rows: Sequence[Sequence[float]]) -> tuple[Proof, ...]:
    """Some of the rows with what they weigh, one of them with no cell."""
    some = [*rows[:: max(1, len(rows) // (PROOFS - 1))][: PROOFS - 1], (nan,) * len(booster.features)]
    return tuple(Proof(tuple(row), booster.margin(row), booster.probability(row)) for row in some)


def encode(learned: Learned) -> bytes:
    """Return a booster as the bytes of its file."""
    return sealed(_FIRST, learned)


def decode(
    data: bytes, subject: str | None = None, features: Sequence[str] | None = None, meaning: int | None = None
) -> Learned:
    """Return the booster of a file: that of `subject`, over `features` with that `meaning`, where they are given.

    Raises ModelRefused.
    """
    learned = opened(_FIRST, data, Learned, MOST_BYTES)
    if learned.format != FORMAT:
        raise ModelRefused("format", f"it is of format {learned.format}, and {FORMAT} is read")
    if subject is not None and learned.subject != subject:
        raise ModelRefused("foreign", f"it is of {learned.subject!r}")
    booster = learned.booster
    names = booster.features if features is None else features
    made = schema(names, learned.meaning if meaning is None else meaning)
    if not learned.schema == made == schema(booster.features, learned.meaning):
        raise ModelRefused("schema", "its features are not those that are made now")
    if not (isfinite(learned.since) and isfinite(learned.until) and 0 < learned.positives < learned.rows):
        raise ModelRefused("poisoned", "it was learned from nothing")
    _check_proofs(learned)
    return learned


def _check_proofs(learned: Learned) -> None:
    if not 0 < len(learned.proofs) <= MOST_PROOFS:
        raise ModelRefused("poisoned", "it proves nothing")
    for proof in learned.proofs:
        if len(proof.row) != len(learned.booster.features):
            raise ModelRefused("poisoned", "a row that shall prove it is none")
        apart = abs(learned.booster.margin(proof.row) - proof.margin)
        aside = abs(learned.booster.probability(proof.row) - proof.probability)
        if not (apart <= _SAME and aside <= _SAME):
            raise ModelRefused("poisoned", "its trees do not say what they said when it was fitted")
