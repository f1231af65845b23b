"""How is a connection opened by callbacks alone?

A socket that connects is watched by the `Poller`; no task, no future, and no timer where a host has one address. Of
several addresses each is tried in the order in which the resolver names them.
"""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from collections import deque
from collections.abc import Callable, Sequence

from selfheal.net.names import Names, Place, literal, socket_address
from selfheal.net.poller import WRITE, Poller

# The SYN is sent again after 1 s (RFC 6298, 2.1): an address that is silent longer must not use up the whole timeout
# while the next address of the same name would answer.
ONE_OF_SEVERAL_S = 1.0
MOST_AT_ONCE = 2048

Tell = Callable[[socket.socket | None, Exception | None], None]
"""Gets the connected, non-blocking socket, or why there is none: OSError, or UnicodeError of a name that is none."""


class Dialer:
    """Opens connections; what it needs for that is shared by all of one loop."""

    def __init__(self, poller: Poller | None = None, names: Names | None = None) -> None:
        self.poller = poller or Poller()
        self.names = names or Names()
        self.room = min(MOST_AT_ONCE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
        """How many connections there may be on their way at once, so that everything else keeps its descriptors."""

    def dial(self, host: str, port: int, tell: Tell) -> Dialing:
        """Begin to connect. `tell` is called exactly once, perhaps before this returns, unless it is given up."""
        dialing = Dialing(self.poller, port, tell)
        place = literal(host)
        if place is not None:
            dialing.try_all((place,), None)
        else:
            dialing.call_off = self.names.resolve(host, dialing.try_all)
        return dialing

    def close(self) -> None:
        """Watch nothing any more. Those who hold connections close them themselves, before."""
        self.poller.close()


class Dialing:
    """One attempt to connect."""

    __slots__ = ("_failures", "_places", "_poller", "_port", "_sock", "_tell", "_timer", "call_off")

    def __init__(self, poller: Poller, port: int, tell: Tell) -> None:
        self._poller = poller
        self._port = port
        self._tell: Tell | None = tell
        self._places: deque[Place] = deque()
        self._failures: list[OSError] = []
        self._sock: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.call_off: Callable[[], None] | None = None
        """Calls off the resolving of the name, while that goes on."""

    @property
    def over(self) -> bool:
        """Whether it is told, or given up."""
        return self._tell is None

    def give_up(self) -> None:
        """Tell nothing any more."""
        self._tell = None
        if self.call_off is not None:
            self.call_off()
        self._drop()

    def try_all(self, places: Sequence[Place], failure: Exception | None) -> None:
        """Try these addresses, one after the other."""
        self.call_off = None
        if failure is not None:
            self._end(None, failure)
        else:
            self._places.extend(places)
            self._next()

    def _next(self) -> None:
        while self._places:
            place = self._places.popleft()
            sock: socket.socket | None = None
            try:
                sock = socket.socket(place[0], socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
                if self._begin(sock, place):
                    return
            except OSError as why:
                self._failures.append(why)
                if sock is not None:
                    sock.close()
        # That something refused says more than that another address of the same name cannot be reached from here.
        refused = next((why for why in self._failures if why.errno == errno.ECONNREFUSED), None)
        self._end(None, refused or self._failures[-1])

    def _begin(self, sock: socket.socket, place: Place) -> bool:
        """Connect; True, for it is told or under way. Raises OSError where that is over at once."""
        code = sock.connect_ex(socket_address(place, self._port))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        if code == 0 or _is_connected(sock):
            self._end(sock, None)
            return True
        self._sock = sock
        self._poller.watch(sock.fileno(), WRITE, self._writable)
        if self._places:
            self._timer = asyncio.get_running_loop().call_later(ONE_OF_SEVERAL_S, self._silent)
        return True

    def _writable(self) -> None:
        sock = self._sock
        assert sock is not None
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._failed(OSError(code, os.strerror(code)))
        elif _is_connected(sock):
            self._poller.release(sock.fileno())
            self._sock = None
            self._unset_timer()
            self._end(sock, None)

    def _silent(self) -> None:
        self._failed(TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))

    def _failed(self, why: OSError) -> None:
        self._failures.append(why)
        self._drop()
        self._next()

    def _drop(self) -> None:
        self._unset_timer()
        if self._sock is not None:
            self._poller.forget(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def _unset_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self, sock: socket.socket | None, failure: Exception | None) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell(sock, failure)
        elif sock is not None:
            sock.close()


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True
