"""What does a PostgreSQL server answer to a query?

Its protocol (https://www.postgresql.org/docs/current/protocol.html) as far as a check needs it: get in, ask for one row
in text, get out. A driver would read an answer however long it is, keep what it knows of types and statements, and
trip over a pooler between; this holds at most 1 MiB, and of each query no more than its first row.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from selfheal.data.postgres_place import Place
from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.observe import scram
from selfheal.observe.starttls import not_postgres, offers_tls
from selfheal.observe.trust import tls_context
from selfheal.observe.wire import Wire, connected
from selfheal.observe.wording import excerpt, with_words

MAX_ANSWER_BYTES = 1024 * 1024
MAX_MESSAGES = 10_000  # of a session, which has a few dozen; reading ten thousand takes 25 ms

_VERSION = 3 << 16
_HEAD = struct.Struct("!ci")

_LET_IN, _CLEARTEXT, _MD5, _SASL, _SASL_CONTINUE, _SASL_FINAL = 0, 3, 5, 10, 11, 12  # what an R message asks for
_ASIDES = frozenset({"N", "S", "A", "K"})  # notices, settings, notifications, the key to cancel with

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_REFUSALS = {
    "28P01": ("wrong password", "credential_expired"),
    "28000": ("not let in", "bad_configuration"),
    "3D000": ("no such database", "bad_configuration"),
    "25006": ("the query would write", "bad_configuration"),
    "42501": ("the query is not allowed", "bad_configuration"),
    "53100": ("its disk is full", "disk_full"),
    "53200": ("it has no memory left", "out_of_memory"),
    "53300": ("too many connections", "pool_exhausted"),
    "57P01": ("it shuts down", "unreachable"),
    "57P02": ("it has crashed", "unreachable"),
    "57P03": ("not ready", "unreachable"),
}
_CANCELED = "57014"  # by the statement timeout, as nobody else knows the session


@dataclass(frozen=True, slots=True)
class Row:
    """The first row of an answer: values as PostgreSQL writes them, None for NULL, and the types' object ids."""

    values: tuple[str | None, ...]
    types: tuple[int, ...]


@asynccontextmanager
async def session(place: Place, dialer: Dialer) -> AsyncIterator[Session]:
    """A session of one's own, ended with the block. Raises CheckFailed; the caller bounds the time."""
    async with connected(dialer, place.host, place.port) as wire:
        if place.sslmode != "disable":
            await _encrypt(wire, place)
        found = Session(wire)
        try:
            await found.enter(place)
            yield found
        except (struct.error, ValueError) as why:
            raise CheckFailed(f"a broken PostgreSQL answer: {excerpt(str(why))}", cause="wrong_answer") from why
        finally:
            found.leave()


