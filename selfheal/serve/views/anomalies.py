"""What is or was not as usual, what else moved at that time, and what was kept back?"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfheal.measures import unit_of
from selfheal.serve.models.anomalies import AnomalyView, DismissalView, LevelView, MovedView, NearView, SuppressedView
from selfheal.serve.times import moment, rfc3339
from selfheal.serve.views.foresight import finite, share
from selfheal.world.dismissals import FORGOTTEN_S
from selfheal.world.ground import bottom_up, ground
from selfheal.world.severity import level, severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from selfheal.events import AnomalySuppressed
    from selfheal.vocabulary import Direction
    from selfheal.world import Anomalies, Anomaly, World
    from selfheal.world.anomalies import Member

# What began so long before or after it is near in time; so many of those are shown.
NEAR_S, NEAR_SHOWN = 300.0, 12


def anomalies(world: World, now: float) -> list[AnomalyView]:
    """Return what is or was strange, in the order in which it is to be looked at."""
    return _shown(world, world.anomalies.things(), now)


def anomalies_of(world: World, agent: str, now: float) -> list[AnomalyView]:
    """Return what is or was strange about one agent, in the same order."""
    return _shown(world, world.anomalies.of(agent), now)


def suppressed(known: Anomalies) -> list[SuppressedView]:
    """Return what was not raised, newest first."""
    return [_suppressed(one) for one in reversed(known.suppressed)]


def dismissals(known: Anomalies, now: float) -> list[DismissalView]:
    """Return what a person has said was not worth telling and still counts, newest first."""
    return [
        DismissalView(
            agent=agent,
            signal=signal,
            direction=direction,
            anomaly=one.anomaly,
            at=rfc3339(one.at),
            by=one.by,
            bar=share(one.bar(now) / (1.0 + one.bar(now))),
            until=rfc3339(one.at + FORGOTTEN_S),
        )
        for (agent, signal, direction), one in reversed([*known.dismissals.items()])
        if now - one.at < FORGOTTEN_S
    ]


def levels(known: Anomalies) -> list[LevelView]:
    """Return where what is normal has changed, newest first; of each signal the last time."""
    return [
        LevelView(
            agent=one.agent,
            signal=one.signal,
            unit=unit_of(one.signal),
            value=finite(one.value),
            expected=finite(one.expected),
            at=rfc3339(one.at),
            since=rfc3339(one.since),
            why=one.why,
        )
        for one in [*known.levels.values()][::-1]
    ]


def _shown(world: World, things: Iterable[tuple[str, Anomaly]], now: float) -> list[AnomalyView]:
    """Those that last first, those that a person has dismissed after the others, then by how much they matter."""
    weighed = [(severity(one, now), name, one) for name, one in things]
    weighed.sort(key=lambda it: (not it[2].lasts, it[2].dismissed, -it[0], -it[2].seen.at))
    surroundings = _Surroundings(world)
    return [_anomaly(world, name, one, value, surroundings) for value, name, one in weighed]


def _anomaly(world: World, name: str, one: Anomaly, value: float, surroundings: _Surroundings) -> AnomalyView:
    first = one.member(one.seen.agent, one.seen.signal) or one.members[0]
    return AnomalyView(
        id=name,
        agent=first.agent,
        signal=first.signal,
        direction=first.direction,
        unit=unit_of(first.signal),
        value=finite(first.value),
        expected=finite(first.expected),
        score=share(one.score),
        severity=share(value),
        level=level(value),
        at=rfc3339(one.seen.at),
        since=rfc3339(one.since),
        over_at=moment(one.over_at),
        after=one.seen.after,
        agents=list(bottom_up(world, one.agents)),
        signals=[_moved(member) for member in one.members],
        more=one.more,
        near=surroundings.of(name, one),
        dismissed=one.dismissed,
        dismissed_by=one.by,
    )


def _moved(one: Member) -> MovedView:
    return MovedView(
        agent=one.agent,
        signal=one.signal,
        direction=one.direction,
        unit=unit_of(one.signal),
        value=finite(one.value),
        expected=finite(one.expected),
        score=share(one.score),
        since=rfc3339(one.since),
        over_at=moment(one.over_at),
    )


def _suppressed(one: AnomalySuppressed) -> SuppressedView:
    return SuppressedView(
        agent=one.agent,
        signal=one.signal,
        direction=_direction(one),
        unit=unit_of(one.signal),
        value=finite(one.value),
        expected=finite(one.expected),
        score=share(one.score),
        at=rfc3339(one.at),
        since=rfc3339(one.since),
        reason=one.reason,
        why=one.why,
    )


def _direction(one: AnomalySuppressed) -> Direction:
    return "up" if one.value >= one.expected else "down"


@dataclass(frozen=True, slots=True)
class _Move:
    """A signal that moved: as a part of an anomaly, or as what was not raised."""

    since: float
    agent: str
    signal: str
    direction: Direction
    anomaly: str = ""
    why: str = ""


class _Surroundings:
    """All that moved lately, in the order of time: what is near to an anomaly is found without looking at all of it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._moves = sorted(_moves(world.anomalies), key=lambda one: one.since)
        self._times = [one.since for one in self._moves]

    def of(self, name: str, anomaly: Anomaly) -> list[NearView]:
        """What else moved around its beginning, on its agents and on those that stand on the same."""
        begin = bisect_left(self._times, anomaly.since - NEAR_S)
        end = bisect_right(self._times, anomaly.since + NEAR_S)
        others = [one for one in self._moves[begin:end] if one.anomaly != name]
        if not others:
            return []
        under = frozenset().union(*(ground(self._world, agent) for agent in anomaly.agents))
        near = [one for one in others if not under.isdisjoint(ground(self._world, one.agent))]
        return [_near(one) for one in _closest(near, anomaly.since)]


def _closest(near: Sequence[_Move], since: float) -> list[_Move]:
    chosen = sorted(near, key=lambda one: abs(one.since - since))[:NEAR_SHOWN]
    return sorted(chosen, key=lambda one: one.since)


def _moves(known: Anomalies) -> Iterable[_Move]:
    for name, one in known.things():
        for member in one.members:
            yield _Move(member.since, member.agent, member.signal, member.direction, anomaly=name)
    for kept in known.suppressed:
        yield _Move(kept.since, kept.agent, kept.signal, _direction(kept), why=kept.why)


def _near(one: _Move) -> NearView:
    return NearView(
        agent=one.agent,
        signal=one.signal,
        direction=one.direction,
        since=rfc3339(one.since),
        anomaly=one.anomaly,
        why=one.why,
    )
