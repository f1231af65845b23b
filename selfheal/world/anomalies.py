"""What is or was not as usual, and how does an event change that?

One anomaly is one thing that happens, whatever number of signals on whatever number of agents show it: those are its
members. Which of them belong together is decided in `detect.grouping`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from selfheal.events import (
    AnomalyDismissed,
    AnomalyEased,
    AnomalyEvent,
    AnomalyGrew,
    AnomalyJoined,
    AnomalyMerged,
    AnomalyOver,
    AnomalyRestored,
    AnomalySeen,
    AnomalySuppressed,
    LevelShifted,
)
from selfheal.vocabulary import Direction, Suppression
from selfheal.world.dismissals import Dismissals, Key, dismissed, restored

# What is over is kept for the page and the learners; the oldest goes first.
ANOMALIES_KEPT = 200
SUPPRESSED_KEPT = 100
# One thing that shows in more signals than these is everywhere; the others are counted.
MEMBERS_KEPT = 60
LEVELS_KEPT = 200

Levels = Mapping[tuple[str, str], LevelShifted]


@dataclass(frozen=True, slots=True)
class Member:
    """A signal that departed from normal. `score` is the highest so far, `over_at` None while it is not back."""

    agent: str
    signal: str
    at: float
    since: float
    value: float
    expected: float
    score: float
    over_at: float | None = None

    @property
    def direction(self) -> Direction:
        return "up" if self.value >= self.expected else "down"

    @property
    def key(self) -> Key:
        return self.agent, self.signal, self.direction


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One thing that is not as usual; `over_at` is None while it lasts.

    `members` are in the order in which they were seen, `more` counts those beyond `MEMBERS_KEPT`. `into` is the anomaly
    that it turned out to be the same as.
    """

    seen: AnomalySeen
    over_at: float | None = None
    dismissed: bool = False
    members: tuple[Member, ...] = ()
    more: int = 0
    by: str = ""
    into: str = ""

    @property
    def since(self) -> float:
        """When the first of its signals began to depart."""
        return min((one.since for one in self.members), default=self.seen.at)

    @property
    def lasts(self) -> bool:
        return self.over_at is None

    @property
    def agents(self) -> tuple[str, ...]:
        """Whose signals show it, in the order in which they were seen."""
        return tuple(dict.fromkeys(one.agent for one in self.members))

    @property
    def score(self) -> float:
        """The highest of its members so far."""
        return max((one.score for one in self.members), default=self.seen.score)

    def member(self, agent: str, signal: str) -> Member | None:
        return next((one for one in self.members if (one.agent, one.signal) == (agent, signal)), None)


@dataclass(frozen=True, slots=True)
class Anomalies:
    """`known` are the latest by name, oldest first; `seen` counts all that there ever were.

    `suppressed` are the latest departures that were not raised, oldest first, and `counted` how many of them there ever
    were, by reason. `dismissals` are what a person has said was not worth telling. `levels` are the latest changes of
    what is normal, by agent and signal, oldest first. `at` is when any of it changed last.
    """

    known: Mapping[str, Anomaly] = field(default_factory=dict)
    seen: int = 0
    suppressed: tuple[AnomalySuppressed, ...] = ()
    counted: Mapping[Suppression, int] = field(default_factory=dict)
    dismissals: Dismissals = field(default_factory=dict)
    levels: Levels = field(default_factory=dict)
    at: float = 0.0

    def things(self) -> Iterator[tuple[str, Anomaly]]:
        """Each thing once, oldest first, with its name."""
        return ((name, one) for name, one in self.known.items() if not one.into)

    def of(self, agent: str) -> Iterator[tuple[str, Anomaly]]:
        """The things that show in signals of one agent, oldest first."""
        return ((name, one) for name, one in self.things() if agent in one.agents)

    def kept_back(self) -> dict[tuple[str, str], AnomalySuppressed]:
        """What is known last of a signal, by agent and signal, where that is a departure that was not raised."""
        latest = {(one.agent, one.signal): one for one in self.suppressed}
        for member in (member for _, one in self.things() for member in one.members):
            found = latest.get((member.agent, member.signal))
            if found is not None and found.at <= member.at:
                del latest[member.agent, member.signal]
        return latest

    def strongest(self) -> dict[str, float]:
        """The highest score of the signals that are out of line now, by agent; what was dismissed left out."""
        worst: dict[str, float] = {}
        for _, one in self.things():
            for member in one.members if one.lasts and not one.dismissed else ():
                if member.over_at is None:
                    worst[member.agent] = max(worst.get(member.agent, 0.0), member.score)
        return worst

    def named(self, name: str) -> tuple[str, Anomaly] | None:
        """The anomaly of a name, or the one that it turned out to be the same as; None where there is none."""
        one = self.known.get(name)
        while one is not None and one.into in self.known:
            name, one = one.into, self.known[one.into]
        return (name, one) if one is not None else None


