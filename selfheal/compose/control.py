"""What may a person order, and what becomes of it?

Every order is an event, durable before it is answered. Those that are refused say why, and those that were carried
out and could not be saved say that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches

from selfheal.causes import CAUSES
from selfheal.clock import Clock
from selfheal.compose.fleet import AgentPlan, Fleet, waves
from selfheal.compose.reload import Reloader
from selfheal.compose.targets import chosen
from selfheal.compose.teaching import Teaching
from selfheal.detect.triage import new_incident_id
from selfheal.errors import FixFailed, JournalUnavailable, NotSaved, RefusedByPolicy, SelfhealError, UnknownName
from selfheal.events import (
    AlertsMuted,
    ApprovalAnswered,
    CauseLabelled,
    Event,
    HealingPaused,
    HealingResumed,
    IncidentOpened,
    StartAsked,
    StopAsked,
)
from selfheal.ledger import Ledger
from selfheal.serve.ports import Order, Reloaded
from selfheal.signatures import shipped
from selfheal.supervise.supervisor import Supervisor
from selfheal.world import Incident


class FleetControl:
    """The orders of `serve.ports.Control`, carried out."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        supervisor: Supervisor,
        fleet: Fleet,
        reloader: Reloader,
        beat: Callable[[str], None],
        redact: Callable[[str], str],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._supervisor = supervisor
        self._fleet = fleet
        self._plans: Mapping[str, AgentPlan] = fleet.plans
        self._reloader = reloader
        self._beat = beat
        self._redact = redact
        self.teaching = Teaching(ledger, clock, fleet, shipped, redact)

    async def start(self, agent: str, by: str) -> None:
        await self.order("start", (agent,), by)

    async def stop(self, agent: str, by: str) -> None:
        await self.order("stop", (agent,), by)

    async def restart(self, agent: str, by: str) -> None:
        await self.order("restart", (agent,), by)

    async def order(self, order: Order, agents: Sequence[str], by: str) -> Sequence[str]:
        names = chosen(agents, self._plans, self._fleet.loaded.groups, order)
        in_order = waves(self._plans, names)
        match order:
            case "start":
                await self._start(in_order, by)
            case "stop":
                await self._stop(in_order, by)
            case "restart":
                await self._restart([name for wave in in_order for name in wave], by)
        await self._saved()
        return names

    async def _start(self, in_order: Sequence[Sequence[str]], by: str) -> None:
        """Start wave by wave; one that others wait for has to be ready before those are started."""
        for number, wave in enumerate(in_order, start=1):
            later = [name for after in in_order[number:] for name in after]
            now = self._clock.now()
            await self._write_down(*(StartAsked(now, name, by) for name in wave))
            needed = {need for name in later for need in self._ledger.world.dependencies(name)}
            tried = await asyncio.gather(*(self._tried(name, name in needed) for name in wave))
            failed = {name: why for name, why in zip(wave, tried, strict=True) if why is not None}
            if failed:
                raise _stuck("start", failed, later)

    async def _tried(self, name: str, needed: bool) -> SelfhealError | None:
        """Why an agent was not started, or not ready for those who need it."""
        try:
            await self._supervisor.start(name, "person")
            if needed:
                await self._supervisor.is_ready(name)
        except SelfhealError as why:
            return why
        return None

    async def _stop(self, in_order: Sequence[Sequence[str]], by: str) -> None:
        """Nobody is to be healed because of what goes first: all of them are known to be unwanted before that."""
        now = self._clock.now()
        await self._write_down(*(StopAsked(now, name, by) for wave in reversed(in_order) for name in wave))
        for wave in reversed(in_order):
            await asyncio.gather(*(self._supervisor.stop(name) for name in wave))

    async def _restart(self, names: Sequence[str], by: str) -> None:
        for number, name in enumerate(names, start=1):
            await self._write_down(StartAsked(self._clock.now(), name, by))
            try:
                await self._supervisor.restart(name, "person")
            except SelfhealError as why:
                raise _stuck("restart", {name: why}, names[number:]) from why

    async def scale(self, agent: str, instances: int, by: str) -> Reloaded:
        return await self._reloader.scale(agent, instances, by)

    async def approve(self, incident: str, by: str) -> None:
        await self._answer(incident, True, by)

    async def reject(self, incident: str, by: str) -> None:
        await self._answer(incident, False, by)

    async def label(self, incident: str, cause: str | None, agent: str, by: str) -> None:
        known = self._ledger.world.incidents.get(incident)
        if known is None:
            raise UnknownName(f"cannot find incident {incident!r}; 'selfheal incidents' lists them")
        said = known.causes[0] if known.causes else None
        if cause is None and said is None:
            raise RefusedByPolicy(f"cannot say whether the cause of {incident} is right: none was found yet")
        slug = cause if cause is not None else said.slug if said is not None else ""
        self._known_cause(slug, known)
        where = agent or next((one.agent for one in known.causes if one.slug == slug), known.agent)
        self._known_place(where)
        await self._order(CauseLabelled(self._clock.now(), incident, slug, where, by))

    def _known_cause(self, slug: str, incident: Incident) -> None:
        known = {*CAUSES, *(one.slug for one in incident.causes), ""}
        known |= {cause for fix in self._fleet.fixes.values() for cause in fix.causes}
        if slug not in known:
            near = get_close_matches(slug, known, 1)
            meant = f"; is {near[0]!r} meant?" if near else "; 'selfheal kb causes' lists them"
            raise UnknownName(f"cannot take {slug!r} for a cause: there is none of this name{meant}")

    def _known_place(self, agent: str) -> None:
        """An agent that was taken out of the configuration since may have been it."""
        if agent not in self._ledger.world.agents:
            self._known(agent)

    async def pause(self, agent: str | None, by: str) -> None:
        self._known(agent)
        await self._order(HealingPaused(self._clock.now(), agent, by))

    async def resume(self, agent: str | None, by: str) -> None:
        self._known(agent)
        await self._order(HealingResumed(self._clock.now(), agent, by))

    async def mute(self, agent: str | None, seconds: float, by: str) -> None:
        """Let nothing that begins be told for so long."""
        self._known(agent)
        now = self._clock.now()
        await self._order(AlertsMuted(now, now + seconds, by, agent or ""))

    async def reload(self, by: str) -> Reloaded:
        return await self._reloader.reload(by)

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
        incident = self._ledger.world.case(name)
        if incident is None:
            raise UnknownName(
                f"cannot find incident or work {name!r}; 'selfheal incidents' and 'selfheal maintenance' list them"
            )
        if incident.approval is None:
            raise RefusedByPolicy(f"cannot decide about {name}: it asks for no approval")
        if incident.approval.approved is not None:
            done = "approved" if incident.approval.approved else "rejected"
            raise RefusedByPolicy(f"cannot decide about {name} again: it was {done} by {incident.approval.by}")
        await self._order(ApprovalAnswered(self._clock.now(), name, approved, by))

    async def _order(self, event: Event) -> None:
        """Write an order down, and answer for it: raises NotSaved where the disk has not all of it."""
        await self._write_down(event)
        await self._saved()

    async def _write_down(self, *orders: Event) -> None:
        with suppress(JournalUnavailable):  # a full disk must not keep a person from stopping a process
            await self._ledger.durable(*orders)

    async def _saved(self) -> None:
        try:
            await self._ledger.durable()
        except JournalUnavailable as why:
            raise NotSaved(self._ledger.trouble or str(why)) from why

    def _known(self, agent: str | None) -> None:
        if agent is not None and agent not in self._plans:
            raise UnknownName(f"cannot find agent {agent!r}; 'selfheal agents' lists them")


def _stuck(order: Order, failed: Mapping[str, SelfhealError], left: Collection[str]) -> FixFailed:
    """Why an order ends here, and who it has not reached."""
    why = "; ".join(
        str(error) if name in str(error) else f"cannot {order} {name}: {error}" for name, error in failed.items()
    )
    return FixFailed(why + (f"; left as they are: {', '.join(left)}" if left else ""))
