"""How did each signal of each agent move in the last hour or so?

The latest points of each (agent, signal), in memory, bounded in every direction: the more signals there are, the fewer
points of each are kept. What has not been written to the disk yet is known of each; the disk is somebody else's.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from math import inf, isfinite

# An hour at the usual 5 s: enough to see a leak that needs two more. A full ring is 11.5 KB.
POINTS = 720
# A user's exporter may have thousands of series; what it has beyond these is not remembered.
SIGNALS_PER_AGENT = 32
# Ten thousand checks with two signals each, and half as many again: with all of their points 30 MB to 40 MB.
RINGS = 32_768
# Of all rings together. Up to 1,500 signals have full rings; 20,000 have the latest 53 points each.
POINTS_IN_ALL = 1_100_000

Fresh = tuple[str, str, "array[float]"]
"""Agent, signal, and points of it in order: time, value, time, value, …"""


class Series:
    """The latest points of one signal: a handle for who appends to it again and again, until its agent is forgotten.

    The points slide through one array of pairs, which is cut by an eighth at a time: that is cheaper than the sums of
    a ring, and grows as it fills, so that a young fleet costs next to nothing.
    """

    __slots__ = ("_fresh", "_full", "_keep", "_last", "_points")

    def __init__(self, keep: int) -> None:
        self._points = array("d")
        self._last = -inf
        self._fresh = 0
        self.fit(keep)

    def append(self, at: float, value: float) -> None:
        """Keep one point. What is no number is passed over; points that claim to be later than it are dropped."""
        if not (self._last < at < inf and value - value == 0.0):  # which is not 0 of what is not finite
            if not (isfinite(at) and isfinite(value)):
                return
            self._set_back(at)
        points = self._points
        points.append(at)
        points.append(value)
        self._last = at
        self._fresh += 1
        if len(points) > self._full:
            self._cut()

    def since(self, at: float) -> list[tuple[float, float]]:
        """The points (time, value) from `at` on, in order of time."""
        times, values = self.columns(at)
        return list(zip(times, values, strict=True))

    def columns(self, at: float) -> tuple[array[float], array[float]]:
        """The times and the values from `at` on: copied as they lie there, which takes next to no time."""
        points = self._points
        count = len(points) // 2
        begin = bisect_left(range(count), at, max(0, count - self._keep), key=lambda place: points[2 * place])
        return points[2 * begin :: 2], points[2 * begin + 1 :: 2]

    def fit(self, keep: int) -> None:
        """Keep so many points from now on, the newest."""
        self._keep = keep
        self._full = 2 * (keep + keep // 8)
        if len(self._points) > self._full:
            self._cut()

    def take(self) -> array[float]:
        """The points that were not taken yet."""
        count = min(self._fresh, len(self._points) // 2)
        self._fresh = 0
        return self._points[len(self._points) - 2 * count :]

    def take_back(self, count: int) -> None:
        """So many that were taken are not written after all, and will be taken again."""
        self._fresh += count

    def precede(self, points: array[float]) -> None:
        """Put what is known from elsewhere before the points that are here; it is not taken. Pairs, in order."""
        first = self._points[0] if self._points else inf
        end = bisect_left(range(len(points) // 2), first, key=lambda place: points[2 * place])
        room = self._keep - len(self._points) // 2
        if room > 0 and end > 0:
            self._points = points[2 * max(0, end - room) : 2 * end] + self._points
            self._last = self._points[-2]

    def _cut(self) -> None:
        del self._points[: -2 * self._keep]

    def _set_back(self, at: float) -> None:
        """The clock was set back: time must rise, so what lies in the future now goes."""
        points = self._points
        keep = bisect_left(range(len(points) // 2), at, key=lambda place: points[2 * place])
        self._fresh = max(0, self._fresh - (len(points) // 2 - keep))
        del points[2 * keep :]


class History:
    """The latest points of every signal. One writer, the sink of the checks."""

    def __init__(self) -> None:
        self._rings: dict[str, dict[str, Series]] = {}
        self._count = 0
        self._keep = POINTS
        self.refused = 0
        """Points, or handles, that were not given room, since there are too many signals."""

    def append(self, agent: str, signal: str, at: float, value: float) -> None:
        """Keep one point. What is no number, and signals beyond the bounds, are passed over."""
        if isfinite(at) and isfinite(value):
            series = self.series(agent, signal)
            if series is not None:
                series.append(at, value)

    def series(self, agent: str, signal: str) -> Series | None:
        """The points of a signal, to append to; None where there is no room for one more signal.

        It is good until the agent is forgotten; what is appended then is seen by nobody.
        """
        rings = self._rings.get(agent)
        found = rings.get(signal) if rings is not None else None
        if found is not None:
            return found
        if self._count >= RINGS or (rings is not None and len(rings) >= SIGNALS_PER_AGENT):
            self.refused += 1
            return None
        self._count += 1
        self._fit()
        return self._rings.setdefault(agent, {}).setdefault(signal, Series(self._keep))

    def recent(self, agent: str, signal: str, since: float = 0.0) -> list[tuple[float, float]]:
        """The points (time, value) from `since` on, in order of time."""
        series = self._rings.get(agent, {}).get(signal)
        return series.since(since) if series is not None else []

    def columns(self, agent: str, since: float) -> list[tuple[str, array[float], array[float]]]:
        """Every signal of an agent, with the times and the values of its points from `since` on."""
        return [(signal, *series.columns(since)) for signal, series in self._rings.get(agent, {}).items()]

    def signals(self, agent: str) -> tuple[str, ...]:
        """Names of the signals of which there are points."""
        return tuple(self._rings.get(agent, ()))

    def agents(self) -> tuple[str, ...]:
        """Names of the agents that have signals."""
        return tuple(self._rings)

    def forget(self, agent: str) -> None:
        """Drop everything of an agent that is no longer there."""
        self._count -= len(self._rings.pop(agent, ()))
        self._fit()

    def take(self, agents: Iterable[str]) -> list[Fresh]:
        """What was appended to the signals of these agents and not taken yet."""
        taken = ((agent, signal, series.take()) for agent, signal, series in self._of(agents))
        return [fresh for fresh in taken if fresh[2]]

    def take_back(self, taken: Sequence[Fresh]) -> None:
        """What was taken could not be written: it will be taken again."""
        for agent, signal, points in taken:
            series = self._rings.get(agent, {}).get(signal)
            if series is not None:
                series.take_back(len(points) // 2)

    def _of(self, agents: Iterable[str]) -> Iterator[tuple[str, str, Series]]:
        for agent in agents:
            for signal, series in self._rings.get(agent, {}).items():
                yield agent, signal, series

    def _fit(self) -> None:
        """Share the memory among the signals that there are now."""
        keep = points_of_each(self._count)
        if keep != self._keep:
            self._keep = keep
            for _, _, series in self._of(self._rings):
                series.fit(keep)


def points_of_each(count: int) -> int:
    """How many points each of `count` signals may keep. It falls by a quarter at a time, so that few signals that come
    cut all others.
    """
    keep = POINTS
    while keep * count > POINTS_IN_ALL:
        keep = keep * 3 // 4
    return keep
