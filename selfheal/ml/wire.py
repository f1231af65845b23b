"""What do the daemon and the child that learns say to each other? Frames: the length in four bytes, then msgpack.

Both sides bound what they read before they have room for it, and the version stands in each message: a child of another
release is refused, never misunderstood.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from selfheal.ml.forest import NoForest, packed, unpacked_numbers
from selfheal.ml.rows import Points, Span

VERSION = 3
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


Order = Fit | Foretell
Answer = Fitted | Foretold | NotFitted
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


def _decoded(body: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except msgspec.MsgspecError as why:
        raise Garbage(f"no message: {why}") from why
