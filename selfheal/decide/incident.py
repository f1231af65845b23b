"""An incident is open: what comes next?

Pure, and the whole of the healer's reasoning in one place: read `next_step` from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from selfheal.decide.choice import Success, choose, must_ask
from selfheal.decide.guard import Rules, barred, held, overspent
from selfheal.events import BreakerTried, Verified
from selfheal.kinds import Fix
from selfheal.plans import Ask, Diagnose, Escalate, Judge, Plan, Resolve, Rest, Step, Suppress, Switch
from selfheal.vitals import Vitals
from selfheal.world import Agent, Attempt, Incident, World

# What is the verdict on the latest attempt: a `Verified`, or when to ask again.
Verify = Callable[[World, Vitals, Incident, float, float], Verified | float]
# Since when has an agent been well by all its checks, looked at from a moment on; None when it is not.
GoodSince = Callable[[Agent, Vitals, float], float | None]


@dataclass(frozen=True, slots=True)
class Healing:
    """What the decision needs besides the world: the fixes that fit each agent, the rules, and its neighbours."""

    fixes: Mapping[str, tuple[Fix, ...]]
    rules: Rules
    success: Success
    verify: Verify
    good_since: GoodSince


def next_step(world: World, vitals: Vitals, incident: Incident, healing: Healing, now: float) -> Step:
    """Say what is to be done about `incident` now, or why nothing is."""
    lead = world.agents.get(incident.agent)
    if incident.over or incident.acting:
        return Rest()
    if lead is None:
        return Suppress("the agent is no longer there")
    if lead.finished and lead.last_exit is not None and lead.last_exit.code == 0 and lead.last_exit.at > incident.onset:
        return Resolve("it ran to its end", lead.last_exit.at)
    if not lead.wanted or lead.finished:
        return Suppress(f"{lead.name} is stopped on purpose")
    if not incident.causes:
        return Diagnose()
    attempt = incident.attempt
    if attempt is not None and not attempt.verified and attempt.outcome != "interrupted":
        verdict = _judged(world, vitals, incident, attempt, healing, now)
        return Judge(verdict) if isinstance(verdict, Verified) else Rest(verdict)
    suffering = _suffering(world, incident)
    if not suffering:
        return _end(world, vitals, incident, lead, healing, now)
    return _heal(world, vitals, incident, suffering[0], healing, now)


def _judged(
    world: World, vitals: Vitals, incident: Incident, attempt: Attempt, healing: Healing, now: float
) -> Verified | float:
    """The verdict on an attempt that has ended. An act that did not go through has failed, and counts as such."""
    if attempt.outcome is None or attempt.outcome == "succeeded":
        return healing.verify(world, vitals, incident, healing.rules.verify_s, now)
    return Verified(now, incident.id, attempt.number, attempt.outcome, attempt.output)


def _suffering(world: World, incident: Incident) -> list[Agent]:
    """Agents of the incident that are not well, the one with the cause first."""
    agents = [world.agents[name] for name in incident.agents if name in world.agents]
    return [agent for agent in agents if agent.down and agent.maintenance_until is None]


def _end(world: World, vitals: Vitals, incident: Incident, lead: Agent, healing: Healing, now: float) -> Step:
    """All are well: it is over, at once where an attempt was verified, else after a window of good answers."""
    if incident.first_good_at is not None:
        fix = incident.attempt.fix if incident.attempt else "it"
        return Resolve(f"{fix} helped", incident.first_good_at)
    if lead.maintenance_until is not None:
        return Rest(lead.maintenance_until)
    good_at = healing.good_since(lead, vitals, incident.onset)
    if good_at is None:
        return Rest(now + 1.0)
    if now - good_at < healing.rules.verify_s:
        return Rest(good_at + healing.rules.verify_s)
    return Resolve(_what_helped(world, incident, lead), good_at)


def _what_helped(world: World, incident: Incident, lead: Agent) -> str:
    """What else than a fix has changed since it began: a person's word, or something that the agent depends on."""
    if lead.ordered_by and lead.ordered_at >= incident.onset:
        return f"{lead.ordered_by} started it"
    known = (world.agents[name] for name in world.dependencies(lead.name) if name in world.agents)
    back = next((one.name for one in known if one.well and one.since > incident.onset), None)
    return f"its dependency {back} is back" if back is not None else "it recovered by itself"


def _heal(world: World, vitals: Vitals, incident: Incident, agent: Agent, healing: Healing, now: float) -> Step:
    """`agent` is not well: choose a fix, unless the reflex is at work or something holds it back."""
    if agent.delayed_until is not None:
        return Rest(max(agent.delayed_until, now + 0.1))
    if agent.has_process and not agent.ready and not agent.start_error and _begins(agent):
        return Rest(now + 1.0)
    if agent.breaker.state == "open" and _is_up(agent):
        return Switch(BreakerTried(now, agent.name, "restart"))
    if agent.has_process and agent.run is None and agent.breaker.state != "closed":
        return _needs_person(incident, f"quarantined: {agent.breaker.why}", agent.breaker.retry_at)
    if incident.agent != agent.name and _still_settling(incident, now, healing.rules.verify_s):
        return Rest(now + 1.0)
    rules, fixes = healing.rules, healing.fixes.get(agent.name, ())
    choice = choose(world, incident, agent, fixes, healing.success, rules.verify_s, barred(world, agent, rules), now)
    plan = choice.plan
    if plan is None:
        why = "; ".join(f"{one.fix}: {one.barred}" for one in choice.alternatives)
        return _needs_person(
            incident, f"no fix is left for {agent.name}" + (f" ({why})" if why else ""), choice.retry_at
        )
    asked = incident.approval if incident.asking else None
    if asked is not None and (asked.fix, asked.agent) == (plan.fix, plan.agent):
        return Rest(asked.expires_at)
    hold = held(world, vitals, incident, plan, rules, now)
    if hold is not None:
        return Rest(hold.until) if asked is not None else hold  # what it waits for is the answer
    opened = overspent(agent, plan, rules, now)
    if opened is not None:
        return Switch(opened)
    return _asked(incident, plan, healing, agent)


def _begins(agent: Agent) -> bool:
    """Whether it gets ready, or is about to be started by a daemon that has just begun itself."""
    return not agent.failing if agent.run is not None else agent.last_exit is None


def _is_up(agent: Agent) -> bool:
    """Whether it works, whatever its breaker says: what was not there when it failed has come back, say."""
    return agent.ready and not agent.failing and (agent.run is not None or not agent.has_process)


def _still_settling(incident: Incident, now: float, window_s: float) -> bool:
    """Those who suffer from another's trouble get time to recover once that is mended."""
    attempt = incident.attempt
    return attempt is not None and attempt.ended_at is not None and now - attempt.ended_at < 2 * window_s + 5.0


def _asked(incident: Incident, plan: Plan, healing: Healing, agent: Agent) -> Step:
    """The plan, or the question whether it may be done; a no has barred it before it came here."""
    fix = next(one for one in healing.fixes[agent.name] if one.name == plan.fix)
    approval = incident.approval
    allowed = approval is not None and approval.approved and (approval.fix, approval.agent) == (plan.fix, plan.agent)
    return plan if allowed or not must_ask(incident, fix) else Ask(plan)


def _needs_person(incident: Incident, reason: str, retry_at: float | None) -> Step:
    if incident.state != "escalated":
        return Escalate(reason)
    return Rest(retry_at)
