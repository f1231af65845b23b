"""Which programs have begun, and when? Each says so on a pipe, to the nanosecond, whoever started it."""

from __future__ import annotations

import os
import select
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

_STAMP = struct.Struct("=qq")


class Stamp(NamedTuple):
    """One start: nanoseconds of the monotonic clock, and the process."""

    at_ns: int
    pid: int


class Stamps:
    """A pipe into which programs write when they begin, and who has done so. They end when it is closed."""

    def __init__(self, pipe: Path) -> None:
        self.pipe = pipe
        self.begun: set[int] = set()
        """Every process that was heard of."""
        self._unread = b""
        os.mkfifo(pipe)
        with ExitStack() as undo:
            self._reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
            undo.callback(os.close, self._reader)
            # A writer of our own: without any, a pipe is at its end, and reads as such without pause.
            undo.callback(os.close, os.open(pipe, os.O_WRONLY))
            self._undo = undo.pop_all()

    def close(self) -> None:
        self._undo.close()

    def take(self, count: int, limit_s: float, ended: Callable[[], bool] = lambda: False) -> list[Stamp]:
        """The next `count` starts; fewer where they do not come in time, or where it has `ended`."""
        deadline = time.monotonic() + limit_s
        while len(self._unread) < count * _STAMP.size:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or ended():
                break
            if select.select([self._reader], [], [], min(left_s, 1.0))[0]:
                self._unread += os.read(self._reader, 64 * 1024)
        whole = min(count, len(self._unread) // _STAMP.size) * _STAMP.size
        taken, self._unread = self._unread[:whole], self._unread[whole:]
        stamps = [Stamp(*fields) for fields in _STAMP.iter_unpack(taken)]
        self.begun.update(stamp.pid for stamp in stamps)
        return stamps

    def drain(self) -> list[Stamp]:
        """All that has been said and was not taken yet."""
        taken: list[Stamp] = []
        while found := self.take(1, 0.01):
            taken += found
        return taken
