"""Which of thousands of sockets can be read or written now?

One epoll of our own, which the loop watches as a single descriptor. What asyncio does for each socket (a transport, two
registrations, a handle and a context for each event) costs more than all the rest of a probe: over kept connections
this gives twice as many probes per second of processor as asyncio's protocols, over new ones nearly three times as
many (`benchmarks/checks`). uvloop's protocols are as much faster over kept connections, and slower over new ones; with
this uvloop gains little.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
# What is ready beyond these waits for one turn of the loop, in which others have their say.
_AT_ONCE = 256


class Poller:
    """Calls back when a descriptor is ready, again and again while it is. Errors and hang-ups count as ready.

    It belongs to the loop in which it was first used, until that is closed. A callback that raises keeps nobody else
    from being called: what is ready stays so, and is told in the next turn.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._epoll: select.epoll | None = None
        self._callbacks: dict[int, Callable[[], None]] = {}

    def __len__(self) -> int:
        return len(self._callbacks)

    def watch(self, fd: int, events: int, callback: Callable[[], None]) -> None:
        """Call back when this descriptor, which is not watched yet, is ready for `events`."""
        epoll = self._epoll
        if epoll is None or self._loop is None or self._loop.is_closed():
            epoll = self._open()
        epoll.register(fd, events)
        self._callbacks[fd] = callback

    def change(self, fd: int, events: int, callback: Callable[[], None]) -> None:
        """Watch a descriptor for something else."""
        assert self._epoll is not None
        self._epoll.modify(fd, events)
        self._callbacks[fd] = callback

    def release(self, fd: int) -> None:
        """Watch a descriptor no more that stays open; it may be that nothing is watched any more."""
        if self._callbacks.pop(fd, None) is not None:
            assert self._epoll is not None
            self._epoll.unregister(fd)

    def forget(self, fd: int) -> None:
        """Watch it no more. The caller closes it at once, and with that it leaves the epoll: no call is needed."""
        del self._callbacks[fd]

    def close(self) -> None:
        """Watch nothing any more. It may be used again, also in another loop."""
        if self._epoll is not None and self._loop is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
        self._epoll = self._loop = None
        self._callbacks.clear()

    def _open(self) -> select.epoll:
        self.close()
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._loop.add_reader(self._epoll.fileno(), self._ready)
        return self._epoll

    def _ready(self) -> None:
        epoll, callbacks = self._epoll, self._callbacks
        assert epoll is not None
        for fd, _ in epoll.poll(0, _AT_ONCE):
            callback = callbacks.get(fd)  # None where one that was called before has closed it
            if callback is not None:
                callback()
            if epoll.closed:
                return
