"""What may a person order, and what becomes of it?

Every order is an event, durable before it is answered. Those that are refused say why, and those that were carried
out and could not be saved say that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

from selfheal.clock import Clock
from selfheal.compose.fleet import AgentPlan
from selfheal.detect.triage import new_incident_id
from selfheal.errors import JournalUnavailable, NotSaved, RefusedByPolicy, UnknownName
from selfheal.events import (
    ApprovalAnswered,
    Event,
    HealingPaused,
    HealingResumed,
    IncidentOpened,
    StartAsked,
    StopAsked,
)
from selfheal.ledger import Ledger
from selfheal.supervise.supervisor import Supervisor


class FleetControl:
    """The orders of `serve.ports.Control`, carried out."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        supervisor: Supervisor,
        plans: Mapping[str, AgentPlan],
        beat: Callable[[str], None],
        redact: Callable[[str], str],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._supervisor = supervisor
        self._plans = plans
        self._beat = beat
        self._redact = redact

    async def start(self, agent: str, by: str) -> None:
        self._process(agent, "start")
        act = partial(self._supervisor.start, agent, "person")
        await self._order(StartAsked(self._clock.now(), agent, by), act)

    async def stop(self, agent: str, by: str) -> None:
        self._process(agent, "stop")
        await self._order(StopAsked(self._clock.now(), agent, by), partial(self._supervisor.stop, agent))

    async def restart(self, agent: str, by: str) -> None:
        self._process(agent, "restart")
        act = partial(self._supervisor.restart, agent, "person")
        await self._order(StartAsked(self._clock.now(), agent, by), act)

    async def approve(self, incident: str, by: str) -> None:
        await self._answer(incident, True, by)

    async def reject(self, incident: str, by: str) -> None:
        await self._answer(incident, False, by)

    async def pause(self, agent: str | None, by: str) -> None:
        self._known(agent)
        await self._order(HealingPaused(self._clock.now(), agent, by))

    async def resume(self, agent: str | None, by: str) -> None:
        self._known(agent)
        await self._order(HealingResumed(self._clock.now(), agent, by))

    async def reload(self, by: str) -> None:
        raise RefusedByPolicy("cannot reload: this version reads its file at the start only; restart the daemon")

    async def heartbeat(self, agent: str) -> None:
        self._known(agent)
        self._beat(agent)

    async def external_failure(self, agent: str, text: str) -> None:
        self._known(agent)
        world, now = self._ledger.world, self._clock.now()
        if world.open_incident_of(agent) is None:
            sign = self._redact(text)
            self._ledger.record(IncidentOpened(now, new_incident_id(world), agent, "external", sign, now))
        await self._saved()

    async def _answer(self, name: str, approved: bool, by: str) -> None:
        incident = self._ledger.world.incidents.get(name)
        if incident is None:
            raise UnknownName(f"cannot find incident {name!r}; 'selfheal incidents' lists them")
        if incident.approval is None:
            raise RefusedByPolicy(f"cannot decide about {name}: it asks for no approval")
        if incident.approval.approved is not None:
            done = "approved" if incident.approval.approved else "rejected"
            raise RefusedByPolicy(f"cannot decide about {name} again: it was {done} by {incident.approval.by}")
        await self._order(ApprovalAnswered(self._clock.now(), name, approved, by))

    async def _order(self, event: Event, act: Callable[[], Awaitable[object]] | None = None) -> None:
        """Write an order down, carry it out, and answer for both: raises NotSaved where the disk has not all of it."""
        with suppress(JournalUnavailable):  # a full disk must not keep a person from stopping a process
            await self._ledger.durable(event)
        if act is not None:
            await act()
        await self._saved()

    async def _saved(self) -> None:
        try:
            await self._ledger.durable()
        except JournalUnavailable as why:
            raise NotSaved(self._ledger.trouble or str(why)) from why

    def _known(self, agent: str | None) -> None:
        if agent is not None and agent not in self._plans:
            raise UnknownName(f"cannot find agent {agent!r}; 'selfheal agents' lists them")

    def _process(self, agent: str, verb: str) -> None:
        self._known(agent)
        if self._plans[agent].launch is None:
            kind = self._plans[agent].kind.name
            raise RefusedByPolicy(f"cannot {verb} {agent!r}: it is a {kind}, not a process of this daemon")
