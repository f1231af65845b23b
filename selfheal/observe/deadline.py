"""Did it take too long, or did we look too late?"""

from __future__ import annotations

import asyncio


class Deadline:
    """A limit like `asyncio.timeout`, which also knows how late this very process noticed that it was over.

    `lag_s` is 0 while the limit is not over. A process that was starved, stopped or suspended finds the answers that
    came meanwhile and its own deadlines at the same moment; a timeout that was noticed late blames nobody else.
    """

    def __init__(self, limit_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._at = self._loop.time() + limit_s
        self._scope = asyncio.timeout_at(self._at)
        self._timer: asyncio.TimerHandle | None = None
        self.lag_s = 0.0

    async def __aenter__(self) -> Deadline:
        self._timer = self._loop.call_at(self._at, self._over)
        await self._scope.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._scope.__aexit__(kind, value, None)

    def _over(self) -> None:
        self.lag_s = self._loop.time() - self._at
