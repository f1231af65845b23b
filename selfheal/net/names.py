"""Which addresses has a host?

The machine's own resolver, with all that it is set up to ask, in threads: it knows no other way than to block. They are
threads of this module's own, since a name server that is dead holds each of them for half a minute: nothing else shall
wait behind that, neither the state files nor the end of the daemon.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

Place = tuple[socket.AddressFamily, str]
"""An address without a port. One that means something on one link alone has the number of that link: fe80::1%2."""

Tell = Callable[[Sequence[Place], Exception | None], None]

# Of so many names the answers can be waited for at once; each waits in a thread, which costs little but its stack.
MOST_AT_ONCE = 64
# Many checks of one host that come at the same moment are one question; a name that has changed is seen at the next.
KEPT_S = 1.0


def literal(host: str) -> Place | None:
    """The address that a host is written as; None where it is a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return family, host
    return None


def socket_address(place: Place, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """What a socket of this family calls the place. It would not heed the link in the text (RFC 4007, 11)."""
    host, on_link, link = place[1].partition("%")
    return (host, port, 0, int(link)) if on_link else (host, port)


class Names:
    """Resolves names, each only once at a time."""

    def __init__(self, lookup: Callable[[str], Sequence[Place]] | None = None) -> None:
        self._lookup = lookup or _ask_the_system
        self._waiting: dict[str, list[Tell]] = {}
        self._queue: deque[str] = deque()
        self._busy = 0
        self._kept: dict[str, tuple[float, Sequence[Place]]] = {}

    def resolve(self, host: str, tell: Tell) -> Callable[[], None]:
        """Tell the addresses of a name, or why there are none (OSError, UnicodeError). Returns what calls it off."""
        loop = asyncio.get_running_loop()
        kept = self._kept.get(host)
        if kept is not None and loop.time() - kept[0] < KEPT_S:
            return loop.call_soon(tell, kept[1], None).cancel
        waiting = self._waiting.setdefault(host, [])
        waiting.append(tell)
        if len(waiting) == 1:
            self._queue.append(host)
            self._start(loop)

        def call_off() -> None:
            with suppress(ValueError):
                waiting.remove(tell)

        return call_off

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._queue and self._busy < MOST_AT_ONCE:
            host = self._queue.popleft()
            if not self._waiting.get(host):  # all that asked have given up
                self._waiting.pop(host, None)
                continue
            self._busy += 1
            # A daemon thread: one that waits for a dead name server must not hold up the end of the process.
            threading.Thread(target=self._work, args=(loop, host), name=f"resolve {host}", daemon=True).start()

    def _work(self, loop: asyncio.AbstractEventLoop, host: str) -> None:
        found: Sequence[Place] = ()
        failure: Exception | None = None
        try:
            found = self._lookup(host)
        except (OSError, UnicodeError) as why:
            failure = why
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(self._told, loop, host, found, failure)

    def _told(
        self, loop: asyncio.AbstractEventLoop, host: str, found: Sequence[Place], failure: Exception | None
    ) -> None:
        self._busy -= 1
        now = loop.time()
        self._kept = {name: kept for name, kept in self._kept.items() if now - kept[0] < KEPT_S}
        if failure is None:
            self._kept[host] = (now, found)
        waiting = self._waiting.pop(host, [])
        self._start(loop)
        for tell in tuple(waiting):
            tell(found, failure)


def _ask_the_system(host: str) -> Sequence[Place]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys((family, _text(address)) for family, _, _, _, address in found))


def _text(address: tuple[object, ...]) -> str:
    link = address[3] if len(address) > 3 else 0  # of IPv6 alone
    return f"{address[0]}%{link}" if link else str(address[0])
