"""Who writes data that are put right, and who lets them run again?

The writers of a data agent are the processes that depend on it. They are stopped before anything is done to the data,
kept stopped over a crash of the daemon, and started again when nothing is done any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence

from selfheal.clock import Clock
from selfheal.compose.fleet import AgentPlan, waves
from selfheal.errors import FixFailed, SelfhealError
from selfheal.events import AgentHeld, AgentReleased, Event, IncidentEscalated, IncidentResolved, IncidentSuppressed
from selfheal.ledger import Ledger
from selfheal.supervise.supervisor import Supervisor
from selfheal.world import Agent, World

Spawn = Callable[[str, Coroutine[object, object, None]], object]


class Writers:
    """Holds them and lets them go."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        supervisor: Supervisor,
        plans: Mapping[str, AgentPlan],
        spawn: Spawn,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._supervisor = supervisor
        self._plans = plans
        self._spawn = spawn

    def of(self, data: str) -> tuple[str, ...]:
        """Who of ours writes the data of this agent."""
        return tuple(plan.name for plan in self._plans.values() if plan.launch is not None and self._writes(plan, data))

    async def hold(self, data: str) -> str:
        """Stop who may write, those that depend on others first. Raises FixFailed where one does not end."""
        told = await self.hold_for(data, self.of(data))
        strangers = [plan.name for plan in self._plans.values() if plan.launch is None and self._writes(plan, data)]
        elsewhere = f"; {', '.join(strangers)} run elsewhere and may go on writing" if strangers else ""
        return (told or "nobody here writes to it") + elsewhere

    async def hold_for(self, agent: str, names: Sequence[str]) -> str:
        """Stop these for the sake of an agent, and keep them stopped; over a crash of the daemon too."""
        agents, now = self._ledger.world.agents, self._clock.now()
        free = [name for name in names if not agents[name].held_for]
        self._ledger.record(*(AgentHeld(now, name, agent) for name in free))
        for wave in reversed(waves(self._plans, names)):
            await asyncio.gather(*(self._supervisor.stop(name) for name in wave))
        return f"{', '.join(names)} stopped" if names else ""

    async def release(self, data: str) -> str:
        """Start again who was held for this agent, and is still wanted. Raises FixFailed where one does not start."""
        world, now = self._ledger.world, self._clock.now()
        held = [name for name, agent in world.agents.items() if agent.held_for == data]
        self._ledger.record(*(AgentReleased(now, name, data) for name in held))
        wanted = [name for name in held if name in self._plans and _runs_by_itself(world.agents[name])]
        failed: list[str] = []
        for wave in waves(self._plans, wanted):
            tried = await asyncio.gather(*(self._started(name) for name in wave))
            failed += [why for why in tried if why]
        if failed:
            raise FixFailed("; ".join(failed))
        return f"{', '.join(wanted)} started" if wanted else ""

    def left_over(self, world: World, now: float) -> tuple[AgentReleased, ...]:
        """Who was held by an earlier daemon for what nobody will go on with."""
        return tuple(
            AgentReleased(now, agent.name, agent.held_for)
            for agent in world.agents.values()
            if agent.held_for and not _is_put_right(world, agent.held_for)
        )

    def heed(self, event: Event) -> None:
        """Let go whom nothing holds any more: a recovery that was interrupted turned out not to be needed, say."""
        if isinstance(event, IncidentResolved | IncidentSuppressed | IncidentEscalated):
            incident = self._ledger.world.incidents.get(event.incident)
            held = incident is not None and not incident.acting and self._holds(incident.agent)
            if incident is not None and held and self._is_data(incident.agent):
                self._spawn(f"release writers of {incident.agent}", self.let_go(incident.agent))

    def _holds(self, data: str) -> bool:
        return any(agent.held_for == data for agent in self._ledger.world.agents.values())

    def _is_data(self, name: str) -> bool:
        plan = self._plans.get(name)
        return plan is None or plan.asset is not None

    async def let_go(self, data: str) -> None:
        """Release those who were held; one that does not start is written down, and an incident of its own."""
        try:
            await self.release(data)
        except FixFailed:
            return

    async def _started(self, name: str) -> str:
        try:
            await self._supervisor.start(name, "dependency")
        except SelfhealError as why:
            return str(why)
        return ""

    def _writes(self, plan: AgentPlan, data: str) -> bool:
        return data in plan.config.depends_on


def _runs_by_itself(agent: Agent) -> bool:
    """Whether it shall run without a word of a person or a time that has come."""
    return agent.wanted and not agent.finished and not agent.schedule


def _is_put_right(world: World, data: str) -> bool:
    """Whether an open incident of a data agent goes on with what holds its writers."""
    return any(
        one.agent == data and one.attempt is not None and one.attempt.outcome in (None, "interrupted")
        for one in world.open_incidents()
        if one.state != "escalated"
    )
