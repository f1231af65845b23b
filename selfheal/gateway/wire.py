"""What does one push hold, and what is answered to it?

A push is a change from a numbered state of the gateway's to the next one: `basis` is the number that it builds on, 0
where it holds everything. It is packed, and cut into pieces that are no larger than what may come in one request, so
that nothing else has to be bounded: a world of ten thousand agents is a push of many pieces. Whoever answers says which
state it has; with any other than expected, the next push holds everything.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, TypeVar

import msgspec

from selfheal import events
from selfheal.events import Event, Unknown
from selfheal.loops import LoopStats
from selfheal.vitals import AgentVitals, Speaker
from selfheal.vocabulary import FailureMode
from selfheal.world import World, codec

PROTOCOL = 1
"""Another number is another form, which the older side cannot read."""
PATH = "/push"
MEDIA_TYPE = "application/vnd.selfheal.push"
PIECE_BYTES = 900_000  # of one request; the server takes 1 MB
LEAST_PIECE_BYTES = 4_096  # whoever finds this too large takes nothing at all
# Whoever says no to a larger body may hang up before it was sent, and then nobody hears the no.
SAFE_PIECE_BYTES = 32_768
LARGEST_PACKED = 32_000_000  # bytes of a push in all its pieces; ten thousand agents are a tenth of that
LARGEST = 128_000_000  # bytes of a push, unpacked
PACKING = 1  # level 6 takes four times as long for a tenth less

OrderKind = Literal["approve", "reject"]
Outcome = Literal["done", "unknown_name", "refused", "not_saved", "failed"]

T = TypeVar("T")


class Terms(msgspec.Struct, frozen=True):
    """What the answers of the daemon depend on besides its world: its configuration, as far as they do.

    `windows` are maintenance windows as JSON; `priors` hold agent, cause, fix and the a and b of a Beta distribution
    for each of the world's `odds`; `wait_s` is how long a good sign is waited for where nothing is known.
    """

    windows: tuple[bytes, ...] = ()
    priors: tuple[tuple[str, str, str, float, float], ...] = ()
    wait_s: float = 0.0


class Page(msgspec.Struct, frozen=True):
    """The page of metrics, and its content type."""

    text: bytes
    media_type: str


class Order(msgspec.Struct, frozen=True):
    """A decision of a person at the gateway for the daemon, who carries it out once, however often it comes."""

    id: str
    kind: OrderKind
    incident: str
    by: str


class Result(msgspec.Struct, frozen=True):
    """What became of an order; `text` says why it was not carried out."""

    id: str
    outcome: Outcome
    text: str = ""


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon knows now that the gateway does not.

    `run` names this life of the daemon, which began at `started_at`. `seq` is the number of the latest event. `world`
    holds the parts of the whole world where `basis` is 0, else `events` have what happened since. `vitals` are those of
    the agents where they changed, `gone` the agents that have none any more.
    """

    protocol: int = PROTOCOL
    run: str
    started_at: float
    number: int
    basis: int
    seq: int
    world: list[bytes] = []
    events: list[tuple[int, bytes]] = []
    vitals: dict[str, AgentVitals] = {}
    gone: tuple[str, ...] = ()
    loops: dict[str, LoopStats] = {}
    speakers: dict[FailureMode, Speaker] = {}
    ready: bool = False
    trouble: str | None = None
    terms: Terms | None = None
    metrics: Page | None = None
    results: tuple[Result, ...] = ()
    sent_at: float = 0.0


class Piece(msgspec.Struct, frozen=True):
    """One request: the piece `index` of the `count` of a push."""

    run: str
    number: int
    index: int
    count: int
    part: bytes


class Answer(msgspec.Struct, frozen=True):
    """Which state the gateway has: the number `known` of `run`, 0 where it has none. And what persons have ordered."""

    run: str
    known: int
    orders: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """A push as it is taken in: its parts are read already, which is what takes time."""

    push: Push
    world: World | None
    events: Sequence[tuple[int, Event | Unknown]]


class TooLarge(ValueError):
    """More than is taken, however it is cut."""


def pack(push: Push) -> bytes:
    """Return the bytes of a push."""
    return zlib.compress(_ENCODER.encode(_writable(push)), PACKING)


def unpack(packed: bytes) -> Received:
    """Read a push. Raises ValueError where it is none that this version can read, TooLarge where it is too large."""
    push = _read(_PUSH, _inflated(packed), "push")
    if push.protocol != PROTOCOL:
        raise ValueError(f"it is of form {push.protocol}, and this version reads form {PROTOCOL}")
    world = codec.decode(push.world) if not push.basis else None
    return Received(push, world, [(seq, events.decode(payload)) for seq, payload in push.events])


