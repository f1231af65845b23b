"""When is it written down what the reflex did?

A moment after it. Folding, journal, incidents and log take ten times as long as a start does, and a program that has
just been started waits for the very processor that they would keep. So deaths are answered first, all that there are;
then each is entered, one in a turn of the loop, so that the next death need not wait for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

# A started program is at its work after some 0.5 ms, and nobody misses what is known 2 ms later.
PAUSE_S = 0.002

Entry = Callable[[], None]


class Books:
    """Entries that wait, one of an agent at most. Whoever relies on what is known of an agent settles first."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._turn: asyncio.Handle | None = None

    def enter(self, name: str, entry: Entry) -> None:
        """Make an entry for an agent soon, and after those that wait already."""
        self.settle(name)
        self._entries[name] = entry
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_later(PAUSE_S, self._next)

    def settle(self, name: str) -> None:
        """Make the entry of an agent now, if there is one."""
        entry = self._entries.pop(name, None)
        if entry is not None:
            entry()

    def settle_all(self) -> None:
        """Make all entries now."""
        while self._entries:
            self.settle(next(iter(self._entries)))

    def _next(self) -> None:
        self._turn = None
        if not self._entries:
            return
        if len(self._entries) > 1:
            self._turn = asyncio.get_running_loop().call_soon(self._next)
        self.settle(next(iter(self._entries)))
