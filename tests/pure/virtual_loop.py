"""How does a test live through hours in no time?"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")

EPOCH = 1_800_000_000.0


class _Leaping(selectors.SelectSelector):
    """Where there is nothing to read, the time that the loop would wait is over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.waits = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("cannot go on: everything waits, and no timer is set")
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
            self.waits += 1
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes only where it would have waited. `waits` counts how often it did."""

    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now

    @property
    def waits(self) -> int:
        return self._leaping.waits

    def stall(self, seconds: float) -> None:
        """Let time pass as if something had blocked the loop."""
        self._leaping.now += seconds


class VirtualClock:
    """The clock of a virtual loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return EPOCH + self._loop.time()

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        done = self._loop.create_future()
        self._loop.call_later(seconds, done.set_result, None)
        await done


def in_virtual_time(story: Coroutine[object, object, T], loop: VirtualLoop) -> T:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(story)
