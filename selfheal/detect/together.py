"""Is an agent strange, all of its signals looked at one by one?

Each of its signals is strange by itself, or is not. What many signals may alarm for nothing is one budget of the agent,
so that each of forty has to be stranger than one alone. And two that are somewhat strange at the same time may be as
much as one that is strange: how often they are for nothing is learned as that of one signal is.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import msgspec

from selfheal.detect.patience import Patience
from selfheal.detect.senses import sense_of
from selfheal.detect.tail import Prior, Tail
from selfheal.detect.usual import Usual
from selfheal.detect.watched import BEGINNING_S, SOMEWHAT, Verdict, Watched
from selfheal.measures import Sense
from selfheal.vocabulary import LevelWhy

# What an agent may alarm for nothing, all signals together, and two of them together as much again.
ALARMS_A_DAY = 0.05
# A signal is far out, or it lasts.
WAYS = 2
# The bar of two, as shares of their own: what the less strange one has to be.
PRIOR = Prior(line=SOMEWHAT, least=0.75, most=1.0, samples=10_000.0, excess=0.05, shape=0.02, peaks=4.0)
# Two signals are strange at the same time where no more than so many samples lie between them.
BESIDE = 3.0


class Known(msgspec.Struct, array_like=True):
    """What was learned of an agent; this is what is kept. `counters` are what its exporters say of their series."""

    signals: dict[str, Watched] = {}
    counters: dict[str, bool] = {}
    together: Tail | None = None
    patience: Patience = msgspec.field(default_factory=Patience)
    version: str = ""


class OneAgent:
    """An agent, and how each of its signals is read."""

    __slots__ = ("_a_day", "_began", "_hot", "_senses", "known")

    def __init__(self, known: Known) -> None:
        self.known = known
        self._a_day = ALARMS_A_DAY
        self._began = -inf
        self._senses: dict[str, Sense | None] = {}
        self._hot: dict[str, tuple[float, float]] = {}
        self._read()

    def begin(self, signal: str, *, season: bool) -> None:
        """Watch a signal from now on; `season` says whether there is room for what is usual at times of the day."""
        self.known.signals[signal] = Watched(usual=Usual() if season else None)
        self._read()

    def take(self, signal: str, watched: Watched, at: float, value: float) -> tuple[Verdict, ...]:
        """Take one sample of a signal that is watched."""
        sense = self._senses[signal]
        if sense is None or (at < self._began + BEGINNING_S and not watched.level.warm):
            return ()
        told = watched.take(at, value, sense, self._a_day, self.known.patience)
        judged = watched.judged
        if judged is None or watched.share < SOMEWHAT or watched.since is not None:
            return told
        if self._are_two(signal, at, watched):
            return (*told, watched.begin(judged))
        return told

    def change(self, at: float, why: LevelWhy) -> None:
        """Something was done to it: its signals may have other levels from now on."""
        self._hot.clear()
        if why == "start":
            self._began = at
        for watched in self.known.signals.values():
            watched.change(at, why)

    def count(self, counters: Mapping[str, bool]) -> None:
        """Hear from an exporter which of its series count, and which do not."""
        if counters.items() <= self.known.counters.items():
            return
        self.known.counters.update(counters)
        before = self._senses
        self._read()
        for signal, watched in self.known.signals.items():
            if self._senses[signal] != before[signal] and watched.since is None:  # it was taken for something else
                self.known.signals[signal] = Watched(usual=watched.usual and Usual())

    def _read(self) -> None:
        """How each signal is read, and how often each may alarm."""
        counters = self.known.counters
        self._senses = {name: sense_of(name, counters.get(name.rpartition(".")[2])) for name in self.known.signals}
        read = sum(sense is not None for sense in self._senses.values())
        self._a_day = ALARMS_A_DAY / WAYS / max(1, read)

    def _are_two(self, signal: str, at: float, watched: Watched) -> bool:
        """Whether another one is strange as well, enough for both of them to be strange."""
        within = BESIDE * watched.every_s
        self._hot = {name: hot for name, hot in self._hot.items() if abs(at - hot[0]) <= within and name != signal}
        other = max((share for _, share in self._hot.values()), default=0.0)
        self._hot[signal] = (at, watched.share)
        both = min(other, watched.share)
        if both < PRIOR.line:
            return False
        tail = self.known.together = self.known.together or Tail(at)
        bar = tail.bar(at, watched.every_s, ALARMS_A_DAY, PRIOR)
        fresh = not tail.goes_on(at, watched.every_s)
        tail.rise(at, both, bar, watched.every_s, PRIOR.line)
        return fresh and both >= bar
