"""What do the daemon and the child that learns say to each other? Frames: the length in four bytes, then msgpack.

Both sides bound what they read before they have room for it, and the version stands in each message: a child of another
release is refused, never misunderstood.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TypeVar

import msgspec

from selfheal.ml.forest import NoForest, packed, unpacked_numbers, unpacked_singles, unpacked_whole
from selfheal.ml.rows import Points, Span
from selfheal.ml.trees import cells_of

VERSION = 2
MOST_FRAME = 8_000_000
HEAD = struct.Struct(">I")

_T = TypeVar("_T")


class Garbage(ValueError):
    """What came is no message."""


class Column(msgspec.Struct, frozen=True, array_like=True):
    """The points of a signal: times and values as doubles, the lowest byte first."""

    times: bytes
    values: bytes


class Fit(msgspec.Struct, frozen=True, kw_only=True, tag="fit"):
    """An order: learn what is usual of an agent, from these points without these times, within `limit_s`."""

    job: int
    agent: str
    points: dict[str, Column]
    left_out: tuple[Span, ...]
    since: float
    until: float
    seed: int
    limit_s: float
    version: int = VERSION


class Rows(msgspec.Struct, frozen=True):
    """Rows, oldest first, and whether it happened after each.

    `cells` are single floats, the lowest byte first, one row after the other, NaN for what was not seen: as the library
    reads them. `labels` is a byte for each row, 1 where it happened; `weights` may be empty.
    """

    cells: bytes = b""
    labels: bytes = b""
    weights: bytes = b""


class FitBooster(msgspec.Struct, frozen=True, kw_only=True, tag="fit_booster"):
    """An order: learn what comes before `subject` from these rows, and correct its chances by other ones.

    `meaning` is a number that changes with what the features mean; `monotone` as `boost_fit.fit` has it.
    """

    job: int
    subject: str
    features: tuple[str, ...]
    meaning: int
    rows: Rows
    calibration: Rows = Rows()
    monotone: dict[str, int] = {}
    since: float
    until: float
    seed: int
    limit_s: float
    version: int = VERSION


class Windows(msgspec.Struct, frozen=True):
    """Windows of `steps` rows each, oldest first, and whether it happened after each.

    `cells` are rows as `Rows` has them; a window ends before the row whose number `ends` has, in four bytes each, so
    that a row of several windows is sent once. Who sends rows of several agents one after the other lets no window
    reach over.
    """

    steps: int
    cells: bytes = b""
    ends: bytes = b""
    labels: bytes = b""


class FitRecurrent(msgspec.Struct, frozen=True, kw_only=True, tag="fit_recurrent"):
    """An order: learn what comes before `subject` from these windows, and correct its chances by other ones."""

    job: int
    subject: str
    features: tuple[str, ...]
    meaning: int
    windows: Windows
    calibration: Windows | None = None
    since: float
    until: float
    seed: int
    limit_s: float
    version: int = VERSION


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent was: the means of its steps, the first of which is number `first`, as doubles; NaN is none.

    `limits` are (mode, signal, limit); `failures` (mode, when, incident), `left_out` (mode or none for all, begin,
    end), `restarts` when it began anew: seconds since the epoch.
    """

    agent: str
    first: int
    columns: dict[str, bytes]
    limits: tuple[tuple[str, str, float], ...] = ()
    failures: tuple[tuple[str, float, str], ...] = ()
    left_out: tuple[tuple[str, float, float], ...] = ()
    restarts: tuple[float, ...] = ()


class Foretell(msgspec.Struct, frozen=True, kw_only=True, tag="foretell"):
    """An order: learn what comes before each way to fail, from so many simulated agents and these real ones.

    `before` is the file of the model that there is, which stays for each mode that the new one does not beat.
    """

    job: int
    pasts: tuple[Past, ...]
    runs: int
    before: bytes = b""
    until: float
    seed: int
    limit_s: float
    version: int = VERSION


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """The first word of a child."""

    pid: int
    version: int = VERSION


class Fitted(msgspec.Struct, frozen=True, kw_only=True, tag="fitted"):
    """It was learned: the bytes of the model's file."""

    job: int
    model: bytes
    version: int = VERSION


class FittedBooster(msgspec.Struct, frozen=True, kw_only=True, tag="fitted_booster"):
    """It was learned: the bytes of the booster's file."""

    job: int
    model: bytes
    version: int = VERSION


class FittedRecurrent(msgspec.Struct, frozen=True, kw_only=True, tag="fitted_recurrent"):
    """It was learned: the bytes of the network's file."""

    job: int
    model: bytes
    version: int = VERSION


class Foretold(msgspec.Struct, frozen=True, kw_only=True, tag="foretold"):
    """It was learned: the bytes of the file, and for how many modes it is another one than before."""

    job: int
    model: bytes
    taken: int
    version: int = VERSION


