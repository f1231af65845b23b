"""What have agents said of themselves by systemd's protocol, and who waits for it?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping


class Notices:
    """READY ends the wait of a run that is to say so, WATCHDOG is a heartbeat. The rest says nothing that we need."""

    def __init__(self, beat: Callable[[str], None]) -> None:
        self._beat = beat
        self._ready: dict[str, int] = {}
        self._waiting: dict[str, asyncio.Event] = {}

    def hear(self, agent: str, generation: int, said: Mapping[str, str]) -> None:
        """Take in what a run of an agent has said."""
        if said.get("READY") == "1":
            self._ready[agent] = generation
            if agent in self._waiting:
                self._waiting[agent].set()
        if said.get("WATCHDOG") == "1":
            self._beat(agent)

    def forget(self, agent: str) -> None:
        """Nobody of this name is there any more; the runs of who gets it next are counted anew."""
        self._ready.pop(agent, None)
        self._waiting.pop(agent, None)

    async def until_ready(self, agent: str, generation: int) -> None:
        """Return when this run has said that it is ready, be it before this call."""
        while self._ready.get(agent) != generation:
            self._waiting[agent] = asyncio.Event()
            await self._waiting[agent].wait()
