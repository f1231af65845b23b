"""How did each signal of each agent move in the last hour or so?

One ring of points for each (agent, signal), in memory, bounded in every direction. It is a snapshot beside the
journal: what is lost is measured again, so a damaged document gives an empty history and the reason, never an error.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from math import isfinite

import msgspec

# An hour at the usual 5 s: enough to see a leak that needs two more. A full ring is 11.5 KB.
POINTS = 720
# A user's exporter may have thousands of series; what it has beyond these is not remembered.
SIGNALS_PER_AGENT = 32
# 47 MB at the very most, of the 512 MB in which everything has to fit: a thousand agents with four signals each.
RINGS = 4096
# A document need not hold every point: trends are seen as well in each sixth, and a thousand agents stay near 10 MB.
DOCUMENT_POINTS = 120


class History:
    """The latest points of every signal. One writer, the sink of the checks."""

    def __init__(self) -> None:
        self._rings: dict[str, dict[str, _Ring]] = {}
        self._count = 0
        self.refused = 0
        """Points that were not kept, since there are too many signals."""

    def append(self, agent: str, signal: str, at: float, value: float) -> None:
        """Keep one point. What is no number, and signals beyond the bounds, are passed over."""
        if not (isfinite(at) and isfinite(value)):
            return
        ring = self._ring(agent, signal)
        if ring is None:
            self.refused += 1
        else:
            ring.append(at, value)

    def recent(self, agent: str, signal: str, since: float = 0.0) -> list[tuple[float, float]]:
        """The points (time, value) from `since` on, in order of time."""
        ring = self._rings.get(agent, {}).get(signal)
        return ring.since(since) if ring is not None else []

    def signals(self, agent: str) -> tuple[str, ...]:
        """Names of the signals of which there are points."""
        return tuple(self._rings.get(agent, ()))

    def forget(self, agent: str) -> None:
        """Drop everything of an agent that is no longer there."""
        self._count -= len(self._rings.pop(agent, ()))

    def as_document(self) -> dict[str, dict[str, dict[str, dict[str, list[float]]]]]:
        """All signals, thinned, as plain values: `{"signals": {agent: {signal: {"at": […], "value": […]}}}}`."""
        return {
            "signals": {
                agent: {signal: _columns(ring.since(0.0)) for signal, ring in rings.items()}
                for agent, rings in self._rings.items()
            }
        }

    @classmethod
    def from_document(cls, document: object) -> tuple[History, str | None]:
        """Read what `as_document` gave, from a file that may be damaged.

        Returns the history and None; where the document cannot be read, an empty history and why.
        """
        history = cls()
        try:
            read = msgspec.convert(document, _Document)
        except msgspec.ValidationError as why:
            return history, f"cannot read the history of signals: {why}; it starts empty and fills again"
        for agent, signals in read.signals.items():
            for signal, columns in signals.items():
                for at, value in zip(columns.at, columns.value, strict=False):
                    history.append(agent, signal, at, value)
        return history, None

    def _ring(self, agent: str, signal: str) -> _Ring | None:
        """The ring of a signal, a new one for a new signal; None where there is no room for one more."""
        rings = self._rings.get(agent, {})
        ring = rings.get(signal)
        if ring is not None or len(rings) >= SIGNALS_PER_AGENT or self._count >= RINGS:
            return ring
        ring = _Ring()
        self._rings.setdefault(agent, rings)[signal] = ring
        self._count += 1
        return ring


class _Columns(msgspec.Struct):
    at: list[float]
    value: list[float]


class _Document(msgspec.Struct):
    signals: dict[str, dict[str, _Columns]]


class _Ring:
    """The latest points of one signal. It grows as it fills, so that a young fleet costs next to nothing."""

    __slots__ = ("_count", "_first", "_times", "_values")

    def __init__(self) -> None:
        self._times = array("d")
        self._values = array("d")
        self._first = 0
        self._count = 0

    def append(self, at: float, value: float) -> None:
        """Keep a point. Those that claim to be later are dropped: the clock was set back, and time must rise."""
        while self._count and self._times[(self._first + self._count - 1) % POINTS] >= at:
            self._count -= 1
        place = (self._first + self._count) % POINTS
        if place == len(self._times):
            self._times.append(at)
            self._values.append(value)
        else:
            self._times[place] = at
            self._values[place] = value
        if self._count < POINTS:
            self._count += 1
        else:
            self._first = (self._first + 1) % POINTS

    def since(self, at: float) -> list[tuple[float, float]]:
        """The points from `at` on, in order."""
        times, values = self._ordered(self._times), self._ordered(self._values)
        begin = bisect_left(times, at)
        return list(zip(times[begin:], values[begin:], strict=True))

    def _ordered(self, column: array[float]) -> array[float]:
        end = self._first + self._count
        return column[self._first : end] + column[: max(0, end - POINTS)]


def _columns(points: Sequence[tuple[float, float]]) -> dict[str, list[float]]:
    """Every n-th point as columns, the latest always among them."""
    stride = -(-len(points) // DOCUMENT_POINTS) or 1
    kept = points[(len(points) - 1) % stride :: stride] if points else points
    return {"at": [at for at, _ in kept], "value": [value for _, value in kept]}
