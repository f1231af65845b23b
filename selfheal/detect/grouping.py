"""Which departures of signals are one thing?

Those that begin within a short time of each other, on one agent, on agents of which one depends on the other or both
on a third, or on many agents at once: what many have in common is the machine that they run on, or are looked at from.
The first opens an anomaly, the others join it, and it is over when the last of its signals is as usual again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from selfheal.events import AnomalyEased, AnomalyGrew, AnomalyJoined, AnomalyMerged, AnomalyOver, AnomalySeen
from selfheal.vocabulary import Suppression
from selfheal.world import World
from selfheal.world.anomalies import Anomaly, Member
from selfheal.world.ground import ground

# A check that is asked once a minute sees up to a minute later what a signal of the process shows at once; half as much
# again for what takes its time from one agent to the next.
TOGETHER_S = 90.0
# A chain of such steps is one thing for as long as this; what begins later has a beginning of its own.
SPREAD_S = 300.0
# Many at once: so many strangers if they are a good part of the fleet, or so many whatever its size. By chance ten of a
# thousand agents with a false alarm a week for each meet within that time less than once in a thousand years.
STRANGERS, SHARE, MANY = 3, 0.25, 10

_Grouped = AnomalySeen | AnomalyJoined | AnomalyMerged


@dataclass(frozen=True, slots=True)
class Departed:
    """A signal departs from normal. `score` is from 0 to 1, `since` its first sample that was out of line."""

    at: float
    agent: str
    signal: str
    value: float
    expected: float
    score: float
    since: float


@dataclass(frozen=True, slots=True)
class Grew:
    """A signal that has departed is twice as far out as was told last."""

    at: float
    agent: str
    signal: str
    value: float
    score: float


@dataclass(frozen=True, slots=True)
class Returned:
    """A signal that had departed is as usual again."""

    at: float
    agent: str
    signal: str


def grouped(world: World, one: Departed, after: Suppression | None = None) -> tuple[_Grouped, ...]:
    """Return what there is to record of a departure that is to be raised: it opens an anomaly, or joins one.

    Where it shows that several were one thing they are merged into the oldest. `after` is for what it was kept back.
    """
    lasting = {name: it for name, it in world.anomalies.things() if it.lasts and not it.dismissed}
    same = [name for name, it in lasting.items() if _is_part(world, one, it)] or _everywhere(world, one, lasting)
    facts = (one.agent, one.signal, one.value, one.expected, one.score, one.since, after)
    if not same:
        return (AnomalySeen(one.at, f"ano-{world.anomalies.seen + 1}", *facts),)
    first, *others = same
    return (AnomalyJoined(one.at, first, *facts), *(AnomalyMerged(one.at, name, first) for name in others))


def grown(world: World, one: Grew) -> tuple[AnomalyGrew, ...]:
    """Return what there is to record where a signal goes further out."""
    names = (name for name, it, _ in _parts(world, one.agent, one.signal) if not it.dismissed)
    return tuple(AnomalyGrew(one.at, name, one.agent, one.signal, one.value, one.score) for name in names)


def departed_anew(world: World, one: Grew) -> Departed | None:
    """What goes further out and is a part of what was dismissed alone, as a departure of its own."""
    parts = _parts(world, one.agent, one.signal)
    if not parts or not all(it.dismissed for _, it, _ in parts):
        return None
    _, _, was = parts[-1]
    return Departed(one.at, one.agent, one.signal, one.value, was.expected, one.score, was.since)


def returned(world: World, one: Returned) -> tuple[AnomalyEased | AnomalyOver, ...]:
    """Return what there is to record where a signal is as usual again."""
    return tuple(
        AnomalyEased(one.at, name, one.agent, one.signal)
        if any(other.over_at is None for other in it.members if other is not member)
        else AnomalyOver(one.at, name)
        for name, it, member in _parts(world, one.agent, one.signal)
    )


def _parts(world: World, agent: str, signal: str) -> list[tuple[str, Anomaly, Member]]:
    """The anomalies that last of which a signal that is not back is a part: one, or one more than were dismissed."""
    lasting = ((name, it, it.member(agent, signal)) for name, it in world.anomalies.things() if it.lasts)
    return [(name, it, member) for name, it, member in lasting if member is not None and member.over_at is None]


def _is_part(world: World, one: Departed, it: Anomaly) -> bool:
    """Whether a departure shows the same thing as an anomaly that lasts."""
    if it.member(one.agent, one.signal) is not None:
        return True  # it had come back, and the others have not
    if not _began_together(one, it):
        return False
    if it.more and len(it.agents) >= MANY:
        return True  # it shows in more signals than are kept: it is everywhere, and who stands on what says no more
    under = ground(world, one.agent)
    return any(not under.isdisjoint(ground(world, name)) for name in it.agents)


def _began_together(one: Departed, it: Anomaly) -> bool:
    if abs(one.since - it.since) > SPREAD_S:
        return False
    return any(abs(one.since - member.since) <= TOGETHER_S for member in it.members)


def _everywhere(world: World, one: Departed, lasting: Mapping[str, Anomaly]) -> Sequence[str]:
    """The anomalies of agents that have nothing to do with each other, where there are too many for chance."""
    at_once = [name for name, it in lasting.items() if _began_together(one, it)]
    agents = {one.agent, *(agent for name in at_once for agent in lasting[name].agents)}
    enough = min(max(STRANGERS, ceil(SHARE * len(world.agents))), MANY)
    return at_once if len(agents) >= enough and _strangers(world, agents) >= enough else ()


def _strangers(world: World, agents: Collection[str]) -> int:
    """How many agents there are that have nothing to do with each other; those that do count as one."""
    apart: list[frozenset[str]] = []
    for name in agents:
        under = ground(world, name)
        touched = [other for other in apart if not under.isdisjoint(other)]
        apart = [*(other for other in apart if other not in touched), under.union(*touched)]
    return len(apart)
