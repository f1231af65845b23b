"""What does the daemon itself know around an incident, as a case for whoever looks for its cause?

The agents are the services: the one in trouble, what it depends on and what depends on it. Their signals come from
memory, who calls whom from `depends_on`, the changes from the world. Nothing is asked of anybody, so it costs no time.
"""

from __future__ import annotations

from collections.abc import Iterator

from selfheal.diagnose.case import Alert, Case, Change, Series
from selfheal.history.rings import History
from selfheal.world import Incident, World

# What is normal is learned from so long before the onset; what was changed earlier explains little.
LOOK_BACK_S = 3600.0
CHANGES_S = 6 * 3600.0
# The nearest of them: a case of a fleet of thousands is about its neighbourhood.
AGENTS = 40


def case_of(world: World, history: History, incident: Incident) -> Case:
    """Return what is known around an incident, up to now."""
    agents = _neighbourhood(world, incident)
    graph = {name: _within(agents, world, name) for name in agents}
    return Case(
        at=incident.onset,
        alert=Alert(incident.agent),
        graph={name: callees for name, callees in graph.items() if callees},
        series=tuple(_series(history, agents, incident.onset - LOOK_BACK_S)),
        changes=tuple(_changes(world, agents, incident.onset)),
    )


def _neighbourhood(world: World, incident: Incident) -> tuple[str, ...]:
    """Who suffers, what that depends on, and what depends on it, nearest first."""
    near = [*incident.agents, incident.agent]
    for name in dict.fromkeys(near):
        near += world.dependencies(name)
    near += world.dependents(incident.agent)
    return tuple(dict.fromkeys(name for name in near if name in world.agents))[:AGENTS]


def _within(agents: tuple[str, ...], world: World, name: str) -> tuple[str, ...]:
    return tuple(other for other in world.agents[name].depends_on if other in agents)


def _series(history: History, agents: tuple[str, ...], since: float) -> Iterator[Series]:
    for agent in agents:
        for signal in history.signals(agent):
            points = history.recent(agent, signal, since)
            yield Series(agent, signal, [at for at, _ in points], [value for _, value in points])


def _changes(world: World, agents: tuple[str, ...], onset: float) -> Iterator[Change]:
    """What was changed before it began. What selfheal does about the incident itself comes after that."""
    for one in world.changes:
        if onset - CHANGES_S <= one.at <= onset and one.agent in agents:
            yield Change(one.at, one.agent, one.kind, f"{one.title}{f' by {one.by}' if one.by else ''}")
