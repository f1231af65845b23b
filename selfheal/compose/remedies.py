"""What do fixes work with, besides processes and data: limits, ports, good files, what was moved aside, neighbours?"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path

from selfheal.compose.care import Care
from selfheal.compose.data_layer import DataLayer
from selfheal.compose.door import Door
from selfheal.compose.estate import Estate
from selfheal.compose.fleet import Fleet
from selfheal.compose.goods import Goods
from selfheal.compose.hands import FleetHands
from selfheal.compose.limits import Limits
from selfheal.compose.neighbours import Neighbours, Scale
from selfheal.events import Event, IncidentResolved, IncidentSuppressed, WorkDone
from selfheal.ledger import Ledger
from selfheal.loops import Loop
from selfheal.ports import Ports
from selfheal.recover.clean_restart import caches_of, forget
from selfheal.supervise.supervisor import Supervisor
from selfheal.vitals import Vitals

Spawn = Callable[[str, Coroutine[object, object, None]], object]
# What is edited and tried at once is edited again a moment later: a good version must not be missed in between.
FILES_EVERY_S = 5.0


class Remedies:
    """The hands of every fix, and what is kept for them."""

    def __init__(
        self,
        ledger: Ledger,
        ports: Ports,
        fleet: Fleet,
        supervisor: Supervisor,
        care: Care,
        data: DataLayer,
        vitals: Vitals,
        state_dir: Path,
        spawn: Spawn,
        redact: Callable[[str], str],
        scale: Scale,
        estate: Estate,
    ) -> None:
        self._ledger = ledger
        self._ports = ports
        self._plans = fleet.plans
        self._spawn = spawn
        self._goods = Goods(ledger, ports, fleet.plans, state_dir, spawn)
        self._neighbours = Neighbours(ledger, ports.clock, fleet, supervisor, data.writers, scale, spawn)
        self.hands = FleetHands(
            ports,
            supervisor,
            fleet.plans,
            data.writers,
            data.custody,
            Limits(ledger, ports.clock, supervisor, fleet, care),
            vitals,
            Door(ports, supervisor, fleet.plans),
            self._goods,
            self._neighbours,
            estate,
            state_dir,
            redact,
        )
        self.loop = Loop("files", self._goods.look, every_s=FILES_EVERY_S, idle=self._goods.nobody_has_any)

    def heed(self, event: Event) -> None:
        """Look at what was changed when an agent fails, and clear away when its incident is over."""
        self._goods.heed(event)
        self._neighbours.heed(event)
        if isinstance(event, IncidentResolved | IncidentSuppressed | WorkDone):
            case = self._ledger.world.case(event.work if isinstance(event, WorkDone) else event.incident)
            if case is not None and any(one.fix == "clean_restart" for one in case.attempts):
                self._spawn(f"caches of {case.agent}", self.clear_away())

    async def clear_away(self) -> None:
        """Delete what was moved aside in incidents that are over; the last daemon may have left some."""
        world = self._ledger.world
        cases = (one for one in world.cases.values() if not one.over)
        still_open = frozenset(one.id for one in (*world.open_incidents(), *cases))
        for plan in tuple(self._plans.values()):
            caches = caches_of(plan.config.healing.get("clean_restart"))
            if caches:
                await self._ports.run_in_thread(lambda caches=caches: forget(caches, still_open))  # type: ignore[misc]
