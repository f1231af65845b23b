"""What is said before TLS begins on a connection that begins without it?

One short conversation a protocol, in which nobody is shown any secret.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from selfheal.errors import CheckFailed
from selfheal.observe.wire import Wire
from selfheal.observe.wording import excerpt

StartTls = Literal["smtp", "imap", "pop3", "ftp", "postgres"]

_MAX_LINES = 100  # of one reply; what a server offers fits into two dozen
_SSL_REQUEST = struct.pack("!II", 8, 80877103)  # PostgreSQL, 54.7 "Message Formats": its length, then 1234 and 5679


async def start_tls(wire: Wire, protocol: StartTls) -> None:
    """Ask for TLS until the other side waits for the handshake. Raises CheckFailed; the caller bounds the time."""
    await _CONVERSATIONS[protocol](wire)


async def offers_tls(wire: Wire) -> bool:
    """Ask a PostgreSQL server for TLS; whether it has any. Raises CheckFailed where it is no such server."""
    await wire.send(_SSL_REQUEST)
    answer = await wire.exactly(1)
    if answer not in (b"S", b"N"):
        raise not_postgres(wire)
    wire.begin_anew()
    return answer == b"S"


def not_postgres(wire: Wire) -> CheckFailed:
    """The failure that it is when something else listens where PostgreSQL should."""
    return CheckFailed(f"not a PostgreSQL answer: it begins with {wire.greeting!r}", cause="wrong_answer")


async def _smtp(wire: Wire) -> None:
    await _reply(wire, "220", "a greeting with 220")
    offered = await _ask(wire, f"EHLO {_literal(wire.own_host)}", "250")
    if not any(line[4:].strip().upper() == "STARTTLS" for line in offered):
        raise CheckFailed("it does not offer STARTTLS", cause="wrong_answer")
    await _ask(wire, "STARTTLS", "220")


async def _imap(wire: Wire) -> None:
    greeting = await _line(wire)
    if not greeting.upper().startswith("* OK"):
        raise _wrong("a greeting with '* OK'", greeting)
    await wire.send(b"a STARTTLS\r\n")
    answer = "*"
    for _ in range(_MAX_LINES):  # a server may tell of other things first
        answer = await _line(wire)
        if not answer.startswith("*"):
            break
    if not answer.upper().startswith("A OK"):
        raise _wrong("'a OK' to STARTTLS", answer)


async def _pop3(wire: Wire) -> None:
    for asked, wanted in (("", "a greeting with '+OK'"), ("STLS\r\n", "'+OK' to STLS")):
        await wire.send(asked.encode())
        answer = await _line(wire)
        if not answer.startswith("+OK"):
            raise _wrong(wanted, answer)


async def _ftp(wire: Wire) -> None:
    await _reply(wire, "220", "a greeting with 220")
    await _ask(wire, "AUTH TLS", "234")


async def _postgres(wire: Wire) -> None:
    if not await offers_tls(wire):
        raise CheckFailed("the PostgreSQL server has no TLS: it answers 'N' to SSLRequest", cause="wrong_answer")


_CONVERSATIONS: Mapping[StartTls, Callable[[Wire], Awaitable[None]]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "ftp": _ftp,
    "postgres": _postgres,
}


async def _ask(wire: Wire, words: str, code: str) -> list[str]:
    await wire.send(f"{words}\r\n".encode())
    return await _reply(wire, code, f"{code} to {words.partition(' ')[0]}")


async def _reply(wire: Wire, code: str, wanted: str) -> list[str]:
    """Read a reply of SMTP or FTP: `250-` begins one of several lines, and `250 ` its last (RFC 959, 4.2)."""
    lines = [await _line(wire)]
    if not lines[0].startswith(code):
        raise _wrong(wanted, lines[0])
    while lines[0][3:4] == "-" and not lines[-1].startswith(f"{code} "):
        if len(lines) == _MAX_LINES:
            raise CheckFailed(f"it sends a reply of more than {_MAX_LINES} lines", cause="wrong_answer")
        lines.append(await _line(wire))
    return lines


async def _line(wire: Wire) -> str:
    return (await wire.line()).decode(errors="replace")


def _wrong(wanted: str, said: str) -> CheckFailed:
    return CheckFailed(f"expected {wanted}, it said {excerpt(said)!r}", cause="wrong_answer")


def _literal(host: str) -> str:
    """How a client without a name of its own greets (RFC 5321, 4.1.3)."""
    address = ipaddress.ip_address(host)
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"
