"""How are data, and who looks at them how thoroughly?

Each check is a quick look. Now and then every byte is read beside it, for as long as that takes; what such a look found
stands until another one, of data that were put right or accepted meanwhile, finds it no more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

import msgspec

from selfheal.clock import Clock
from selfheal.data.asset import Health
from selfheal.errors import DataFailed
from selfheal.events import LoopFailed
from selfheal.ledger import Ledger

# A thorough look that could not be done is tried again after this.
AGAIN_S = 300.0

Look = Callable[[str, bool, float], Awaitable[Health]]
"""Looks at the data of an agent, thoroughly or not, within so many seconds. Raises DataFailed."""
Spawn = Callable[[str, Coroutine[object, object, None]], object]


@dataclass(slots=True)
class _Thorough:
    """The thorough looks at one agent's data; other data get another, so that a look under way tells the old one."""

    due_at: float = 0.0
    running: bool = False
    found: Health | None = None


class Looks:
    """Looks at data, quickly and thoroughly."""

    def __init__(self, ledger: Ledger, clock: Clock, look: Look, spawn: Spawn, redact: Callable[[str], str]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._look = look
        self._spawn = spawn
        self._redact = redact
        self._thorough: dict[str, _Thorough] = {}

    async def examine(self, agent: str, every_s: float, longest_s: float, timeout_s: float) -> Health:
        """Return how the data are. A thorough look is begun `every_s`, and may take `longest_s`. Raises DataFailed."""
        quick = await self._look(agent, False, timeout_s)
        thorough = self._thorough.setdefault(agent, _Thorough())
        if quick.reason:
            return quick
        if not thorough.running and self._clock.now() >= thorough.due_at:
            thorough.running = True
            self._spawn(f"look through {agent}", self._look_through(agent, thorough, every_s, longest_s))
        found = thorough.found
        return quick if found is None else msgspec.structs.replace(found, signals={**found.signals, **quick.signals})

    def begin_anew(self, agent: str) -> None:
        """The data are others now, or are taken for sound: what was found before says nothing of them."""
        self._thorough[agent] = _Thorough()

    async def _look_through(self, agent: str, thorough: _Thorough, every_s: float, longest_s: float) -> None:
        try:
            health = await self._look(agent, True, longest_s)
        except DataFailed as why:
            thorough.due_at = self._clock.now() + AGAIN_S
            words = self._redact(str(why))
            self._ledger.record(LoopFailed(self._clock.now(), f"look through {agent}", words, AGAIN_S))
        else:
            thorough.found = health if health.reason else None
            thorough.due_at = self._clock.now() + (0.0 if health.reason else every_s)
        finally:
            thorough.running = False
