"""Signals to be watched, sample after sample."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

from selfheal.detect.patience import Patience
from selfheal.detect.watched import Verdict, Watched
from selfheal.measures import Sense

EVERY_S = 5.0
# As for an agent with one signal.
A_DAY = 0.05
PLAIN = Sense()


class Signal:
    """One signal that comes each five seconds, and all that was told of it."""

    def __init__(self, sense: Sense = PLAIN, watched: Watched | None = None, every_s: float = EVERY_S) -> None:
        self.sense, self.every_s, self.at = sense, every_s, 0.0
        self.watched = watched or Watched()
        self.others = Patience()
        self.told: list[Verdict] = []

    def goes(self, values: Iterable[float]) -> list[str]:
        """What is told of these values, but for how much further out they are."""
        before = len(self.told)
        for value in values:
            self.at += self.every_s
            self.told += self.watched.take(self.at, value, self.sense, A_DAY, self.others)
        return [one.kind for one in self.told[before:] if one.kind != "further"]


def noise(seed: int, count: int, level: float = 100.0, width: float = 10.0) -> list[float]:
    """Gaussian noise around a level."""
    dice = Random(seed)
    return [dice.gauss(level, width) for _ in range(count)]
