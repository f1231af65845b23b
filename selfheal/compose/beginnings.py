"""What is new since the last daemon? The events with which a daemon begins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from selfheal.compose.fleet import AgentPlan
from selfheal.events import AgentDeclared, AgentRemoved, FixEnded, ScaleAsked, StateDamaged, StopAsked
from selfheal.world import Agent, World


def beginnings(
    world: World,
    plans: Mapping[str, AgentPlan],
    damages: Iterable[StateDamaged],
    overruled: Iterable[ScaleAsked],
    now: float,
) -> Iterator[StateDamaged | ScaleAsked | AgentRemoved | AgentDeclared | StopAsked | FixEnded]:
    """The damage found in our state, the words on the number of instances that the file has `overruled`, the agents
    that came and went, and the fixes that the last daemon left undone.
    """
    yield from damages
    yield from overruled
    for name in world.agents:
        if name not in plans:
            yield AgentRemoved(now, name)
    for plan in plans.values():
        declared = plan.declared(now)
        if not _is_declared(world.agents.get(plan.name), declared):
            yield declared
        if plan.name not in world.agents:
            yield from plan.held_back(now)
    for incident in world.open_incidents():
        if incident.attempt is not None and incident.acting:
            yield FixEnded(now, incident.id, incident.attempt.number, "interrupted", "the daemon ended meanwhile")


def _is_declared(agent: Agent | None, event: AgentDeclared) -> bool:
    """Whether the world already knows the agent just so."""
    if agent is None:
        return False
    return event == replace(
        event,
        kind=agent.kind,
        layer=agent.layer,
        depends_on=agent.depends_on,
        checks=agent.checks,
        implicit=agent.implicit,
        has_process=agent.has_process,
        memory_limit=agent.memory_limit,
        fds_limit=agent.fds_limit,
        ends=agent.ends,
        schedule=agent.schedule,
        hosts=agent.hosts,
        version=agent.version,
        signal_limits=agent.signal_limits,
    )
