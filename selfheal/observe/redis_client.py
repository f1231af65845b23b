"""What does a Redis server answer to a command?

RESP, the protocol of Redis and its heirs, as far as a check needs it: commands are arrays of bulk strings, answers are
simple strings, errors and bulk strings (https://redis.io/docs/latest/develop/reference/protocol-spec/). An error is a
CheckFailed in words; what is no answer of Redis at all is one too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from selfheal.config.address import split_address
from selfheal.errors import CheckFailed
from selfheal.observe.wire import Wire
from selfheal.observe.wording import excerpt, with_words

DEFAULT_PORT = 6379
MAX_ANSWER_BYTES = 1024 * 1024  # INFO of a server with a thousand replicas is a tenth of it

_EXAMPLE = "'redis://:password@127.0.0.1:6379/0', 'rediss://…' for TLS, or '127.0.0.1:6379'"
_DATABASE = re.compile(r"[0-9]{1,4}")
_LENGTH = re.compile(rb"[0-9]{1,10}")

# How an error begins, what it means, and its cause. A server that cannot save would lose its data with a restart, so
# MISCONF must name a cause that no restart cures; whether the disk is full is not said.
_REFUSALS = (
    ("NOAUTH", "it wants a password", "bad_configuration"),
    ("WRONGPASS", "wrong user or password", "credential_expired"),
    ("ERR invalid password", "wrong password", "credential_expired"),
    ("ERR AUTH", "it takes no password", "bad_configuration"),
    ("NOPERM", "its user may not ask this", "bad_configuration"),
    ("DENIED", "it is in protected mode", "bad_configuration"),
    ("LOADING", "it is still loading its data", "unreachable"),
    ("MASTERDOWN", "it has no link to its master", "dependency_down"),
    ("MISCONF", "it cannot save its data and refuses to write", "permission"),
    ("BUSY", "a script keeps it busy", "hung"),
    ("ERR max number of clients", "it has as many clients as it takes", "pool_exhausted"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a Redis server is, and as whom it is asked. `database` is None where none was named."""

    host: str
    port: int
    tls: bool
    user: str
    password: str | None = field(repr=False)
    database: str | None


def read_place(text: str) -> Place:
    """Read a URL or host:port. Raises ValueError, which does not repeat what may hold a password."""
    if "://" not in text:
        host, port = split_address(text)
        return Place(host, port, tls=False, user="", password=None, database=None)
    try:
        parts = urlsplit(text)
        return _place_in(parts, parts.port)
    except ValueError:
        raise ValueError(f"this is not the address of a Redis server; write it as {_EXAMPLE}") from None


async def ask(wire: Wire, *words: str) -> str:
    """Send a command and return its answer. Raises CheckFailed where it is an error, or no answer of Redis."""
    parts = [word.encode() for word in words]
    await wire.send(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts))
    line = await wire.line()
    match line[:1]:
        case b"+":
            return _text(line[1:])
        case b"-":
            raise _refused(_text(line[1:]))
        case b"$" if _LENGTH.fullmatch(line, 1):
            return _text(await _bulk(wire, int(line[1:])))
        case _:
            raise CheckFailed(f"not a Redis answer: it begins with {excerpt(_text(line), 40)!r}", cause="wrong_answer")


async def _bulk(wire: Wire, length: int) -> bytes:
    if length > MAX_ANSWER_BYTES:
        raise CheckFailed(f"an answer of more than {MAX_ANSWER_BYTES // 1024} KiB", cause="wrong_answer")
    return (await wire.exactly(length + 2))[:-2]


def _refused(error: str) -> CheckFailed:
    for beginning, words, cause in _REFUSALS:
        if error.startswith(beginning):
            return CheckFailed(with_words(words, error), cause=cause)
    return CheckFailed(f"it answered with an error: {excerpt(error)}", cause="wrong_answer")


def _place_in(parts: SplitResult, port: int | None) -> Place:
    database = parts.path.strip("/")
    good = parts.scheme in ("redis", "rediss") and parts.hostname and port != 0
    if not good or parts.query or parts.fragment or (database and not _DATABASE.fullmatch(database)):
        raise ValueError
    return Place(
        host=parts.hostname or "",
        port=port or DEFAULT_PORT,
        tls=parts.scheme == "rediss",
        user=unquote(parts.username or ""),
        password=unquote(parts.password) if parts.password is not None else None,
        database=database or None,
    )


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
