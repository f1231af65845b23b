"""At which times was an agent not as it usually is, so that nothing of them is to be learned?

Incidents, also those of others from which it suffered, and a while after each; maintenance; what follows an act of
ours; a start, which warms up; anomalies, but those that a person has dismissed.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from selfheal.ml.rows import Span
from selfheal.world import Agent, Anomalies, Foresight, Incident, World

# Caches are filled and queues are emptied after an incident is over, and after a restart.
AFTER_S = 600.0
WARM_UP_S = 120.0


def left_out(world: World, agent: str, since: float) -> tuple[Span, ...]:
    """The times from `since` on of which nothing is learned about an agent, in order."""
    known = world.agents.get(agent)
    if known is None:
        return ()
    suffered = (one for one in world.incidents.values() if agent in one.agents or agent == one.agent)
    spans = [*map(_incident, suffered), *_states(known)]
    spans += [*_worked_on(world.foresight, agent), *_strange(world.anomalies, agent)]
    return tuple(sorted(span for span in spans if span[1] >= since))


def _incident(one: Incident) -> Span:
    """From the onset until a while after its end and after whatever was done because of it."""
    if not one.over:
        return one.onset, inf
    ended = (attempt.ended_at for attempt in one.attempts)
    return one.onset, max(at for at in (one.opened_at, one.resolved_at, *ended) if at is not None) + AFTER_S


def _states(agent: Agent) -> Iterator[Span]:
    """What the agent is in now: a young run, maintenance, or a state that is not the usual one."""
    if agent.run is not None:
        yield agent.run.started_at, agent.run.started_at + WARM_UP_S
    if agent.state != "healthy":
        yield agent.since, inf


def _worked_on(foresight: Foresight, agent: str) -> Iterator[Span]:
    for work in foresight.work.values():
        if work.planned.agent == agent and work.done_at is not None and work.outcome != "rejected":
            yield work.done_at, work.done_at + AFTER_S


def _strange(anomalies: Anomalies, agent: str) -> Iterator[Span]:
    for one in anomalies.known.values():
        for member in one.members if not one.dismissed else ():
            if member.agent == agent:
                yield member.since, _end(member.over_at, one.over_at)


def _end(*over_at: float | None) -> float:
    """A signal is back when it is said to be, or with the whole anomaly."""
    return min((at for at in over_at if at is not None), default=inf)
