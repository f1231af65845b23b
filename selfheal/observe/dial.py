"""Does something accept connections at this host and port, and if not, in which words?

What lies with the other side is a CheckFailed; what lies with this machine, such as too many open files, stays the
OSError that it is, because it says nothing about the agent.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Sequence

from selfheal.config.address import split_address
from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.net.awaiting import Answer
from selfheal.net.names import Names, Place, literal

_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by the other side",
    errno.ECONNABORTED: "connection aborted",
    errno.EPIPE: "connection closed by the other side",
}
# Not the other side says this, but what lies between.
_NOBODY = {
    errno.EHOSTUNREACH: ("no route to the host", "unreachable"),
    errno.EHOSTDOWN: ("the host is down", "unreachable"),
    errno.ENETUNREACH: ("the network is unreachable", "network_loss"),
}


async def dial(dialer: Dialer, host: str, port: int) -> socket.socket:
    """Return a connected, non-blocking socket. Raises CheckFailed; the caller bounds the time."""
    answer: Answer[socket.socket] = Answer(socket.socket.close)
    dialing = dialer.dial(host, port, answer.tell)
    try:
        return await answer.wait()
    except (OSError, UnicodeError) as why:
        raise cannot_connect(host, why) from None
    finally:
        dialing.give_up()


async def resolve(names: Names, host: str) -> Sequence[Place]:
    """Return the addresses of a name, the preferred one first. Raises CheckFailed; the caller bounds the time."""
    place = literal(host)
    if place is not None:
        return (place,)
    answer: Answer[Sequence[Place]] = Answer()
    call_off = names.resolve(host, answer.tell)
    try:
        return await answer.wait()
    except (OSError, UnicodeError) as why:
        raise cannot_connect(host, why) from None
    finally:
        call_off()


async def probe_tcp(address: str, timeout_s: float, dialer: Dialer) -> None:
    """Return where something accepts at `host:port` within the time; raises CheckFailed else."""
    try:
        async with asyncio.timeout(timeout_s):
            (await dial(dialer, *split_address(address))).close()
    except TimeoutError:
        raise CheckFailed(f"no answer within {timeout_s:g} s", "timeout") from None


def in_words(why: OSError) -> CheckFailed:
    """Say what the other side did. Raises `why` itself where this machine is the reason."""
    told = _of_other_side(why)
    if told is None:
        raise why
    return told


def cannot_connect(host: str, why: Exception) -> Exception:
    """Say why there is no connection to a host: a CheckFailed, or `why` itself where this machine is the reason."""
    if isinstance(why, socket.gaierror | UnicodeError):
        return _unresolved(host, why)
    return (_of_other_side(why) if isinstance(why, OSError) else None) or why


def _of_other_side(why: OSError) -> CheckFailed | None:
    if isinstance(why, TimeoutError):
        return CheckFailed("connection timed out", "timeout", "unreachable")
    if why.errno in _NOBODY:
        words, cause = _NOBODY[why.errno]
        return CheckFailed(words, cause=cause, silent=True)
    if why.errno in _WORDS:
        return CheckFailed(_WORDS[why.errno], cause="unreachable")
    if isinstance(why, ConnectionError):  # without a number: asyncio's own, such as the end of a TLS handshake
        return CheckFailed("connection closed by the other side", cause="unreachable")
    return None


def _unresolved(host: str, why: socket.gaierror | UnicodeError) -> CheckFailed:
    """A label that is empty or longer than 63 characters is a UnicodeError, and no such host."""
    if isinstance(why, socket.gaierror) and why.errno == socket.EAI_AGAIN:
        return CheckFailed(f"the name {host!r} cannot be resolved now", cause="dns_failed", silent=True)
    return CheckFailed(f"no such host {host!r}", cause="dns_failed")
