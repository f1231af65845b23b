"""What was learned of one agent, how is it kept, and may it be believed?

A file is a first line, a checksum and what follows from msgpack. Nothing in it is run. It is taken only where the
checksum holds, the features are those that are made now, the trees are trees, and the score of some rows is what it was
when they were grown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import msgspec

from selfheal.ml import rows
from selfheal.ml.forest import (
    Columns,
    Forest,
    NoForest,
    grown,
    packed,
    unpacked_numbers,
    unpacked_whole,
)
from selfheal.ml.sealed import ModelRefused as ModelRefused
from selfheal.ml.sealed import opened, sealed

FORMAT = 1
MOST_BYTES = 4_000_000
MOST_PROOFS = 16
# Both sum the same doubles in the same order; what differs is no forest of ours.
SAME = 1e-9
_FIRST = b"selfheal forest\n"


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A model as it is kept: what was learned and from what, and the columns of the trees as bytes.

    `centres`, `lows` and `highs` are the middle and the ends of each feature, `edges` cut it into parts of which each
    held its share in `shares`. `calm` is the score that usually was, `line` the one that hardly ever was. `proofs` are
    rows, each followed by its score.
    """

    format: int
    schema: str
    agent: str
    signals: tuple[str, ...]
    trained_at: float
    since: float
    until: float
    rows: int
    library: str
    centres: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    edges: tuple[tuple[float, ...], ...]
    shares: tuple[tuple[float, ...], ...]
    calm: float
    line: float
    trees: int
    scale: float
    features: bytes
    numbers: bytes
    rights: bytes
    proofs: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Model:
    """A model that was looked at and can be asked."""

    told: Stored
    forest: Forest

    def score(self, row: Sequence[float]) -> float | None:
        """How strange a row is: from 0 to 1, one half where it hardly ever was; None where too little was seen."""
        if rows.missing(row) > rows.MOST_MISSING:
            return None
        told = self.told
        excess = max(0.0, self.forest.score(rows.filled(row, told.centres)) - told.calm)
        return excess / (excess + told.line - told.calm)

    def strangest(self, row: Sequence[float], most: int = 3) -> tuple[str, ...]:
        """The features that are furthest outside of what was learned, the furthest first."""
        told = self.told
        cells = zip(rows.names(told.signals), row, told.lows, told.highs, strict=True)
        far = [(_outside(cell, low, high), name) for name, cell, low, high in cells if isfinite(cell)]
        return tuple(name for distance, name in sorted(far, key=lambda one: -one[0])[:most] if distance > 0.0)


def schema(signals: Sequence[str]) -> str:
    """What tells rows of one make from those of another: the features by name and order, and what they mean."""
    made_of = (rows.VERSION, rows.WINDOW_S, rows.names(signals))
    return hashlib.blake2b(msgspec.json.encode(made_of), digest_size=16).hexdigest()


def columns_of(told: Stored) -> Columns:
    """The columns of a model. Raises NoForest."""
    return Columns(
        told.trees,
        unpacked_whole(told.features),
        unpacked_numbers(told.numbers),
        unpacked_whole(told.rights),
        told.scale,
    )


def column_bytes(columns: Columns) -> tuple[bytes, bytes, bytes]:
    """Features, numbers and rights as a model keeps them."""
    return packed(columns.features), packed(columns.numbers), packed(columns.rights)


def encode(told: Stored) -> bytes:
    """Return a model as the bytes of its file."""
    return sealed(_FIRST, told)


def decode(data: bytes, agent: str | None = None) -> Model:
    """Return the model of a file, that of `agent` where one is named. Raises ModelRefused."""
    told = opened(_FIRST, data, Stored, MOST_BYTES)
    if told.format != FORMAT:
        raise ModelRefused("format", f"it is of format {told.format}, and {FORMAT} is read")
    if agent is not None and told.agent != agent:
        raise ModelRefused("foreign", f"it is of {told.agent!r}")
    if told.schema != schema(told.signals):
        raise ModelRefused("schema", "its features are not those that are made now")
    _check_numbers(told)
    try:
        forest = grown(columns_of(told), len(told.centres))
    except NoForest as why:
        raise ModelRefused("poisoned", str(why)) from why
    _check_proofs(told, forest)
    return Model(told, forest)


def _check_numbers(told: Stored) -> None:
    width = len(rows.names(told.signals))
    if not 0 < len(told.signals) <= rows.MOST_SIGNALS:
        raise ModelRefused("poisoned", f"it has {len(told.signals)} signals, and may have 1 to {rows.MOST_SIGNALS}")
    columns = (told.centres, told.lows, told.highs, told.edges, told.shares)
    if any(len(column) != width for column in columns):
        raise ModelRefused("poisoned", f"it does not tell of each of its {width} features")
    if any(len(shares) != len(edges) + 1 for shares, edges in zip(told.shares, told.edges, strict=True)):
        raise ModelRefused("poisoned", "the parts of a feature are not those between its edges")
    parts = (cell for column in (*told.edges, *told.shares) for cell in column)
    numbers = (*told.centres, *told.lows, *told.highs, told.trained_at, told.since, told.until, *parts)
    if not all(map(isfinite, numbers)):
        raise ModelRefused("poisoned", "it holds what is no number")
    if not 0.0 <= told.calm < told.line <= 1.0:
        raise ModelRefused("poisoned", f"what is calm ({told.calm:g}) is not below what is strange ({told.line:g})")


def _check_proofs(told: Stored, forest: Forest) -> None:
    if not 0 < len(told.proofs) <= MOST_PROOFS:
        raise ModelRefused("poisoned", "it proves nothing")
    for *row, score in told.proofs:
        if len(row) != forest.width or not all(map(isfinite, (*row, score))):
            raise ModelRefused("poisoned", "a row that shall prove it is none")
        if abs(forest.score(row) - score) > SAME:
            raise ModelRefused("poisoned", "its trees do not give the scores that they gave when they were grown")


def _outside(cell: float, low: float, high: float) -> float:
    """How far a value is outside of a range, in widths of that."""
    width = max(high - low, 1e-9 * max(abs(low), abs(high), 1.0))
    return max(low - cell, cell - high, 0.0) / width
