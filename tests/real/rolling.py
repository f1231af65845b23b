"""What do the tests of snapshots need? A store without a daemon: journal, ledger, and what rolls them up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from selfheal.clock import Clock, RealClock
from selfheal.compose.rollup import Rollup
from selfheal.compose.takeover import TakenOver, take_over
from selfheal.events import Event
from selfheal.ledger import Ledger

_T = TypeVar("_T")


@dataclass(frozen=True)
class Beside:
    """The clock and the threads of this machine."""

    clock: Clock

    def run_in_thread(self, work: Callable[[], _T], /) -> Awaitable[_T]:
        return asyncio.to_thread(work)


class Store:
    """What a daemon keeps its books with. `size` is what the journal may take."""

    def __init__(self, place: Path, size: int = 64_000_000) -> None:
        ports = Beside(RealClock())
        self.taken: TakenOver = take_over(place, ports.run_in_thread, ports.clock)
        self.journal = self.taken.journal
        self.ledger = Ledger(self.journal, self.taken.world, self.journal.last_seq)
        self.woken: list[str] = []
        self.rollup = Rollup(self.ledger, ports, self.taken, lambda: size, self.woken.append)
        self.size = size

    async def record(self, *events: Event) -> None:
        """Record one after the other, and do what the loop does whenever it is woken."""
        for event in events:
            self.ledger.record(event)
            if self.woken:
                await self.rollup.keep()
                self.woken.clear()

    async def stop(self) -> None:
        await self.rollup.close()
        self.journal.close()
