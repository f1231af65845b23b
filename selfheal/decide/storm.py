"""Does much fail at once? Then the cause is likely elsewhere, and restarting all of it makes it worse.

Pure. What fails at once is healed one by one: the first is a trial. Has it helped, the others follow; has it not,
nobody else is touched while that lasts, and a person is called. A process that is gone or stopped is its own trouble,
in a storm too. Work that is planned on who is well waits while it lasts, and no longer.
"""

from __future__ import annotations

from collections.abc import Iterator

from selfheal.decide.matter import REPEAT_S, Matter, is_local, onset
from selfheal.plans import Hold
from selfheal.world import Agent, Attempt

# What began within so long of each other failed at once: checks that are asked once a minute and settle on the third
# failure see one outage over so long a time.
AT_ONCE_S = 180.0
# Once most are well again, the last ones have so long to follow by themselves.
FOLLOW_S = 45.0
# Checks take turns: what fails by the same outage is seen to fail up to so long after the first was tried.
TURN_S = 15.0


def storm(matter: Matter) -> Hold | None:
    """Why `matter` has to wait for what else fails; None where nothing does, or where it may be the trial."""
    agent, rules = matter.agent, matter.rules
    if agent is None or is_local(agent):
        return None
    limit = max(rules.storm_floor, rules.storm_share * len(matter.world.agents))
    if matter.incident.trigger == "foreseen":
        return _lasts(matter, limit)
    began = onset(matter.incident, agent)
    failed = _failed_too(matter, began)
    if 1 + len(failed) <= limit:
        return None
    well = {name for name in failed if _answers(matter, matter.world.agents[name])}
    if 1 + len(failed - well) <= limit:
        return _abates(matter, well)
    latest = max(_trials(matter, began), key=lambda attempt: attempt.started_at, default=None)
    if latest is None:
        return None
    if not latest.verified:
        return Hold(f"much of the fleet fails at once, and {latest.agent} is healed first", matter.now + 1.0)
    if latest.in_vain and latest.verified_at is not None:
        why = f"much of the fleet fails at once, and {latest.fix} of {latest.agent} has not helped: what do they share?"
        return Hold(why, max(latest.verified_at + REPEAT_S, matter.now + 1.0))
    return None


def _lasts(matter: Matter, limit: float) -> Hold | None:
    """Planned work waits for the end of a storm, whenever that began, and no longer: nothing has failed of it yet."""
    agents = matter.world.agents
    failed = {name for one in matter.world.open_incidents() if one.trigger == "check" for name in one.agents}
    others = (failed & agents.keys()) - set(matter.incident.agents)
    if 1 + sum(not _answers(matter, agents[name]) for name in others) <= limit:
        return None
    return Hold("much of the fleet fails at once, and planned work waits for the end of that", matter.now + 1.0)


def _abates(matter: Matter, well: set[str]) -> Hold | None:
    """Most are well again: the others get the time to follow, and what still fails then has a trouble of its own."""
    latest = max(matter.world.agents[name].since for name in well)
    if matter.now - latest >= FOLLOW_S:
        return None
    until = max(latest + FOLLOW_S, matter.now + 1.0)
    return Hold("much of the fleet failed at once, and has only just come back", until)


def _failed_too(matter: Matter, began: float) -> set[str]:
    """The other agents that have come to fail at about the same time, those that are well again by now among them: the
    last ones that are not are left alone as the others were.
    """
    world, own = matter.world, set(matter.incident.agents)
    opened = (one for one in world.incidents.values() if abs(one.onset - began) <= AT_ONCE_S and one.trigger == "check")
    known = {name for incident in opened for name in incident.agents}
    failing = {other.name for other in world.agents.values() if _fails(matter, other, began)}
    local = {name for name in known if name in world.agents and is_local(world.agents[name])}
    return ((known | failing) - own - local) & world.agents.keys()


def _fails(matter: Matter, other: Agent, began: float) -> bool:
    """Whether an agent has come to fail at about the same time, by an answer that is not settled on yet too."""
    if not other.wanted or other.at_rest or is_local(other) or other.maintenance_until is not None:
        return False
    asked = set(other.telling).difference(other.implicit)  # what looks at the process tells of nothing else
    records = [matter.vitals.check(other.name, check) for check in asked]
    since = [one.since for one in records if one.last is not None and not one.ok]
    since += [one.since for one in other.failing.values()]
    return any(abs(moment - began) <= AT_ONCE_S for moment in since)


def _answers(matter: Matter, other: Agent) -> bool:
    """Whether an agent is well, and by its latest answers too."""
    records = (matter.vitals.check(other.name, check) for check in other.telling)
    return other.well and all(one.ok for one in records if one.last is not None)


def _trials(matter: Matter, began: float) -> Iterator[Attempt]:
    """What was done by reason in the incidents that began at about the same time."""
    for incident in matter.world.incidents.values():
        if abs(incident.onset - began) <= AT_ONCE_S:
            yield from (one for one in incident.attempts if not one.reflex and one.started_at >= began - TURN_S)