def fold_anomalies(then: Anomalies, event: AnomalyEvent) -> Anomalies:
    """Return what is not as usual after `event`."""
    then = replace(then, at=max(then.at, event.at))
    if isinstance(event, AnomalySeen):
        known = _kept({**then.known, event.anomaly: began(event)})
        return replace(then, known=known, seen=then.seen + 1)
    if isinstance(event, AnomalySuppressed):
        counted = {**then.counted, event.reason: then.counted.get(event.reason, 0) + 1}
        return replace(then, suppressed=(*then.suppressed, event)[-SUPPRESSED_KEPT:], counted=counted)
    if isinstance(event, LevelShifted):
        return replace(then, levels=_with_level(then.levels, event))
    if isinstance(event, AnomalyRestored):
        then = replace(then, dismissals=restored(then.dismissals, event.anomaly))
    one = then.known.get(event.anomaly)
    return _about(then, event, one) if one is not None else then


def _with_level(then: Levels, event: LevelShifted) -> Levels:
    key = (event.agent, event.signal)
    others = [item for item in then.items() if item[0] != key]
    return dict([*others, (key, event)][-LEVELS_KEPT:])


def began(event: AnomalySeen) -> Anomaly:
    """An anomaly as it is when it is first seen."""
    return Anomaly(event, members=(_member(event),))


_About = AnomalyJoined | AnomalyGrew | AnomalyEased | AnomalyMerged | AnomalyOver | AnomalyDismissed | AnomalyRestored


def _about(then: Anomalies, event: _About, one: Anomaly) -> Anomalies:
    match event:
        case AnomalyJoined():
            now = _with(one, _member(event))
        case AnomalyGrew():
            now = _grown(one, event)
        case AnomalyEased():
            now = _eased(one, event)
        case AnomalyMerged():
            return _merged(then, event, one)
        case AnomalyOver():
            now = replace(one, over_at=event.at, dismissed=one.dismissed or event.dismissed)
        case AnomalyDismissed():
            return _dismissed(then, event, one)
        case AnomalyRestored():
            now = replace(one, dismissed=False, by="")
        case _:
            assert_never(event)
    return replace(then, known={**then.known, event.anomaly: now})


def _member(event: AnomalySeen | AnomalyJoined) -> Member:
    since = event.at if event.since is None else event.since
    return Member(event.agent, event.signal, event.at, since, event.value, event.expected, event.score)


def _with(one: Anomaly, member: Member) -> Anomaly:
    """One that departs once more while the others last is the same member; its highest score stays."""
    known = one.member(member.agent, member.signal)
    if known is not None:
        again = replace(member, since=known.since, score=max(known.score, member.score))
        return _exchanged(one, known, again)
    if len(one.members) >= MEMBERS_KEPT:
        return replace(one, more=one.more + 1)
    return replace(one, members=(*one.members, member))


def _grown(one: Anomaly, event: AnomalyGrew) -> Anomaly:
    known = one.member(event.agent, event.signal)
    if known is None or event.score <= known.score:
        return one
    return _exchanged(one, known, replace(known, value=event.value, score=event.score))


def _eased(one: Anomaly, event: AnomalyEased) -> Anomaly:
    known = one.member(event.agent, event.signal)
    return _exchanged(one, known, replace(known, over_at=event.at)) if known is not None else one


def _exchanged(one: Anomaly, known: Member, now: Member) -> Anomaly:
    return replace(one, members=tuple(now if member is known else member for member in one.members))


def _merged(then: Anomalies, event: AnomalyMerged, one: Anomaly) -> Anomalies:
    into = then.known.get(event.into)
    if into is None or into is one or one.into or into.into:
        return then
    for member in one.members:
        into = _with(into, member)
    into = replace(into, more=into.more + one.more)
    gone = replace(one, over_at=event.at, into=event.into)
    return replace(then, known={**then.known, event.into: into, event.anomaly: gone})


def _dismissed(then: Anomalies, event: AnomalyDismissed, one: Anomaly) -> Anomalies:
    moved = [(member.key, member.score) for member in one.members]
    known = {**then.known, event.anomaly: replace(one, dismissed=True, by=event.by)}
    dismissals = dismissed(then.dismissals, moved, event.anomaly, event.at, event.by)
    return replace(then, known=known, dismissals=dismissals)


def _kept(known: dict[str, Anomaly]) -> dict[str, Anomaly]:
    """Without the oldest that are over; where all last, without the oldest."""
    excess = len(known) - ANOMALIES_KEPT
    if excess <= 0:
        return known
    over = [name for name, one in known.items() if not one.lasts]
    gone = {*[*over, *known][:excess]}
    return {name: one for name, one in known.items() if name not in gone}
