"""Does something accept connections at this host and port, and if not, in which words?

Names are resolved in a thread of the loop's own pool; every address of a name is tried in order. What lies with the
other side is a CheckFailed; what lies with this machine, such as too many open files, stays the OSError that it is,
because it says nothing about the agent.
"""

from __future__ import annotations

import asyncio
import errno
import socket

from selfheal.config.address import split_address
from selfheal.errors import CheckFailed, NoAnswer

# The SYN is sent again after 1 s (RFC 6298, 2.1): an address that is silent longer must not use up the whole timeout
# while the next address of the same name would answer.
_ONE_OF_SEVERAL_S = 1.0

Place = tuple[socket.AddressFamily, tuple[object, ...]]

_WORDS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset by the other side",
    errno.ECONNABORTED: "connection aborted",
    errno.EPIPE: "connection closed by the other side",
}
# Not the other side says this, but what lies between.
_NOBODY = {
    errno.EHOSTUNREACH: "no route to the host",
    errno.EHOSTDOWN: "the host is down",
    errno.ENETUNREACH: "the network is unreachable",
}


async def dial(host: str, port: int) -> socket.socket:
    """Return a connected, non-blocking socket. Raises CheckFailed; the caller bounds the time."""
    failures: list[OSError] = []
    places = await resolve(host, port)
    for place in places:
        several = place is not places[-1]
        try:
            async with asyncio.timeout(_ONE_OF_SEVERAL_S if several else None):
                return await _connect(place)
        except OSError as why:  # TimeoutError is one
            failures.append(why)
    # That something refused says more than that another address of the same name cannot be reached from here.
    raise in_words(next((why for why in failures if why.errno == errno.ECONNREFUSED), failures[-1]))


async def probe_tcp(address: str, timeout_s: float) -> None:
    """Return where something accepts at `host:port` within the time; raises CheckFailed else."""
    try:
        async with asyncio.timeout(timeout_s):
            (await dial(*split_address(address))).close()
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
        return NoAnswer("connection timed out", "timeout")
    if why.errno in _NOBODY:
        return NoAnswer(_NOBODY[why.errno])
    if why.errno in _WORDS:
        return CheckFailed(_WORDS[why.errno], cause="unreachable")
    if isinstance(why, ConnectionError):  # without a number: asyncio's own, such as the end of a TLS handshake
        return CheckFailed("connection closed by the other side", cause="unreachable")
    return None


def _unresolved(host: str, why: socket.gaierror | UnicodeError) -> CheckFailed:
    """A label that is empty or longer than 63 characters is a UnicodeError, and no such host."""
    if isinstance(why, socket.gaierror) and why.errno == socket.EAI_AGAIN:
        return NoAnswer(f"the name {host!r} cannot be resolved now")
    return CheckFailed(f"no such host {host!r}", cause="unreachable")


async def resolve(host: str, port: int) -> list[Place]:
    """Return the addresses of a name, the preferred one first. Raises CheckFailed where it has none."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return [(family, (host, port))]  # spares the thread: most checks ask an address of this machine
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as why:
        raise _unresolved(host, why) from why
    return [(family, address) for family, _, _, _, address in found]


async def _connect(place: Place) -> socket.socket:
    family, address = place
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
