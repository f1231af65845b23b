"""Does much fail at once? Then the cause is likely elsewhere, and restarting all of it makes it worse.

Pure. What fails at once is healed one by one: the first is a trial. Has it helped, the others follow; has it not,
nobody else is touched and a person is called. An agent whose own process is gone or stopped is not asked about: that
is its own trouble, in a storm too.
"""

from __future__ import annotations

from collections.abc import Iterator

from selfheal.decide.matter import REPEAT_S, Matter, is_local, onset
from selfheal.plans import Hold
from selfheal.world import Agent, Attempt

# What began within so long of each other failed at once: checks that are asked once a minute and settle on the third
# failure see one outage over so long a time.
AT_ONCE_S = 180.0


def storm(matter: Matter) -> Hold | None:
    """Why `matter` has to wait for what else fails; None where nothing does, or where it may be the trial."""
    agent, rules = matter.agent, matter.rules
    if agent is None or is_local(agent):
        return None
    began = onset(matter.incident, agent)
    failing = 1 + sum(_fails_too(matter, other, began) for other in matter.world.agents.values())
    if failing <= max(rules.storm_floor, rules.storm_share * len(matter.world.agents)):
        return None
    latest = max(_trials(matter, began), key=lambda attempt: attempt.started_at, default=None)
    if latest is None:
        return None
    if not latest.verified:
        return _held(matter, f"{failing} agents fail at once, and {latest.agent} is healed first", matter.now + 1.0)
    if latest.in_vain and latest.verified_at is not None:
        why = f"{failing} agents fail at once, and {latest.fix} of {latest.agent} has not helped: what do they share?"
        return _held(matter, why, latest.verified_at + REPEAT_S)
    return None


def _fails_too(matter: Matter, other: Agent, began: float) -> bool:
    """Whether another agent, not part of this incident, has come to fail at about the same time."""
    if other.name in matter.incident.agents or not other.wanted or other.at_rest or is_local(other):
        return False
    if other.maintenance_until is not None:
        return False
    asked = set(other.telling).difference(other.implicit)  # what looks at the process tells of nothing else
    records = (matter.vitals.check(other.name, check) for check in asked)
    since = [one.since for one in records if one.last is not None and not one.ok]
    since += [one.since for one in other.failing.values()]
    return any(abs(moment - began) <= AT_ONCE_S for moment in since)


def _trials(matter: Matter, began: float) -> Iterator[Attempt]:
    """What was done by reason in the incidents that began at about the same time."""
    for incident in matter.world.incidents.values():
        if abs(incident.onset - began) <= AT_ONCE_S:
            yield from (one for one in incident.attempts if not one.reflex and one.started_at >= began)


def _held(matter: Matter, reason: str, until: float) -> Hold:
    return Hold(reason, max(until, matter.now + 1.0))
