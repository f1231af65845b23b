"""What may be done to other agents for the sake of one: another instance, somebody who makes room, or stands in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence

from selfheal.clock import Clock
from selfheal.compose.fleet import Fleet
from selfheal.compose.writers import Writers
from selfheal.config.models import process_of
from selfheal.errors import FixFailed, SelfhealError
from selfheal.events import Event, FailedOver, IncidentResolved, IncidentSuppressed, StartAsked, StopAsked
from selfheal.ledger import Ledger
from selfheal.recover.shed_load import told_of
from selfheal.serve.ports import Reloaded
from selfheal.supervise.supervisor import Supervisor

Spawn = Callable[[str, Coroutine[object, object, None]], object]
Scale = Callable[[str, int, str], Awaitable[Reloaded]]
"""Let an agent of the file have so many instances, by somebody's word."""
US = "selfheal"


class Neighbours:
    """Reaches beyond the agent that is healed, to those that its configuration names."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        fleet: Fleet,
        supervisor: Supervisor,
        writers: Writers,
        scale: Scale,
        spawn: Spawn,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._fleet = fleet
        self._supervisor = supervisor
        self._writers = writers
        self._scale = scale
        self._spawn = spawn
        self._scaled: dict[str, tuple[str, int]] = {}

    # --- instances ---

    async def scale_up(self, agent: str, most: int, incident: str) -> str:
        """Start one more instance of an agent, once in an incident. Raises FixFailed where there are `most`."""
        group = self._group(agent)
        count = len(self._fleet.loaded.groups[group])
        if incident in self._scaled:
            return f"{group} has {count} instances"
        if count >= most:
            raise FixFailed(f"{group} has {count} instances, and healing.scale_up allows no more than {most}")
        self._scaled[incident] = group, count
        await self._scaled_to(group, count + 1)
        return f"{group} has {count + 1} instances instead of {count}"

    async def scale_back(self, agent: str, incident: str) -> str:
        """Go back to as many instances as there were before an incident."""
        group, count = self._scaled.pop(incident, (self._group(agent), 0))
        if not count:
            return f"how many instances {group} had before is not known any more; it keeps what it has"
        await self._scaled_to(group, count)
        return f"{group} has {count} instances again"

    async def _scaled_to(self, group: str, count: int) -> None:
        try:
            done = await self._scale(group, count, US)
        except SelfhealError as why:
            raise FixFailed(f"cannot scale {group} to {count}: {why}") from why
        if done.failed:
            raise FixFailed("; ".join(done.failed.values()))

    def _group(self, agent: str) -> str:
        groups = self._fleet.loaded.groups
        return next((group for group, members in groups.items() if agent in members), agent)

    # --- making room ---

    async def hold(self, agent: str, names: Sequence[str]) -> str:
        """Stop agents, by name or by that of all their instances, for the sake of another one."""
        groups = self._fleet.loaded.groups
        every = [one for name in names for one in groups.get(name, (name,)) if one in self._fleet.plans]
        return await self._writers.hold_for(agent, [one for one in every if one != agent])

    def heed(self, event: Event) -> None:
        """Who made room may come back some time after it is over."""
        if isinstance(event, IncidentResolved | IncidentSuppressed):
            incident = self._ledger.world.incidents.get(event.incident)
            plan = self._fleet.plans.get(incident.agent) if incident is not None else None
            told = told_of(plan.config.healing.get("shed_load")) if plan is not None else None
            if plan is not None and told is not None and self._holds(plan.name):
                self._spawn(f"room of {plan.name}", self._later(plan.name, told.keep))

    def _holds(self, name: str) -> bool:
        return any(agent.held_for == name for agent in self._ledger.world.agents.values())

    async def _later(self, name: str, keep_s: float) -> None:
        await self._clock.sleep(keep_s)
        if self._ledger.world.open_incident_of(name) is None:  # else it needs the room again
            await self._writers.let_go(name)

    # --- standing in ---

    async def start_stand_in(self, agent: str, to: str) -> str:
        """Let who stands in run, and be ready. Raises FixFailed where it does not get so."""
        known = self._ledger.world.agents.get(to)
        if known is None or to not in self._fleet.plans or process_of(self._fleet.plans[to].config) is None:
            raise FixFailed(f"{to} cannot stand in for {agent}: it is no process of this daemon")
        if known.run is not None and known.ready:
            return f"{to} runs already"
        await self._ledger.durable(StartAsked(self._clock.now(), to, _word(agent)))
        if known.run is None:
            await self._supervisor.start(to, "dependency")
        await self._supervisor.is_ready(to)
        return f"{to} was started"

    async def stand_in(self, agent: str, to: str) -> str:
        """Stop an agent for good: another one has its place from now on."""
        await self._ledger.durable(FailedOver(self._clock.now(), agent, to))
        await self._supervisor.stop(agent)
        return f"{to} stands in for {agent}, which is stopped until 'selfheal start {agent}'"

    async def take_back(self, agent: str, to: str) -> str:
        """Give an agent its place back; who was started to stand in is stopped."""
        told = await self.start_again(agent)
        if self._ledger.world.agents[to].ordered_by == _word(agent):
            await self._ledger.durable(StopAsked(self._clock.now(), to, f"{US}, since it does not stand in any more"))
            await self._supervisor.stop(to)
            told += f", {to} stopped"
        return told

    async def quarantine(self, agent: str, cause: str) -> str:
        """Stop an agent until a person starts it."""
        word = f"{US}, in quarantine for {cause.replace('_', ' ')}"
        await self._ledger.durable(StopAsked(self._clock.now(), agent, word))
        await self._supervisor.stop(agent)
        return f"{agent} is stopped until 'selfheal start {agent}'"

    async def start_again(self, agent: str) -> str:
        """Start what was stopped by a fix."""
        await self._ledger.durable(StartAsked(self._clock.now(), agent, US))
        if self._supervisor.run_of(agent) is None:
            await self._supervisor.start(agent, "fix")
        return f"{agent} was started again"


def _word(agent: str) -> str:
    """By whose word a stand-in runs: it is kept with the agent, and so it is known later that no person wanted it."""
    return f"{US}, to stand in for {agent}"
