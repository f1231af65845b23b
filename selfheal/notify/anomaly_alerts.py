"""Which anomalies should a person know of?

Pure. Only those that matter much and last, where no incident tells of the same agents, and of an agent once an hour at
most: nothing has failed yet, and the page has all of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from selfheal.events import (
    AlertRaised,
    AnomalyDismissed,
    AnomalyEvent,
    AnomalyGrew,
    AnomalyJoined,
    AnomalyMerged,
    AnomalyOver,
    AnomalySeen,
    IncidentOpened,
)
from selfheal.measures import amount
from selfheal.notify.told import is_told
from selfheal.world import Anomaly, World
from selfheal.world.anomalies import Member
from selfheal.world.ground import bottom_up
from selfheal.world.severity import HIGH, far_out, severity

QUIET_S = 3600.0
SIGNALS_TOLD = 5
AGENTS_TOLD = 3


def about_anomalies(world: World, event: AnomalyEvent | IncidentOpened) -> tuple[AlertRaised, ...]:
    """Return the alerts that `event`, which is already part of `world`, is worth."""
    match event:
        case AnomalySeen(anomaly=name) | AnomalyJoined(anomaly=name) | AnomalyGrew(anomaly=name):
            return _strange(world, name, event.at)
        case AnomalyOver(anomaly=name):
            return _over(world, name, event.at, "", "")
        case AnomalyDismissed(anomaly=name, by=by):
            return _over(world, name, event.at, f"{name} was dismissed by {by}", "the same is told less easily")
        case AnomalyMerged(anomaly=name, into=into):
            ended = _over(world, name, event.at, f"{name} is the same as {into}", "")
            goes_on = _strange(world, into, event.at, instead=True) if ended and not is_told(world, _key(into)) else ()
            return (*ended, *goes_on)
        case IncidentOpened(agent=agent):
            return tuple(_overtaken(world, agent, event.at))
        case _:
            return ()


def _strange(world: World, name: str, at: float, *, instead: bool = False) -> tuple[AlertRaised, ...]:
    """What is told of one that matters much; `instead` of another one that was told and is the same."""
    one = world.anomalies.known.get(name)
    if one is None or one.dismissed or severity(one, at) < HIGH:
        return ()
    quiet = not instead and (_told_lately(world, one, at) or _has_incident(world, one))
    if quiet and not _is_waiting(world, name):
        return ()
    agents = bottom_up(world, one.agents)
    members = sorted(one.members, key=far_out, reverse=True)
    first = next(member for member in members if member.agent == agents[0])
    told = "; ".join(map(_moved, members[:SIGNALS_TOLD]))
    left = len(one.members) + one.more - SIGNALS_TOLD
    text = told + (f"; and {left} signals more" if left > 0 else "")
    title = f"{_names(agents)} not as usual: {first.signal} is {amount(first.signal, first.value)}"
    waiting = world.undelivered.get((_key(name), False))
    since = waiting.at if waiting is not None else at  # it waits no longer for what joins it
    return (AlertRaised(since, _key(name), "info", title, text, agents[0], None, anomaly=name),)


def _is_waiting(world: World, name: str) -> bool:
    """Whether it is about to be told: then what has joined it meanwhile is told with it."""
    return (_key(name), False) in world.undelivered


def _overtaken(world: World, agent: str, at: float) -> Iterator[AlertRaised]:
    """An incident tells more of an agent than that it was not as usual: what waits to be told of it is not told."""
    waiting = [name for name, _ in world.anomalies.of(agent) if _is_waiting(world, name)]
    for name in waiting:
        yield from _over(world, name, at, f"{agent} has an incident", "")


def _has_incident(world: World, one: Anomaly) -> bool:
    return any(world.open_incident_of(agent) is not None for agent in one.agents)


def _told_lately(world: World, one: Anomaly, at: float) -> bool:
    told = (alert for alert in world.alerts if alert.anomaly and at - alert.at < QUIET_S)
    known = (world.anomalies.known.get(alert.anomaly) for alert in told)
    return any(other is not None and not set(one.agents).isdisjoint(other.agents) for other in known)


def _over(world: World, name: str, at: float, title: str, text: str) -> tuple[AlertRaised, ...]:
    """The end is told to whom the beginning was told, and to nobody else."""
    one, key = world.anomalies.known.get(name), _key(name)
    if one is None or not is_told(world, key):
        return ()
    agent = bottom_up(world, one.agents)[0]
    return (AlertRaised(at, key, "info", title or f"{agent} is as usual again", text, agent, None, resolved=True),)


def _names(agents: tuple[str, ...]) -> str:
    if len(agents) == 1:
        return f"{agents[0]} is"
    more = len(agents) - AGENTS_TOLD
    return f"{', '.join(agents[:AGENTS_TOLD])}{f' and {more} more' if more > 0 else ''} are"


def _moved(member: Member) -> str:
    value, expected = (amount(member.signal, each) for each in (member.value, member.expected))
    return f"{member.agent}: {member.signal} {value}, usually {expected}"


def _key(name: str) -> str:
    return f"anomaly-{name}"
