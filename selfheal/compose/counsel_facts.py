"""What of that which is known around an incident is worth telling a language model?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from selfheal.events import Alternative
from selfheal.kinds import Fix
from selfheal.model.pack import Change, Facts, Option, Past
from selfheal.plans import Ask, Clues, Plan, Step, Suggest
from selfheal.world import Incident, World

# What was changed earlier explains little.
CHANGES_S = 6 * 3600.0
DAY_S = 86_400.0


def facts_of(
    world: World, incident: Incident, step: Step, clues: Clues, fixes: Mapping[str, Fix], now: float
) -> Facts:  # fmt: skip
    """Gather what there is. `step` is what would be done now."""
    return Facts(
        agent=incident.agent,
        trigger=incident.trigger,
        sign=incident.sign,
        causes=incident.found,
        options=tuple(_options(_weighed(incident, step), fixes)),
        log=tuple(clues.log),
        onsets=_onsets(world, incident),
        changes=tuple(_changes(world, incident)),
        past=tuple(_past(incident, now)),
    )


def fingerprint(incident: Incident) -> str:
    """What stays the same where the same trouble comes again."""
    causes = sorted((one.slug, one.agent) for one in incident.found)
    return sha256(repr((incident.agent, incident.trigger, causes)).encode()).hexdigest()[:16]


def _weighed(incident: Incident, step: Step) -> Sequence[Alternative]:
    plan = step.plan if isinstance(step, Ask | Suggest) else step
    if isinstance(plan, Plan):
        return plan.alternatives
    return incident.plan.alternatives if incident.plan is not None else ()


def _options(weighed: Sequence[Alternative], fixes: Mapping[str, Fix]) -> Iterator[Option]:
    for one in weighed:
        fix = fixes.get(one.fix)
        if fix is not None:
            yield Option(fix.name, fix.layer, fix.tier, one.success, one.barred)


def _onsets(world: World, incident: Incident) -> tuple[tuple[str, float], ...]:
    """Since when each agent of the incident, and what it depends on, has been down, the first first."""
    names = dict.fromkeys((*incident.agents, *world.dependencies(incident.agent)))
    down = [world.agents[name] for name in names if name in world.agents and world.agents[name].down]
    return tuple(sorted(((one.name, max(0.0, one.since - incident.onset)) for one in down), key=lambda one: one[1]))


def _changes(world: World, incident: Incident) -> Iterator[Change]:
    near = {*incident.agents, *world.dependencies(incident.agent)}
    for one in world.changes:
        before_s = incident.onset - one.at
        if one.agent in near and 0.0 <= before_s <= CHANGES_S:
            yield Change(one.agent, one.kind, one.title, before_s)


def _past(incident: Incident, now: float) -> Iterator[Past]:
    """Incidents that looked like this one, nearest first: what they were, and what helped."""
    for one in incident.similar:
        outcome = "succeeded" if one.fix else ""
        yield Past(one.agent, one.cause or "unknown", one.fix, outcome, (now - one.at) / DAY_S)
