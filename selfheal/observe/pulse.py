"""How late was this very process, since when?

While checks are in flight the loop is asked to call back each tenth of a second, and how late it does is how late we
are to see any answer. Nothing beats while nothing is in flight: an idle daemon is not woken for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

BEAT_S = 0.1
# Less than that is the usual jitter of a loop that works.
_NOTED_S = 0.02
_KEPT = 256


class Pulse:
    """The lag of the loop. `busy` says whether there is still anything in flight."""

    def __init__(self, loop: asyncio.AbstractEventLoop, busy: Callable[[], bool]) -> None:
        self._loop = loop
        self._busy = busy
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._late: deque[tuple[float, float]] = deque(maxlen=_KEPT)  # when it was over, and how long it was

    def begin(self) -> None:
        """Something is in flight from now on."""
        if self._timer is None:
            self._arm()

    def lag_s(self, since: float) -> float:
        """The longest time for which the loop was held up since then (loop time), perhaps until this moment."""
        under_way = self._loop.time() - self._due if self._timer is not None else 0.0
        return max([0.0, under_way, *(lag for over, lag in self._late if over > since)])

    def close(self) -> None:
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._due = self._loop.time() + BEAT_S
        self._timer = self._loop.call_at(self._due, self._beat)

    def _beat(self) -> None:
        now = self._loop.time()
        if now - self._due > _NOTED_S:
            self._late.append((now, now - self._due))
        self._timer = None
        if self._busy():
            self._arm()
