"""What is there to judge by when a fix is weighed or held back? The facts that several guards share.

Pure. What is asked of the configuration stands in `Rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from selfheal.events import Cause
from selfheal.kinds import Fix
from selfheal.plans import Plan
from selfheal.vitals import Vitals
from selfheal.vocabulary import Mode, RestartPolicy
from selfheal.world import Agent, Attempt, Incident, World

RESTARTS: frozenset[str] = frozenset({"restart", "restart_with_dependents", "replace_by_spare"})
# How long a fix that has failed is not repeated against the same cause on the same agent.
REPEAT_S = 1800.0
TEN_MINUTES_S = 600.0


@dataclass(frozen=True, slots=True)
class Rules:
    """The guard's settings, in seconds and counts, 0 for no limit. `policies` has the restart policy of every agent
    that is a process; `mode` says how far a fix may go on an agent.
    """

    max_concurrent_recoveries: int
    attempts_per_hour: int
    dry_run: bool
    verify_s: float
    policies: Mapping[str, RestartPolicy]
    acts_per_agent: int = 3
    acts_per_fix: int = 20
    acts_per_hour: int = 60
    cooldown_s: float = 60.0
    storm_share: float = 0.2
    storm_floor: int = 3
    mode: Callable[[str, Fix], Mode] = lambda agent, fix: fix.mode


@dataclass(frozen=True, slots=True)
class Matter:
    """A plan that is to be judged, with all that is known at `now`. `agent` is None where it is no longer there."""

    world: World
    vitals: Vitals
    incident: Incident
    plan: Plan
    rules: Rules
    now: float

    @property
    def agent(self) -> Agent | None:
        return self.world.agents.get(self.plan.agent)


def is_local(agent: Agent) -> bool:
    """Whether its own process is what is wrong, as the kernel says: nothing that another agent does explains it."""
    gone = agent.has_process and agent.run is None
    return gone or any(failing.local for failing in agent.failing.values())


def onset(incident: Incident, agent: Agent) -> float:
    """Since when it is as it is. An incident may be old and the agent have been well for long within it."""
    return max([incident.onset, *(failing.since for failing in agent.failing.values())])


def of_its_own(incident: Incident, fixes: Iterable[Fix]) -> Incident:
    """The incident as rules alone see it, where a ranking has blamed somebody else and no fix was written for that.

    Who is blamed is waited for, which is the guard's affair. What is done to the agent itself after that is against
    what is seen of itself: else nothing would ever be, however wrong the ranking was.
    """
    blamed = [one for one in incident.causes if one.channels == ("ranking",)]
    if not blamed or any(one.slug in fix.causes for one in blamed for fix in fixes):
        return incident
    return replace(incident, causes=_without(incident.causes), found=_without(incident.found))


def _without(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """The causes but for those that only a ranking names, with what those had taken of the others' share."""
    left = [one for one in causes if one.channels != ("ranking",)]
    share, whole = sum(one.probability for one in left), sum(one.probability for one in causes)
    more = whole / share if share else 1.0
    return tuple(replace(one, probability=one.probability * more) for one in left)


def attempts_on(world: World, agent: str) -> Iterator[tuple[Incident, Attempt]]:
    """Every attempt on an agent that is still known, of the latest incident first."""
    for incident in reversed(tuple(world.incidents.values())):
        if agent in incident.agents:
            yield from ((incident, one) for one in reversed(incident.attempts) if one.agent == agent)


def failed_lately(world: World, incident: Incident, agent: str, now: float) -> Mapping[str, float]:
    """Until when each fix is not repeated, since it has failed on `agent` against what is the cause now.

    What had helped and has not lasted may be done again: it buys time, and its odds say how little.
    """
    until: dict[str, float] = {}
    for other, attempt in attempts_on(world, agent):
        cause = attempt.cause or other.cause
        bought_time = attempt.outcome == "relapsed" and other.id != incident.id
        failed_at = attempt.verified_at if attempt.in_vain and not bought_time else None
        if failed_at is not None and cause == incident.cause and now < failed_at + REPEAT_S:
            until[attempt.fix] = max(until.get(attempt.fix, 0.0), failed_at + REPEAT_S)
    return until
