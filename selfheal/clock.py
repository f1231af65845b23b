"""What time is it, and how does one wait?

The only module that reads a clock. Everyone else takes a `Clock`, so that a week of the daemon runs in seconds.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for what people read, monotonic time for durations."""

    def now(self) -> float:
        """Seconds since the epoch. May jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point. Never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock's time."""
        ...


class RealClock:
    """The machine's own clocks."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