def cut(push: Push, packed: bytes, size: int, first: int) -> Iterator[bytes]:
    """Yield the requests that carry a push: the first with at most `first` bytes of it, the others with `size`."""
    bounds = [0, *range(min(first, size), len(packed), size), len(packed)]
    count = len(bounds) - 1
    for index, (begin, end) in enumerate(pairwise(bounds)):
        yield _ENCODER.encode(Piece(push.run, push.number, index, count, packed[begin:end]))


def read_piece(body: bytes) -> Piece:
    """Read one request. Raises ValueError."""
    return _read(_PIECE, body, "piece of a push")


def write_answer(answer: Answer) -> bytes:
    """Return the bytes of an answer."""
    return _ENCODER.encode(answer)


def read_answer(body: bytes) -> Answer:
    """Read an answer. Raises ValueError."""
    return _read(_ANSWER, body, "answer")


class Assembly:
    """Puts the pieces of one push together; those of another one, or another cut, begin anew."""

    def __init__(self) -> None:
        self._of = ("", 0, 0)
        self._parts: list[bytes] = []

    def add(self, piece: Piece) -> bytes | None:
        """Take in a piece; returns the whole with the last one. Raises ValueError where one is missing, TooLarge."""
        of = (piece.run, piece.number, piece.count)
        if piece.index == 0:
            self._of, self._parts = of, []
        if of != self._of or piece.index != len(self._parts):
            self._of, self._parts = ("", 0, 0), []
            raise ValueError("a piece of it is missing")
        self._parts.append(piece.part)
        if sum(map(len, self._parts)) > LARGEST_PACKED:
            self._of, self._parts = ("", 0, 0), []
            raise TooLarge(f"it is larger than {LARGEST_PACKED} bytes")
        if len(self._parts) < piece.count:
            return None
        whole = b"".join(self._parts)
        self._of, self._parts = ("", 0, 0), []
        return whole


_ENCODER = msgspec.msgpack.Encoder()
_PUSH = msgspec.msgpack.Decoder(Push)
_PIECE = msgspec.msgpack.Decoder(Piece)
_ANSWER = msgspec.msgpack.Decoder(Answer)
# RecursionError: brackets without end, which no version of us ever wrote.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _read(decoder: msgspec.msgpack.Decoder[T], body: bytes, what: str) -> T:
    try:
        return decoder.decode(body)
    except _UNREADABLE as why:
        raise ValueError(f"it is no {what} that this version can read ({why})") from why


def _inflated(packed: bytes) -> bytes:
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(packed, LARGEST)
    except zlib.error as why:
        raise ValueError(f"it is not packed as a push is ({why})") from why
    if stream.unconsumed_tail:
        raise TooLarge(f"it is larger than {LARGEST} bytes, unpacked")
    if not stream.eof:
        raise ValueError("its end is missing")
    return plain


def _writable(push: Push) -> Push:
    """A peer may name a signal with half a surrogate pair: that costs a letter, not the whole push."""
    if all(_is_text(name) for one in push.vitals.values() for name in _names(one)):
        return push
    return msgspec.structs.replace(push, vitals={agent: _cleaned(one) for agent, one in push.vitals.items()})


def _names(one: AgentVitals) -> Iterator[str]:
    yield from one.signals
    for record in one.checks.values():
        if record.last is not None:
            yield from record.last.signals
    if one.strangeness is not None:
        yield from one.strangeness.features


def _cleaned(one: AgentVitals) -> AgentVitals:
    checks = {
        name: record
        if record.last is None
        else msgspec.structs.replace(
            record, last=msgspec.structs.replace(record.last, signals=_plain(record.last.signals))
        )
        for name, record in one.checks.items()
    }
    strange = one.strangeness
    if strange is not None:
        strange = replace(strange, features=tuple(_text(name) for name in strange.features))
    return msgspec.structs.replace(one, checks=checks, signals=_plain(one.signals), strangeness=strange)


def _plain(signals: Mapping[str, float]) -> dict[str, float]:
    return {_text(name): value for name, value in signals.items()}


def _text(name: str) -> str:
    return name.encode(errors="replace").decode()


def _is_text(name: str) -> bool:
    try:
        return name.isascii() or bool(name.encode())
    except UnicodeEncodeError:
        return False