class NotFitted(msgspec.Struct, frozen=True, kw_only=True, tag="not_fitted"):
    """It could not be learned. `slug` is one of REASONS."""

    job: int
    slug: str
    why: str
    version: int = VERSION


Order = Fit | FitBooster | FitRecurrent | Foretell
Answer = Fitted | FittedBooster | FittedRecurrent | Foretold | NotFitted
Said = Hello | Answer
REASONS = ("too_little", "not_installed", "no_memory", "version", "error")


def frame(message: msgspec.Struct) -> bytes:
    """A message as it goes over the wire. Raises Garbage where it is too large for that."""
    body = msgspec.msgpack.encode(message)
    if len(body) > MOST_FRAME:
        raise Garbage(f"a message of {len(body)} bytes; {MOST_FRAME} may be sent")
    return HEAD.pack(len(body)) + body


def length_of(head: bytes) -> int:
    """How long the message is that follows these bytes. Raises Garbage."""
    (length,) = HEAD.unpack(head)
    if not 0 < length <= MOST_FRAME:
        raise Garbage(f"a message that says it has {length} bytes")
    return int(length)


def order_of(body: bytes) -> Order:
    """The order in a frame. Raises Garbage."""
    order: Order = _decoded(body, Order)  # type: ignore[arg-type]  # msgspec takes a union as a type
    return order


def said_in(body: bytes) -> Said:
    """What the child said in a frame. Raises Garbage."""
    said: Said = _decoded(body, Said)  # type: ignore[arg-type]  # msgspec takes a union as a type
    if said.version != VERSION:
        raise Garbage(f"a message of version {said.version}, and {VERSION} is spoken")
    return said


def columns_for(points: Mapping[str, Points]) -> dict[str, Column]:
    """Points as a message holds them."""
    return {signal: Column(packed(times), packed(values)) for signal, (times, values) in points.items()}


def points_in(columns: Mapping[str, Column]) -> dict[str, tuple[array[float], array[float]]]:
    """The points of a message. Raises Garbage."""
    try:
        found = {name: (unpacked_numbers(one.times), unpacked_numbers(one.values)) for name, one in columns.items()}
    except NoForest as why:
        raise Garbage(str(why)) from why
    if any(len(times) != len(values) for times, values in found.values()):
        raise Garbage("a signal has not as many values as times")
    return found


def rows_for(rows: Sequence[Sequence[float]], labels: Sequence[bool], weights: Sequence[float] | None = None) -> Rows:
    """Rows as a message holds them."""
    counted = b"" if weights is None else packed(array("d", weights))
    return Rows(_packed_rows(rows), bytes(map(bool, labels)), counted)


def rows_in(rows: Rows, width: int) -> tuple[list[array[float]], list[bool], array[float] | None]:
    """The rows of a message, of so many cells each, their labels and weights. Raises Garbage."""
    try:
        cells, weights = unpacked_singles(rows.cells), unpacked_numbers(rows.weights)
    except NoForest as why:
        raise Garbage(str(why)) from why
    count = len(rows.labels)
    if len(cells) != count * width or len(weights) not in (0, count):
        raise Garbage("there are not as many cells or weights as the rows have")
    if not set(rows.labels) <= {0, 1} or not all(isfinite(one) and one >= 0.0 for one in weights):
        raise Garbage("a row has a label or a weight that is none")
    parted = [cells[place * width : (place + 1) * width] for place in range(count)]
    return parted, list(map(bool, rows.labels)), weights or None


def windows_for(rows: Sequence[Sequence[float]], ends: Sequence[int], labels: Sequence[bool], steps: int) -> Windows:
    """Windows over these rows as a message holds them."""
    return Windows(steps, _packed_rows(rows), packed(array("i", ends)), bytes(map(bool, labels)))


def windows_in(windows: Windows, width: int) -> tuple[list[list[array[float]]], list[bool]]:
    """The windows of a message, of rows of so many cells, and their labels. Raises Garbage."""
    try:
        cells, ends = unpacked_singles(windows.cells), unpacked_whole(windows.ends)
    except NoForest as why:
        raise Garbage(str(why)) from why
    rows = [cells[place : place + width] for place in range(0, len(cells), width or 1)]
    if len(rows) * width != len(cells) or len(ends) != len(windows.labels):
        raise Garbage("there are not as many cells as the rows have, or labels as windows")
    if not all(0 < windows.steps <= end <= len(rows) for end in ends):
        raise Garbage("a window reaches over the rows that there are")
    if not set(windows.labels) <= {0, 1}:
        raise Garbage("a window has a label that is none")
    return [rows[end - windows.steps : end] for end in ends], list(map(bool, windows.labels))


def _packed_rows(rows: Sequence[Sequence[float]]) -> bytes:
    cells = array("f")
    for row in rows:
        cells.extend(cells_of(row))
    return packed(cells)


def _decoded(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except msgspec.MsgspecError as why:
        raise Garbage(f"no message: {why}") from why
