"""What holds the healer back?

Pure. Every act that is reasoned passes here; the reflex has its own, shorter door in `decide.reflex`. Each answer is a
reason that a person can read, for "why did it not act" is asked more often than "why did it".
"""

from __future__ import annotations

from dataclasses import dataclass

from selfheal.events import BreakerOpened
from selfheal.plans import Hold, Plan
from selfheal.vitals import Vitals
from selfheal.vocabulary import RestartPolicy
from selfheal.world import Agent, Breaker, Incident, World
from selfheal.world.agents import HOUR_S

RESTARTS: frozenset[str] = frozenset({"restart", "restart_with_dependents"})
# How long the checks of a dependency are waited for before its silence counts as nothing against it.
LOOK_S = 15.0


@dataclass(frozen=True, slots=True)
class Rules:
    """The guard's settings; `policies` has the restart policy of every agent that is a process."""

    max_concurrent_recoveries: int
    attempts_per_hour: int
    dry_run: bool
    verify_s: float
    policies: dict[str, RestartPolicy]


def barred(world: World, agent: Agent, rules: Rules) -> dict[str, str]:
    """The fixes that may not be applied to `agent` as the fleet is, and why; the next best is weighed instead."""
    if rules.policies.get(agent.name) == "never":
        return dict.fromkeys(RESTARTS, "restart = never: only a person may start it again")
    dependents = world.dependents(agent.name)
    if any(rules.policies.get(name) == "never" for name in dependents):
        return {"restart_with_dependents": "restart = never holds for one of them"}
    touched, limit = 1 + len(dependents), _at_once(world, rules)
    if touched > limit:
        return {"restart_with_dependents": f"it restarts {touched} agents, and {limit} at once is the limit"}
    return {}


def held(world: World, vitals: Vitals, incident: Incident, plan: Plan, rules: Rules, now: float) -> Hold | None:
    """Why `plan` may not be carried out now; None when it may."""
    agent = world.agents[plan.agent]
    if world.paused or agent.paused:
        return Hold("healing is paused; 'selfheal resume' turns it on again", None)
    if agent.maintenance_until is not None:
        return Hold(f"{agent.name} is in maintenance", agent.maintenance_until)
    if agent.fixing:
        return Hold(f"something is already being done to {agent.name}", now + 1.0)
    if agent.held_for:
        return Hold(f"the data of {agent.held_for} are being put right", now + 1.0)
    if _unseen(incident, agent, vitals, now):
        return Hold("how far it came before it was interrupted is looked at first", now + 0.5)
    if _comes_back(agent, vitals):
        return Hold(f"{agent.name} answers again", now + 1.0)
    gate = dependency_gate(world, vitals, incident, agent, now)
    if gate is not None:
        return gate
    if rules.dry_run:
        return Hold(f"dry run: {plan.fix} would be applied to {agent.name}", None)
    busy = sum(one.acting and not one.asking and not _in_its_way(world, one, agent) for one in world.open_incidents())
    limit = _at_once(world, rules)
    if busy >= limit:
        under_way = "1 recovery is" if busy == 1 else f"{busy} recoveries are"
        return Hold(f"{under_way} under way, and {limit} at once is the limit", now + 1.0)
    return None


def overspent(agent: Agent, plan: Plan, rules: Rules, now: float) -> BreakerOpened | None:
    """The breaker that opens instead of `plan`: a restart that is needed again and again is no cure."""
    if plan.fix not in RESTARTS or plan.trial or not rules.attempts_per_hour:
        return None
    recent = sum(at > now - HOUR_S for at in agent.recent_starts)
    if recent < rules.attempts_per_hour:
        return None
    retry_at = now + agent.breakers.get(plan.fix, Breaker()).next_wait_s
    return BreakerOpened(now, agent.name, plan.fix, retry_at, f"{recent} restarts within an hour did not help")


def dependency_gate(world: World, vitals: Vitals, incident: Incident, agent: Agent, now: float) -> Hold | None:
    """While something that the agent depends on is down, or may be, acting on the agent itself is in vain.

    A process that is gone or stopped is local evidence; what its dependencies do does not matter then.
    """
    gone = agent.has_process and agent.run is None
    if gone or any(failing.local for failing in agent.failing.values()):
        return None
    # An incident may be old and the agent well for long within it: what it depends on is looked at for each failure.
    began = max([incident.onset, *(failing.since for failing in agent.failing.values())])
    for name in world.dependencies(agent.name):
        dependency = world.agents.get(name)
        if dependency is None or dependency.at_rest:
            continue
        if not dependency.well:
            return Hold(f"its dependency {name} is {dependency.state}", now + 1.0)
        if now - max(incident.opened_at, began) < LOOK_S and not _asked_since(dependency, vitals, began):
            return Hold(f"its dependency {name} is looked at first", now + 0.5)
        if now - dependency.since < LOOK_S or _not_asked_since(agent, vitals, dependency.since):
            return Hold(f"its dependency {name} has only just come back", now + 1.0)
    return None


def _asked_since(dependency: Agent, vitals: Vitals, onset: float) -> bool:
    """Whether every check of `dependency` that works gave a good answer after the trouble began."""
    records = [vitals.check(dependency.name, check) for check in dependency.telling]
    return all(record.last is not None and record.last.ok and record.last_at >= onset for record in records)


def _at_once(world: World, rules: Rules) -> int:
    """How many agents may be acted on at a time: never more than a third of the fleet, and always one."""
    return min(rules.max_concurrent_recoveries, max(1, len(world.agents) // 3))


def _in_its_way(world: World, other: Incident, agent: Agent) -> bool:
    """Whether what is done in `other` cannot end before `agent` is well: it must not take its place."""
    return other.attempt is not None and agent.name in world.dependencies(other.attempt.agent)


def _not_asked_since(agent: Agent, vitals: Vitals, moment: float) -> bool:
    """Whether a check of `agent` that had failed may not know yet what changed at `moment`."""
    return any(vitals.check(agent.name, check).last_at < moment for check in agent.failing)


def _unseen(incident: Incident, agent: Agent, vitals: Vitals, now: float) -> bool:
    """Whether a fix was interrupted and nobody has looked since: it may have done all that was needed."""
    attempt = incident.attempt
    if attempt is None or attempt.outcome != "interrupted" or attempt.ended_at is None:
        return False
    return now - attempt.ended_at < LOOK_S and _not_asked_since(agent, vitals, attempt.ended_at)


def _comes_back(agent: Agent, vitals: Vitals) -> bool:
    """Whether what had failed answers well again, and has only not done so often enough to count as well."""
    return bool(agent.failing) and all(vitals.check(agent.name, check).ok for check in agent.failing)
