"""Does a signal depart from what it has learned to be normal?

What is known of all signals of all agents. How one signal is judged is in watched.py, how the signals of an agent are
together in together.py, and what becomes of one that departs in grouping.py. All that is known can be kept, and gone on
with by the next daemon.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

import msgspec

from selfheal.detect.grouping import Departed, Grew, Returned
from selfheal.detect.together import Known, OneAgent
from selfheal.detect.watched import Verdict, Watched
from selfheal.events import (
    AgentDeclared,
    AgentStarted,
    AnomalySuppressed,
    ConfigReloaded,
    Event,
    FilesChanged,
    FixStarted,
    LevelShifted,
)
from selfheal.vocabulary import LevelWhy
from selfheal.world import Agent, World
from selfheal.world.cases import READS
from selfheal.world.dismissals import reach_of

Told = Departed | Grew | Returned | LevelShifted
# What is usual at times of the day is remembered of the first so many signals, six kilobytes each.
SEASONS = 4000
# What an agent has beyond so many signals is not looked at.
SIGNALS = 64
# The form of what is kept; another one is learned anew.
VERSION = 1

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(tuple[str, Known])


class AnomalyWatch:
    """What is normal for every signal of every agent.

    One that `waits` passes over what it is shown until it has heard what an earlier daemon knew.
    """

    def __init__(self, *, waits: bool = False) -> None:
        self._waits = waits
        self._agents: dict[str, OneAgent] = {}
        self._seasons = 0

    def look(self, agent: str, signal: str, at: float, value: float) -> tuple[Told, ...]:
        """Take one sample; returns what is new about its signal."""
        if self._waits:
            return ()
        one = self._agents.get(agent) or self._one(agent)
        watched = one.known.signals.get(signal)
        if watched is None:
            watched = self._begin(one, signal)
            if watched is None:
                return ()
        verdicts = one.take(signal, watched, at, value)
        return tuple(_told(agent, signal, at, verdict) for verdict in verdicts) if verdicts else ()

    def _begin(self, one: OneAgent, signal: str) -> Watched | None:
        if len(one.known.signals) >= SIGNALS:
            return None
        season = self._seasons < SEASONS
        self._seasons += season
        one.begin(signal, season=season)
        return one.known.signals[signal]

    def heed(self, event: Event) -> None:
        """After something was done to an agent its levels may be others."""
        match event:
            case AgentStarted(at=at, agent=name):
                self._one(name).change(at, "start")
            case AgentDeclared(at=at, agent=name, version=version) if version:
                self._declare(self._one(name), at, version)
            case FilesChanged(at=at, agent=name, files=files) if files:
                self._change(name, at, "files")
            case ConfigReloaded(at=at, changed=names):
                for name in names:
                    self._change(name, at, "reload")
            case FixStarted(at=at, agent=name, fix=fix, reflex=False) if fix not in READS:
                self._change(name, at, "fix")
            case _:
                pass

    def count(self, agent: str, counters: Mapping[str, bool]) -> None:
        """Hear from an exporter which of an agent's series count, and which do not."""
        self._one(agent).count(counters)

    def is_out(self, agent: str, signal: str) -> bool:
        """Whether a signal has departed from normal and is not back."""
        one = self._agents.get(agent)
        watched = one.known.signals.get(signal) if one is not None else None
        return watched is not None and watched.since is not None

    def is_calm(self, agent: str, signal: str) -> bool:
        """Whether the latest sample of a signal that has departed was as usual: it may be on its way back."""
        one = self._agents.get(agent)
        watched = one.known.signals.get(signal) if one is not None else None
        return watched is not None and watched.calms > 0

    def forget(self, agent: str) -> tuple[str, ...]:
        """Drop everything of an agent; returns its signals that were out of line."""
        gone = self._agents.pop(agent, None)
        if gone is None:
            return ()
        self._seasons -= _seasons(gone)
        return tuple(signal for signal, watched in gone.known.signals.items() if watched.since is not None)

    # --- what is kept ---

    def agents(self) -> tuple[str, ...]:
        """Of whom something is known."""
        return tuple(self._agents)

    def keep(self, agent: str) -> bytes:
        """All that was learned of an agent, as bytes; of one that is gone, nothing. It may be called in a thread."""
        one = self._agents.get(agent)
        return _ENCODER.encode((agent, one.known if one is not None else Known()))

    def resume(self, kept: Iterable[bytes], world: World) -> list[str]:
        """Go on with what an earlier daemon has learned of the agents that there are; returns what of it is no good."""
        wrong = []
        for data in kept:
            try:
                agent, known = _DECODER.decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError) as why:
                wrong.append(f"what was normal of an agent cannot be read ({why})")
                continue
            if agent in world.agents:
                told = self._one(agent).known.counters  # since this daemon began
                one = self._agents[agent] = OneAgent(known)
                one.count(told)
                self._catch_up(one, world.agents[agent])
        self._seasons = sum(map(_seasons, self._agents.values()))
        self._waits = False
        return wrong

    def left_over(self, world: World, at: float) -> tuple[Returned, ...]:
        """Bring the anomalies of an earlier daemon and what was kept of it together; returns what is not out any more.

        A signal of which nothing is known any more is back: else its anomaly would never end. What was kept a while ago
        may be out of line where the journal says since that it is back, or the other way round. What was not raised is
        out where both agree on when it began, or where nothing was kept since.
        """
        held = world.anomalies.kept_back()
        out = {
            (member.agent, member.signal): member
            for _, one in world.anomalies.things()
            for member in one.members
            if one.lasts and member.over_at is None
        }
        for key, watched in self._all():
            one = (out.pop(key, None) or _lasting(watched, held.get(key))) if watched.level.warm else None
            watched.put(one.since if one is not None else None, reach_of(one.score) if one is not None else 0.0)
        return tuple(Returned(at, agent, signal) for agent, signal in out)

    def kept_back(self, world: World) -> tuple[AnomalySuppressed, ...]:
        """What an earlier daemon did not raise and is still out of line, once `left_over` was asked."""
        return tuple(one for key, one in world.anomalies.kept_back().items() if self.is_out(*key))

    def _all(self) -> Iterator[tuple[tuple[str, str], Watched]]:
        for agent, one in self._agents.items():
            for signal, watched in one.known.signals.items():
                yield (agent, signal), watched

    def _one(self, agent: str) -> OneAgent:
        found = self._agents.get(agent)
        if found is None:
            found = self._agents[agent] = OneAgent(Known())
        return found

    def _change(self, agent: str, at: float, why: LevelWhy) -> None:
        if agent in self._agents:
            self._agents[agent].change(at, why)

    def _declare(self, one: OneAgent, at: float, version: str) -> None:
        if one.known.version not in ("", version):
            one.change(at, "deploy")
        one.known.version = version

    def _catch_up(self, one: OneAgent, agent: Agent) -> None:
        """What was done to an agent since the last that is known of it."""
        latest = max((watched.at or 0.0 for watched in one.known.signals.values()), default=0.0)
        if agent.run is not None and agent.run.started_at > latest:
            one.change(agent.run.started_at, "start")
        if agent.version:
            self._declare(one, agent.run.started_at if agent.run is not None else latest, agent.version)


def _lasting(watched: Watched, held: AnomalySuppressed | None) -> AnomalySuppressed | None:
    """What was not raised of a signal, if it is out of line still."""
    if held is None or (watched.since != held.since and (watched.at or 0.0) >= held.at):
        return None
    return held


def _seasons(one: OneAgent) -> int:
    return sum(watched.usual is not None for watched in one.known.signals.values())


def _told(agent: str, signal: str, at: float, verdict: Verdict) -> Told:
    match verdict.kind:
        case "seen":
            return Departed(at, agent, signal, verdict.value, verdict.expected, verdict.score, verdict.since)
        case "further":
            return Grew(at, agent, signal, verdict.value, verdict.score)
        case "over":
            return Returned(at, agent, signal)
        case "level":
            return LevelShifted(at, agent, signal, verdict.value, verdict.expected, verdict.since, verdict.why)
        case _:
            assert_never(verdict.kind)
