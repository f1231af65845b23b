"""How did a signal that seems to run out go before that which is in memory?

Memory holds an hour, or less in a large fleet. What rises there may be what each night brings, or part of a longer rise
whose rate is better known: for those few signals that seem to run out the disk is asked, minute by minute for six hours
and in coarser steps for a week. All others are judged by what is in memory.
"""

from __future__ import annotations

from collections.abc import Iterable

from selfheal.compose.recall import Recall
from selfheal.history.rings import History
from selfheal.predict.exhaustion import worth_a_longer_look
from selfheal.predict.slopes import Point
from selfheal.world import Agent, World

# Each takes the disk some milliseconds, in a thread: so many of one round.
MOST = 50
FINE_S, FINE_STEP_S = 6 * 3600.0, 60.0
LONG_S, LONG_STEP_S = 7 * 86400.0, 600.0
# Memory is finer: it is left for what reaches much further back.
MUCH_LONGER = 1.5


class Courses:
    """The past of the signals as forecasts want it: from memory, and from the disk what was asked for."""

    def __init__(self, history: History, recall: Recall) -> None:
        self._history = history
        self._recall = recall
        self._long: dict[tuple[str, str], list[Point]] = {}

    def begin(self) -> None:
        """Forget what was asked for: a new round begins."""
        self._long = {}

    async def renew(self, agent: Agent, world: World, now: float) -> None:
        """Ask the disk for the signals of an agent that seem to run out, as the world is now."""
        for signal, since in tuple(worth_a_longer_look(agent, world, self._history, now)):
            if len(self._long) >= MOST:
                return
            long = await self._drawn_since(agent.name, signal, since, now)
            if _span(long) > MUCH_LONGER * _span(self._history.recent(agent.name, signal, since)):
                self._long[agent.name, signal] = long

    def recent(self, agent: str, signal: str, since: float = 0.0) -> list[Point]:
        """The points (time, value) in order of time: what the disk was asked for, else those in memory from `since`
        on.
        """
        long = self._long.get((agent, signal))
        return long if long is not None else self._history.recent(agent, signal, since)

    def signals(self, agent: str) -> Iterable[str]:
        """The names of the signals of which there are points."""
        return self._history.signals(agent)

    async def _drawn_since(self, agent: str, signal: str, since: float, now: float) -> list[Point]:
        fine = max(since, now - FINE_S)
        old = await self._drawn(agent, signal, max(since, now - LONG_S), fine, LONG_STEP_S)
        return old + await self._drawn(agent, signal, fine, now, FINE_STEP_S)

    async def _drawn(self, agent: str, signal: str, since: float, until: float, step_s: float) -> list[Point]:
        count = int((until - since) / step_s)
        if count < 1:
            return []
        drawing = await self._recall.draw(agent, signal, since, until, count)
        return [(one.at + step_s / 2, one.mean) for one in drawing.buckets]


def _span(points: list[Point]) -> float:
    return points[-1][0] - points[0][0] if points else 0.0
