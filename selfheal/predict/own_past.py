"""Of an agent's own past: how did it fail, when did it begin anew, and of which times is nothing to be learned?

What was acted on is in neither class: nobody knows whether it would have come. Nor is what an incident looked like once
it was there, nor maintenance. What came before a failure is just what is to be learned, anomalies and all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import NamedTuple

from selfheal.causes import is_failure
from selfheal.modes import MODES, OF_PROCESS
from selfheal.predict.timeleft import HORIZON_S
from selfheal.vocabulary import FailureMode
from selfheal.world import INCIDENTS_KEPT, Agent, Incident, World
from selfheal.world.episodes import OVER_KEPT
from selfheal.world.foresight import WORK_KEPT

# Queues are emptied and caches filled after an incident, and after a restart.
AFTER_S = 600.0
# What trees can be taught: a certificate's end is known, and of deaths without a sign their rate is all there is.
TAUGHT: tuple[FailureMode, ...] = tuple(mode for mode in MODES if mode not in ("certificate_expired", "crash"))


class Came(NamedTuple):
    """A failure that was there at a time, and the incident that it was, if there was one."""

    mode: str
    at: float
    incident: str = ""


class LeftOut(NamedTuple):
    """A time of which nothing is learned about a mode; about none where `mode` is empty."""

    mode: str
    begin: float
    end: float


def failures_of(world: World, agent: str) -> tuple[Came, ...]:
    """The failures of an agent that could have been foreseen, in order of time; each mode once within a horizon."""
    found = [
        Came(mode, one.onset, one.id)
        for one in world.incidents.values()
        if one.agent == agent
        for mode in TAUGHT
        if is_failure(one.cause, mode)
    ]
    found += [
        Came(one.episode.last.mode, one.at, one.why if one.why in world.incidents else "")
        for one in world.foresight.over
        if one.episode.last.agent == agent and one.outcome == "happened" and one.episode.last.mode in TAUGHT
    ]
    kept: list[Came] = []
    for came in sorted(found, key=lambda one: one.at):
        if not any(one.mode == came.mode and came.at - one.at < HORIZON_S for one in kept):
            kept.append(came)
    return tuple(kept)


def left_out(world: World, agent: str) -> tuple[LeftOut, ...]:
    """The times of which nothing is learned about an agent, in order of their beginning."""
    known = world.agents.get(agent)
    spans = [*_forgotten(world), *(_in_maintenance(known) if known is not None else ())]
    for one in world.incidents.values():
        if agent in one.agents or agent == one.agent:
            spans += _of_incident(one)
    for over in world.foresight.over:
        episode = over.episode
        if episode.last.agent == agent and over.outcome == "averted":
            spans.append(LeftOut(episode.last.mode, min(episode.began_at, over.at - HORIZON_S), over.at))
    for work in world.foresight.work.values():
        if work.planned.agent == agent and work.done_at is not None and work.outcome != "rejected":
            spans += [LeftOut(mode, work.done_at - HORIZON_S, work.done_at) for mode in OF_PROCESS]
            spans.append(LeftOut("", work.done_at, work.done_at + AFTER_S))
    return tuple(sorted(spans, key=lambda span: span.begin))


def begun_anew(world: World, agent: str) -> tuple[float, ...]:
    """When the process of an agent was another one than before, as far as it is known, in order."""
    known = world.agents.get(agent)
    times = {known.run.started_at} if known is not None and known.run is not None else set()
    times |= {one.onset for one in world.incidents.values() if one.agent == agent and one.attempts}
    works = (one for one in world.foresight.work.values() if one.planned.agent == agent)
    times |= {one.done_at for one in works if one.done_at is not None and one.outcome != "rejected"}
    return tuple(sorted(times))


def is_left_out(spans: Sequence[LeftOut], mode: str, at: float) -> bool:
    """Whether nothing of a moment is learned about a mode."""
    return any(span.begin <= at <= span.end and span.mode in ("", mode) for span in spans)


def _forgotten(world: World) -> Iterator[LeftOut]:
    """The time of which it is forgotten what failed and what was done: of what is over only the latest is kept."""
    foresight = world.foresight
    kept = (
        (len(world.incidents) >= INCIDENTS_KEPT, [one.onset for one in world.incidents.values() if one.over]),
        (len(foresight.over) >= OVER_KEPT, [one.at for one in foresight.over]),
        (len(foresight.work) >= WORK_KEPT, [one.done_at for one in foresight.work.values() if one.done_at is not None]),
    )
    oldest = [min(times) for is_full, times in kept if is_full and times]
    if oldest:
        yield LeftOut("", -inf, max(oldest))


def _of_incident(one: Incident) -> Iterator[LeftOut]:
    """While it lasted and a while after; before it, what a fix of something else has kept from coming."""
    ended = (attempt.ended_at for attempt in one.attempts)
    end = max(at for at in (one.opened_at, one.resolved_at, *ended) if at is not None) + AFTER_S if one.over else inf
    yield LeftOut("", one.onset, end)
    for mode in OF_PROCESS if one.attempts else ():
        if not is_failure(one.cause, mode):
            yield LeftOut(mode, one.onset - HORIZON_S, one.onset)


def _in_maintenance(agent: Agent) -> Iterator[LeftOut]:
    if agent.state == "maintenance":
        yield LeftOut("", agent.since, inf)
