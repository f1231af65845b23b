"""A loop that runs what is ready in an order of chance, and a disk that is slow by it: another seed, another order."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from selfheal.rehearse.virtual import VirtualClock, VirtualLoop
from tests.pure.ledger_fakes import MemoryJournal


class ShuffledLoop(VirtualLoop):
    """A loop that runs what is ready in an order of chance, and whose timers are late by some microseconds of it."""

    def __init__(self, chance: Random) -> None:
        super().__init__()
        self._chance = chance

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:  # type: ignore[override] # noqa: ANN401 - as its base
        late = self._chance.random() * 1e-4
        return super().call_at(when + late, callback, *args, context=context)

    def _run_once(self) -> None:
        ready = cast("Any", self)._ready
        if len(ready) > 1:
            mixed = list(ready)
            self._chance.shuffle(mixed)
            ready.clear()
            ready.extend(mixed)
        cast("Any", super())._run_once()


@dataclass
class SlowJournal(MemoryJournal):
    """A disk that takes its time, so that others have their turn meanwhile."""

    clock: VirtualClock = field(kw_only=True)
    chance: Random = field(kw_only=True)

    async def sync(self, seq: int | None = None) -> None:
        upto = self.last if seq is None else seq
        await self.clock.sleep(self.chance.choice((0.0, 0.001, 0.02, 0.3)))
        self.synced = max(self.synced, upto)
