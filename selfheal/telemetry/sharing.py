"""How is something made once for all who ask for it at the same time?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Shared:
    """Makes one thing at a time, for everybody who waits for it; nothing is kept once nobody asks any more.

    Whoever asks gets what was not yet complete then: as old as its making takes, and no older. It is made by one of
    those who ask, in turn: where that one is cancelled, the next one makes it.
    """

    def __init__(self) -> None:
        self._making = asyncio.Lock()
        self._asking = 0
        self._times = 0
        self._made: dict[str, tuple[int, bytes]] = {}

    async def get(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return what `make` makes, or has just made for another who asked for `key`."""
        asked = self._times
        self._asking += 1
        try:
            async with self._making:
                times, made = self._made.get(key, (0, b""))
                if times <= asked:
                    made = await make()
                    self._times += 1
                    self._made[key] = (self._times, made)
                return made
        finally:
            self._asking -= 1
            if not self._asking:
                self._made.clear()
