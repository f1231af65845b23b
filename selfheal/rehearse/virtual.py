"""How do weeks pass in seconds? A loop whose time jumps to the next timer, and the clock that goes with it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import TypeVar

_T = TypeVar("_T")
# Any moment would do; this one is easy to recognise in a trace.
EPOCH = 1_800_000_000.0


class _Jumping(selectors.SelectSelector):
    """Never waits: where the loop would sleep, its time has passed at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.waits = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("cannot go on: every task waits and no timer is set")
        self.now += max(0.0, timeout)
        self.waits += timeout > 0.0
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time. Nothing in it may wait for a thread or a socket."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._jumping.now

    @property
    def waits(self) -> int:
        """How often the loop would have slept: its wake-ups."""
        return self._jumping.waits

    def stall(self, seconds: float) -> None:
        """Let time pass as if something had blocked the loop."""
        self._jumping.now += seconds


class VirtualClock:
    """Wall and monotonic time of a virtual loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._set_by = 0.0

    def now(self) -> float:
        return EPOCH + self._set_by + self._loop.time()

    def wall(self) -> float:
        return self.now()

    def set_wall(self, seconds: float) -> None:
        """Set the wall clock on by so much, or back: time itself goes on as before."""
        self._set_by += seconds

    def monotonic(self) -> float:
        return self._loop.time()

    def of_file(self, modified_at: float) -> float:
        return modified_at

    async def sleep(self, seconds: float) -> None:
        over = self._loop.create_future()
        timer = self._loop.call_later(max(0.0, seconds), over.set_result, None)
        try:
            await over
        finally:
            timer.cancel()


def in_virtual_time(story: Coroutine[object, object, _T], loop: VirtualLoop) -> _T:
    """Run `story` to its end on `loop`."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(story)