class Session:
    """One conversation with a server. Each method raises CheckFailed, and ValueError where an answer is broken."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._known = False  # as a PostgreSQL server
        self._heard = 0

    async def enter(self, place: Place) -> None:
        """Say who is there, and prove it."""
        words = {
            "user": place.user, "database": place.database, "application_name": "selfheal", "client_encoding": "UTF8",
        }  # fmt: skip
        body = struct.pack("!i", _VERSION) + b"".join(_zero(part) for pair in words.items() for part in pair) + b"\0"
        await self._wire.send(struct.pack("!i", len(body) + 4) + body)
        await self._authenticate(place)
        await self._until("Z")

    async def run(self, sql: str) -> None:
        """Carry out statements of which no answer is wanted."""
        await self._send("Q", _zero(sql))
        async for _ in self._answers():
            pass

    async def first(self, sql: str) -> Row | None:
        """The first row that one statement gives; None where it gives none."""
        types: tuple[int, ...] = ()
        values: tuple[str | None, ...] | None = None
        await self._wire.send(
            _message("P", b"\0" + _zero(sql) + b"\0\0")  # parse,
            + _message("B", bytes(8))  # bind to nothing, with the answer in text,
            + _message("D", b"P\0")  # describe
            + _message("E", b"\0" + struct.pack("!i", 1))  # and give one row
            + _message("S", b"")
        )
        async for kind, body in self._answers():
            if kind == "T":
                types = tuple(_types_in(body))
            elif kind == "D":
                values = tuple(_values_in(body))
            elif kind in ("G", "H"):
                raise CheckFailed("the query copies a table; ask for a row", cause="bad_configuration")
        return Row(values, types) if values is not None else None

    def leave(self) -> None:
        """Say goodbye, so that the server does not log a client that was lost."""
        self._wire.last_word(_message("X", b""))

    async def _authenticate(self, place: Place) -> None:
        method, more = await self._asked()
        while method != _LET_IN:
            if place.password is None:
                raise CheckFailed("it wants a password", cause="bad_configuration")
            if method == _CLEARTEXT:
                await self._send("p", _zero(place.password))
            elif method == _MD5:
                await self._send("p", _zero(_md5(place.user, place.password, more)))
            elif method == _SASL and scram.MECHANISM.encode() in more.split(b"\0"):
                await self._scram(place.password)
            else:
                raise CheckFailed(f"it wants an unknown way to log in ({method})", cause="bad_configuration")
            method, more = await self._asked()

    async def _scram(self, password: str) -> None:
        opening = scram.first(secrets.token_urlsafe(18))
        await self._send("p", _zero(scram.MECHANISM) + struct.pack("!i", len(opening)) + opening.encode())
        challenge = await self._told(_SASL_CONTINUE)
        proof = await asyncio.to_thread(scram.prove, opening, challenge, password)
        await self._send("p", proof.message.encode())
        if await self._told(_SASL_FINAL) != proof.answer:
            raise CheckFailed("it does not know the password itself: it is another server", cause="wrong_answer")

    async def _told(self, step: int) -> str:
        method, more = await self._asked()
        if method != step:
            raise ValueError("it asked for a password, and did not look at it")
        return more.decode()

    async def _asked(self) -> tuple[int, bytes]:
        """What is to be done next to be let in, and what it takes."""
        kind, body = await self._next()
        if kind != "R":
            raise ValueError(f"{kind!r} where it should ask for a password")
        return struct.unpack_from("!i", body)[0], body[4:]

    async def _answers(self) -> AsyncIterator[tuple[str, bytes]]:
        """Everything up to where the server waits for the next query."""
        while True:
            kind, body = await self._next()
            if kind == "Z":
                return
            yield kind, body

    async def _until(self, wanted: str) -> None:
        kind, _ = await self._next()
        while kind != wanted:
            kind, _ = await self._next()

    async def _next(self) -> tuple[str, bytes]:
        """The next message that is no aside. Raises what an error says."""
        while True:
            kind, body = await self._read()
            if kind == "E":
                raise _refused(_fields_in(body))
            if kind not in _ASIDES:
                self._known = True
                return kind, body

    async def _read(self) -> tuple[str, bytes]:
        self._heard += 1
        if self._heard > MAX_MESSAGES:
            raise CheckFailed(f"more than {MAX_MESSAGES} messages, and no end of the answer", cause="wrong_answer")
        kind, length = _HEAD.unpack(await self._wire.exactly(_HEAD.size))
        if not 4 <= length <= MAX_ANSWER_BYTES:
            if not self._known:
                raise not_postgres(self._wire)
            raise CheckFailed(f"an answer of more than {MAX_ANSWER_BYTES // 1024} KiB", cause="wrong_answer")
        return kind.decode("latin-1"), await self._wire.exactly(length - 4)

    async def _send(self, kind: str, body: bytes) -> None:
        await self._wire.send(_message(kind, body))


async def _encrypt(wire: Wire, place: Place) -> None:
    """Go on over TLS, as both sides want it."""
    if await offers_tls(wire):
        await wire.encrypt(tls_context(place.verifies, check_name=place.sslmode == "verify-full"), place.host)
    elif place.sslmode != "prefer":
        raise CheckFailed(f"it speaks no TLS, and sslmode is {place.sslmode}", cause="bad_configuration")


def _refused(fields: dict[str, str]) -> CheckFailed:
    code, message = fields.get("C", ""), fields.get("M", "")
    if code == _CANCELED:
        return CheckFailed(with_words("the query took too long", message), "timeout", "slow")
    words, cause = _REFUSALS.get(code, (f"error {excerpt(code, 5)}", "wrong_answer"))
    return CheckFailed(with_words(words, message), cause=cause)


def _fields_in(body: bytes) -> dict[str, str]:
    parts = (part.decode(errors="replace") for part in body.split(b"\0") if part)
    return {part[0]: part[1:] for part in parts}


def _types_in(body: bytes) -> Iterator[int]:
    """The object id of each column's type: a name up to a zero, then 18 bytes, of which it is the seventh to tenth."""
    at = 2
    for _ in range(*struct.unpack_from("!H", body)):
        at = body.index(b"\0", at) + 1
        yield struct.unpack_from("!I", body, at + 6)[0]
        at += 18


def _values_in(body: bytes) -> Iterator[str | None]:
    at = 2
    for _ in range(*struct.unpack_from("!H", body)):
        (length,) = struct.unpack_from("!i", body, at)
        at += 4
        if at + length > len(body):
            raise ValueError("a row is cut short")
        yield body[at : at + length].decode(errors="replace") if length >= 0 else None
        at += max(0, length)


def _md5(user: str, password: str, salt: bytes) -> str:
    inner = hashlib.md5(f"{password}{user}".encode(), usedforsecurity=False).hexdigest()
    return "md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest()


def _message(kind: str, body: bytes) -> bytes:
    return _HEAD.pack(kind.encode(), len(body) + 4) + body


def _zero(text: str) -> bytes:
    return text.encode() + b"\0"
