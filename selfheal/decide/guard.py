"""What holds the healer back?

Pure. Every act that is reasoned passes `GUARDS` from top to bottom; the reflex has its own, shorter door in
`decide.reflex`. Each answer is a reason that a person can read, with a code that is kept, for "why did it not act" is
asked more often than "why did it". What keeps a single fix from being chosen stands in `decide.bars`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from selfheal.decide.matter import RESTARTS, TEN_MINUTES_S, Matter, attempts_on, is_local, onset
from selfheal.decide.matter import Rules as Rules
from selfheal.decide.storm import storm
from selfheal.events import BreakerOpened
from selfheal.plans import Hold, Plan
from selfheal.vitals import Vitals
from selfheal.vocabulary import GuardCode
from selfheal.world import Agent, Breaker, Incident, World
from selfheal.world.agents import HOUR_S

# How long the checks of a dependency are waited for before its silence counts as nothing against it.
LOOK_S = 15.0

# Where a ranking blames what an agent depends on, that is waited for so long. It may be wrong, or nobody may put it
# right: then what is seen of the agent itself is tried after all.
BLAMED_S = 60.0

Guard = Callable[[Matter], Hold | None]


def held(world: World, vitals: Vitals, incident: Incident, plan: Plan, rules: Rules, now: float) -> Hold | None:
    """Why `plan` may not be carried out now; None when it may."""
    matter = Matter(world, vitals, incident, plan, rules, now)
    for code, guard in GUARDS:
        hold = guard(matter)
        if hold is not None:
            return replace(hold, code=code, fix=plan.fix)
    return None


def paused(world: World, agent: Agent) -> str:
    """Why nothing is done but by a person; empty where it may be. The word for all comes before that for one."""
    if world.paused:
        return "healing is paused; 'selfheal resume' turns it on again"
    return (
        f"healing of {agent.name} is paused; 'selfheal resume {agent.name}' turns it on again" if agent.paused else ""
    )


def at_once(world: World, rules: Rules) -> int:
    """How many agents may be acted on at a time: never more than a third of the fleet, and always one."""
    return min(rules.max_concurrent_recoveries, max(1, len(world.agents) // 3))


def overspent(agent: Agent, plan: Plan, rules: Rules, now: float) -> BreakerOpened | None:
    """The breaker that opens instead of `plan`: a restart that is needed again and again is no cure."""
    if plan.fix not in RESTARTS or plan.trial or not rules.attempts_per_hour:
        return None
    recent = sum(at > now - HOUR_S for at in agent.recent_starts)
    if recent < rules.attempts_per_hour:
        return None
    retry_at = now + agent.breakers.get(plan.fix, Breaker()).next_wait_s
    return BreakerOpened(now, agent.name, plan.fix, retry_at, f"{recent} restarts within an hour did not help")


# --- the guards, each with what it asks ------------------------------------------------------------------------------


def _target(matter: Matter) -> Hold | None:
    """An act has a target that is named and there: an empty or unknown one never means all."""
    if matter.agent is None:
        return Hold(f"there is no agent {matter.plan.agent!r} to act on", None)
    return None


def _duplicate(matter: Matter) -> Hold | None:
    agent = _agent(matter)
    return Hold(f"something is already being done to {agent.name}", matter.now + 1.0) if agent.fixing else None


def _maintenance(matter: Matter) -> Hold | None:
    agent = _agent(matter)
    if agent.maintenance_until is None:
        return None
    return Hold(f"{agent.name} is in maintenance", agent.maintenance_until)


def _paused(matter: Matter) -> Hold | None:
    why = paused(matter.world, _agent(matter))
    return Hold(why, None) if why else None


def _data_held(matter: Matter) -> Hold | None:
    agent = _agent(matter)
    return Hold(f"it is stopped for the sake of {agent.held_for}", matter.now + 1.0) if agent.held_for else None


def _interrupted(matter: Matter) -> Hold | None:
    """What was interrupted is looked at first: it may have done all that was needed."""
    attempt = matter.incident.attempt
    if attempt is None or attempt.outcome != "interrupted" or attempt.ended_at is None:
        return None
    waits = matter.now - attempt.ended_at < LOOK_S
    if not (waits and _not_asked_since(_agent(matter), matter.vitals, attempt.ended_at)):
        return None
    return Hold("how far it came before it was interrupted is looked at first", matter.now + 0.5)


def _recovering(matter: Matter) -> Hold | None:
    """What had failed answers well again, and has only not done so often enough to count as well."""
    agent = _agent(matter)
    if not agent.failing or not all(matter.vitals.check(agent.name, check).ok for check in agent.failing):
        return None
    return Hold(f"{agent.name} answers again", matter.now + 1.0)


def _dependency(matter: Matter) -> Hold | None:
    """While something that the agent depends on is down, or may be, acting on the agent itself is in vain.

    A process that is gone or stopped is local evidence; what its dependencies do does not matter then.
    """
    world, vitals, now, agent = matter.world, matter.vitals, matter.now, _agent(matter)
    if is_local(agent):
        return None
    began = onset(matter.incident, agent)
    for name in world.dependencies(agent.name):
        dependency = world.agents.get(name)
        if dependency is not None and dependency.stand_in:
            dependency = world.agents.get(dependency.stand_in)
        if dependency is None or dependency.at_rest:
            continue
        if not dependency.well:
            return Hold(f"its dependency {name} is {dependency.state}", now + 1.0)
        if now - max(matter.incident.opened_at, began) < LOOK_S and not _asked_since(dependency, vitals, began):
            return Hold(f"its dependency {name} is looked at first", now + 0.5)
        if now - dependency.since < LOOK_S or _not_asked_since(agent, vitals, dependency.since):
            return Hold(f"its dependency {name} has only just come back", now + 1.0)
    return _blamed(matter, agent)


def _blamed(matter: Matter, agent: Agent) -> Hold | None:
    """The likeliest cause is elsewhere, and is not seen by a check of its own: nothing is done there, nor here yet."""
    incident, until = matter.incident, matter.incident.diagnosed_at + BLAMED_S
    first = incident.causes[0] if incident.causes else None
    if first is None or "ranking" not in first.channels or first.agent not in matter.world.dependencies(agent.name):
        return None
    if matter.now >= until:
        return None
    return Hold(f"its dependency {first.agent} is likelier the cause ({first.probability:.0%})", until)


def _dry_run(matter: Matter) -> Hold | None:
    plan = matter.plan
    return Hold(f"dry run: {plan.fix} would be applied to {plan.agent}", None) if matter.rules.dry_run else None


def _concurrency(matter: Matter) -> Hold | None:
    world, agent = matter.world, _agent(matter)
    busy = sum(not one.asking and not _in_its_way(world, one, agent) for one in world.acting())
    limit = at_once(world, matter.rules)
    if busy < limit:
        return None
    under_way = "1 recovery is" if busy == 1 else f"{busy} recoveries are"
    return Hold(f"{under_way} under way, and {limit} at once is the limit", matter.now + 1.0)


def _agent_budget(matter: Matter) -> Hold | None:
    limit, now, name = matter.rules.acts_per_agent, matter.now, matter.plan.agent
    recent = [one.at for one in matter.world.done if one.agent == name and one.at > now - TEN_MINUTES_S]
    if not limit or len(recent) < limit:
        return None
    return Hold(f"{len(recent)} things were done to {name} within ten minutes", recent[-limit] + TEN_MINUTES_S)


def _fleet_budget(matter: Matter) -> Hold | None:
    limit, now = matter.rules.acts_per_hour, matter.now
    recent = [one.at for one in matter.world.done if one.at > now - HOUR_S]
    if not limit or len(recent) < limit:
        return None
    return Hold(
        f"{len(recent)} things were done to the fleet within an hour, and {limit} is the limit", recent[-limit] + HOUR_S
    )


def _cooldown(matter: Matter) -> Hold | None:
    """What was healed a moment ago is left alone, also where that did not last: its signals may be old. That a process
    is gone is no old signal.
    """
    agent, cooldown_s = _agent(matter), matter.rules.cooldown_s
    if is_local(agent):
        return None
    known = (one for _, one in attempts_on(matter.world, agent.name) if not one.reflex)
    helped = (one.verified_at for one in known if one.first_good_at is not None and one.verified_at is not None)
    latest = max(helped, default=None)
    if latest is None or matter.now >= latest + cooldown_s:
        return None
    return Hold(f"{agent.name} was healed a moment ago, and what is seen of it may be old", latest + cooldown_s)


# The order is that in which one would ask: is there anything to act on, may anything be done at all, is it this agent's
# own trouble, and has enough been done already? The fix itself was judged before (`decide.bars`); after it come the
# question to a person, where one is asked, and the record of the intent.
GUARDS: tuple[tuple[GuardCode, Guard], ...] = (
    ("target", _target),
    ("duplicate", _duplicate),
    ("maintenance", _maintenance),
    ("paused", _paused),
    ("data_held", _data_held),
    ("interrupted", _interrupted),
    ("recovering", _recovering),
    ("dependency", _dependency),
    ("storm", storm),
    ("dry_run", _dry_run),
    ("concurrency", _concurrency),
    ("agent_budget", _agent_budget),
    ("fleet_budget", _fleet_budget),
    ("cooldown", _cooldown),
)
PASSED: tuple[GuardCode, ...] = tuple(code for code, _ in GUARDS)


def _agent(matter: Matter) -> Agent:
    """The target, which `_target` has found to be there."""
    return matter.world.agents[matter.plan.agent]


def _asked_since(dependency: Agent, vitals: Vitals, began: float) -> bool:
    """Whether every check of `dependency` that works gave a good answer after the trouble began."""
    records = [vitals.check(dependency.name, check) for check in dependency.telling]
    return all(record.last is not None and record.last.ok and record.last_at >= began for record in records)


def _not_asked_since(agent: Agent, vitals: Vitals, moment: float) -> bool:
    """Whether a check of `agent` that had failed may not know yet what changed at `moment`."""
    return any(vitals.check(agent.name, check).last_at < moment for check in agent.failing)


def _in_its_way(world: World, other: Incident, agent: Agent) -> bool:
    """Whether what is done in `other` cannot end before `agent` is well: it must not take its place."""
    return other.attempt is not None and agent.name in world.dependencies(other.attempt.agent)
