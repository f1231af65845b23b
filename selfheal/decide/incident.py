"""An incident is open: what comes next?

Pure, and the whole of the healer's reasoning in one place: read `next_step` from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from selfheal.decide.bars import bars
from selfheal.decide.choice import PRIOR_WEIGHT, Choice, Success, causes_of, choose, must_ask, prior
from selfheal.decide.guard import PASSED, Rules, held, overspent, paused
from selfheal.decide.hindsight import hindsight
from selfheal.decide.matter import of_its_own
from selfheal.events import BreakerTried, Verified
from selfheal.kinds import Fix
from selfheal.plans import (
    Ask,
    Attribute,
    Diagnose,
    Escalate,
    Hold,
    Judge,
    Plan,
    Resolve,
    Rest,
    Step,
    Suggest,
    Suppress,
    Switch,
    Undo,
)
from selfheal.vitals import Vitals
from selfheal.vocabulary import GuardCode, Policy
from selfheal.world import Agent, Attempt, Incident, World
from selfheal.world.odds import HELPED

# What is the verdict on the latest attempt: a `Verified`, or when to ask again.
Verify = Callable[[World, Vitals, Incident, float, float], Verified | float]
# Since when has an agent been well by all its checks, looked at from a moment on; None when it is not.
GoodSince = Callable[[Agent, Vitals, float], float | None]

# A crash loop has said all that it has to say after so many ends.
LOOKS = 4
# The guards that say that enough was done: somebody should know of it.
SPENT: frozenset[GuardCode | None] = frozenset({"agent_budget", "fleet_budget"})


@dataclass(frozen=True, slots=True)
class Healing:
    """What the decision needs besides the world: the fixes that fit each agent, the rules, and its neighbours.

    `policy` says by which rule a fix is chosen at the moment.
    """

    fixes: Mapping[str, tuple[Fix, ...]]
    rules: Rules
    success: Success
    verify: Verify
    good_since: GoodSince
    policy: Callable[[], Policy] = lambda: "look_ahead"


def next_step(world: World, vitals: Vitals, incident: Incident, healing: Healing, now: float) -> Step:
    """Say what is to be done about `incident` now, or why nothing is; what was tried is learned from before it ends."""
    step = _next_step(world, vitals, incident, healing, now)
    if isinstance(step, Resolve | Escalate) and any(one.tells for one in incident.attempts):
        return _attributed(incident, healing) or step
    return step


def _next_step(world: World, vitals: Vitals, incident: Incident, healing: Healing, now: float) -> Step:
    lead, attempt = world.agents.get(incident.agent), incident.attempt
    if attempt is not None and attempt.undone is False:
        return Undo(attempt.number)  # what was begun is finished, over a crash too
    if incident.over or incident.acting:
        return Rest()
    if lead is None:
        return Suppress("the agent is no longer there")
    if lead.finished and lead.last_exit is not None and lead.last_exit.code == 0 and lead.last_exit.at > incident.onset:
        return Resolve("it ran to its end", lead.last_exit.at)
    if (not lead.wanted and not lead.stand_in) or lead.finished:
        return Suppress(f"{lead.name} is stopped on purpose")
    if not incident.causes or (_is_outdated(incident) and _shows(lead)):
        return Diagnose()
    if attempt is not None and not attempt.verified and attempt.outcome != "interrupted":
        verdict = _judged(world, vitals, incident, attempt, healing, now)
        return Judge(verdict) if isinstance(verdict, Verified) else Rest(verdict)
    if attempt is not None and _to_be_undone(attempt, healing):
        why = paused(world, world.agents.get(attempt.agent, lead))
        return Hold(why, None, "paused", attempt.fix) if why else Undo(attempt.number)
    suffering = _suffering(world, incident)
    if not suffering:
        return _end(world, vitals, incident, lead, healing, now)
    return _heal(world, vitals, incident, suffering[0], healing, now)


def _attributed(incident: Incident, healing: Healing) -> Attribute | None:
    """How likely each cause was after all; None where there is but one to choose from."""
    belief = causes_of(incident)
    if len(belief) == 1 and not incident.shares:
        return None
    told = (one for one in incident.attempts if one.verified and one.outcome in HELPED)
    return Attribute(hindsight(belief, ((_helps(one, belief, healing), one.outcome == "succeeded") for one in told)))


def _helps(attempt: Attempt, causes: Iterable[str], healing: Healing) -> dict[str, float]:
    """The chance that what was tried helps, by cause."""
    fixes, fix = healing.fixes.get(attempt.agent, ()), attempt.fix
    believed = {
        cause: healing.success(attempt.agent, cause, fix, prior(fixes, fix, cause), PRIOR_WEIGHT) for cause in causes
    }
    return {cause: one.helps for cause, one in believed.items()}


def _is_outdated(incident: Incident) -> bool:
    """Whether something has failed since the causes were last looked for: the signs may be others by now."""
    attempt = incident.attempt
    if attempt is None or not attempt.in_vain or (attempt.reflex and attempt.number > LOOKS):
        return False
    return attempt.verified_at is not None and attempt.verified_at > incident.diagnosed_at


def _shows(agent: Agent) -> bool:
    """Whether there is anything to be seen: of a run that has just begun nobody knows yet what is wrong."""
    return bool(agent.failing or agent.start_error) or (agent.has_process and agent.run is None)


def _judged(
    world: World, vitals: Vitals, incident: Incident, attempt: Attempt, healing: Healing, now: float
) -> Verified | float:
    """The verdict on an attempt that has ended. An act that did not go through has failed, and counts as such."""
    if attempt.outcome is None or attempt.outcome == "succeeded":
        return healing.verify(world, vitals, incident, healing.rules.verify_s, now)
    return Verified(now, incident.id, attempt.number, attempt.outcome, attempt.output)


def _to_be_undone(attempt: Attempt, healing: Healing) -> bool:
    """Whether an attempt has failed and left something behind that can be taken back."""
    fixes = healing.fixes.get(attempt.agent, ())
    return attempt.in_vain and attempt.undone is None and any(one.name == attempt.fix and one.undo for one in fixes)


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
    if agent.has_process and not agent.ready and not agent.start_error and not _delayed(agent) and _begins(agent):
        return Rest(now + 1.0)
    if agent.breaker.state == "open" and _is_up(agent):
        return Switch(BreakerTried(now, agent.name, "restart"))
    if incident.agent != agent.name and _still_settling(incident, now, healing.rules.verify_s):
        return Rest(now + 1.0)
    looping = _looping(incident, agent, now)
    choice = _chosen(world, incident, agent, healing, looping is not None, now)
    plan = choice.plan
    if plan is None:
        in_vain = any(one.in_vain and not one.reflex for one in incident.attempts)
        return looping if looping is not None and not in_vain else _without_a_fix(incident, agent, choice)
    asked = incident.approval if incident.asking else None
    if asked is not None and (asked.fix, asked.agent) == (plan.fix, plan.agent):
        return Rest(asked.expires_at)
    hold = held(world, vitals, incident, plan, healing.rules, now)
    if hold is not None and looping is not None:
        return looping
    if hold is not None and hold.code == "dry_run" and plan.fix not in incident.suggested:
        return Suggest(plan)
    if hold is not None and hold.code in SPENT and asked is None:
        return _needs_person(incident, hold.reason, hold.until)  # what is needed so often is no cure
    if hold is not None:
        return Rest(hold.until) if asked is not None else hold  # what it waits for is the answer
    opened = overspent(agent, plan, healing.rules, now)
    if opened is not None:
        return Switch(opened)
    return _as_far_as_it_may(incident, replace(plan, passed=PASSED), healing, agent)


def _looping(incident: Incident, agent: Agent, now: float) -> Step | None:
    """What to do about an agent that ends again and again while nothing else than a restart is left: the reflex goes on
    by itself, and a person is called once that has given up. None where it does not.
    """
    if agent.delayed_until is not None:
        return Rest(max(agent.delayed_until, now + 0.1))
    if agent.has_process and agent.run is None and agent.breaker.state != "closed":
        return _needs_person(incident, f"quarantined: {agent.breaker.why}", agent.breaker.retry_at)
    return None


def _chosen(world: World, incident: Incident, agent: Agent, healing: Healing, looping: bool, now: float) -> Choice:
    rules, fixes = healing.rules, healing.fixes.get(agent.name, ())
    barred = bars(world, incident, agent, fixes, rules, looping, now)

    def asks(fix: Fix) -> bool:
        return must_ask(incident, fix, rules.mode(agent.name, fix))

    return choose(
        world,
        of_its_own(incident, fixes),
        agent,
        fixes,
        healing.success,
        rules.verify_s,
        barred,
        asks,
        healing.policy(),
    )


def _without_a_fix(incident: Incident, agent: Agent, choice: Choice) -> Step:
    """Nothing is left that may be done: a person is needed, or has already been told what would be done."""
    why = "; ".join(f"{one.fix}: {one.barred}" for one in choice.alternatives)
    if incident.suggested and any(one.fix in incident.suggested for one in choice.alternatives):
        return Hold(f"only suggested: {', '.join(incident.suggested)}", choice.retry_at, "mode")
    return _needs_person(incident, f"no fix is left for {agent.name}" + (f" ({why})" if why else ""), choice.retry_at)


def _delayed(agent: Agent) -> bool:
    return agent.delayed_until is not None


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


def _as_far_as_it_may(incident: Incident, plan: Plan, healing: Healing, agent: Agent) -> Step:
    """The plan, or the question whether it may be done, or only the word; a no has barred it before it came here."""
    fix = next(one for one in healing.fixes[agent.name] if one.name == plan.fix)
    mode = healing.rules.mode(agent.name, fix)
    if mode == "suggest":
        return Suggest(plan)
    approval = incident.approval
    allowed = approval is not None and approval.approved and (approval.fix, approval.agent) == (plan.fix, plan.agent)
    return plan if allowed or not must_ask(incident, fix, mode) else Ask(plan)


def _needs_person(incident: Incident, reason: str, retry_at: float | None) -> Step:
    if incident.state != "escalated":
        return Escalate(reason)
    return Rest(retry_at)
