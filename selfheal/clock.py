"""What time is it, and how does one wait?

The only module that reads a clock. Everyone else takes a `Clock`, so that a week of the daemon runs in seconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Wall time for what people read, monotonic time for durations."""

    def now(self) -> float:
        """Seconds since the epoch. May jump."""
        ...

    def wall(self) -> float:
        """What the machine's own wall clock shows, however suddenly: for times that people have set by it."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point. Never goes back."""
        ...

    def of_file(self, modified_at: float) -> float:
        """The time of a file, which the machine's wall clock gave it, as this clock has it."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock's time."""
        ...


class RealClock:
    """The machine's own clocks."""

    def now(self) -> float:
        return time.time()

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def of_file(self, modified_at: float) -> float:
        return modified_at

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def since_boot() -> float:
    """Seconds since the machine began, those in which it slept included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


# How much faster or slower than real time runs what follows a wall clock that was set anew.
FOLLOWS = 0.1
# Nobody corrects a clock by more than this: it was wrong altogether, and is followed at once.
WRONG_S = 86_400.0


class SteadyClock(RealClock):
    """The machine's clocks for who lives long: where the wall clock is set anew, `now` follows slowly.

    A correction by an hour would end approvals and verifications at once, or an hour late, and make of every long run
    a short one. Here an hour lasts six minutes more or less, until both agree again. What files bear is the wall
    clock's: `of_file` translates it.
    """

    def __init__(self, wall: Callable[[], float] = time.time, elapsing: Callable[[], float] = since_boot) -> None:
        self._wall, self._elapsing = wall, elapsing
        self._last = (elapsing(), wall())  # one value: threads ask as well

    def now(self) -> float:
        return self._look()[0]

    def wall(self) -> float:
        return self._wall()

    def of_file(self, modified_at: float) -> float:
        shown, wall = self._look()
        return modified_at - (wall - shown)

    def _look(self) -> tuple[float, float]:
        then, shown = self._last
        at, wall = self._elapsing(), self._wall()
        elapsed = max(0.0, at - then)
        behind = wall - (shown + elapsed)
        if abs(behind) <= WRONG_S:
            behind = max(-FOLLOWS * elapsed, min(behind, FOLLOWS * elapsed))
        self._last = (at, shown + elapsed + behind)
        return self._last[1], wall
