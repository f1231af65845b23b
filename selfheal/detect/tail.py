"""How far does something stray by itself, and where has its bar to be so that it is passed no more often than allowed?

Peaks over a low line are counted, and how far beyond it they go is kept as a mean and a mean square: were they to go on
as they do, the bar is where a given number a day is left (a generalized Pareto tail by its moments: Hosking and Wallis,
Technometrics 29, 1987; peaks of a stream as in SPOT: Siffer et al., KDD 2017). What was beyond the bar is learned only
up to there. Nothing is done while nothing strays.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log
from math import pow as power

import msgspec

DAY_S = 86_400.0
# Peaks within so many samples of each other are one.
APART = 20
# Samples that come faster than this are not thought to do so for long.
QUICKEST_S = 0.1
# Shapes: heavier ones have no variance, nearly, and lighter ones are as good as none.
HEAVIEST, LIGHT = 0.4, 0.01
# By what share of itself a spike raises its bar.
SPIKE = 0.1
# What is older than this counts half.
HALF_LIFE_S = 4 * DAY_S


@dataclass(frozen=True, slots=True)
class Prior:
    """What is believed before any peak was seen: the line, the least and the greatest bar; one peak in so many samples;
    how far beyond the line peaks go, and with which shape (0 falls off exponentially), as if so many had been seen.
    """

    line: float
    least: float
    most: float
    samples: float
    excess: float
    shape: float
    peaks: float

    @property
    def square(self) -> float:
        """The mean square of how far peaks go beyond the line."""
        return 2.0 * self.excess**2 * (1.0 - self.shape) / (1.0 - 2.0 * self.shape)


class Tail(msgspec.Struct, array_like=True):
    """The peaks of one series. It is changed in place, for its speed. `began` is from when on they were looked at."""

    began: float
    last: float = -inf
    peak: float = 0.0
    peaks: float = 0.0
    excess: float = 0.0
    squares: float = 0.0

    def bar(self, at: float, every_s: float, a_day: float, prior: Prior) -> float:
        """The bar that is passed `a_day` times, where samples come each `every_s` seconds."""
        looked_s = prior.samples * max(every_s, QUICKEST_S) + max(0.0, at - self.began)
        rarer = (1.0 + self.peaks) / looked_s * DAY_S / a_day
        if rarer <= 1.0:
            return prior.least
        count = prior.peaks + self.peaks
        mean = (prior.peaks * prior.excess + self.excess) / count
        square = (prior.peaks * prior.square + self.squares) / count
        shape = min(HEAVIEST, 0.5 * (1.0 - mean * mean / (square - mean * mean)))
        beyond = mean * (1.0 - shape) * (power(rarer, shape) - 1.0) / shape if shape > LIGHT else mean * log(rarer)
        return min(prior.most, max(prior.least, prior.line + beyond))

    def goes_on(self, at: float, every_s: float) -> bool:
        """Whether what is over the line now belongs to the peak before."""
        return abs(at - self.last) <= APART * every_s

    def rise(self, at: float, height: float, bar: float, every_s: float, line: float) -> None:
        """Take what is over the line now."""
        if not self.goes_on(at, every_s):
            self._close(at, line)
        self.last = at
        self.peak = max(self.peak, min(height, bar))

    def skip(self, seconds: float) -> None:
        """Nobody looked for so long."""
        self.began += seconds

    def _close(self, at: float, line: float) -> None:
        """Count the peak before this one."""
        if self.peak > 0.0:
            self.peaks += 1.0
            self.excess += self.peak - line
            self.squares += (self.peak - line) ** 2
        self.peak = 0.0
        if at - self.began > 2.0 * HALF_LIFE_S:
            self.peaks, self.excess, self.squares = self.peaks / 2.0, self.excess / 2.0, self.squares / 2.0
            self.began = (at + self.began) / 2.0


class Spikes(msgspec.Struct, array_like=True):
    """The height that single samples pass with a given chance: it is raised by each that does, and sinks by itself.

    Where samples do not depend on each other, and stray far, that tells of three in a row long before there were any.
    It is changed in place, for its speed.
    """

    at: float
    height: float = 1.0

    def bar(self, at: float, every_s: float, a_day: float, hits: int) -> float:
        """The height that as many samples in a row pass `a_day` times by chance."""
        chance = power(min(1.0, a_day * max(every_s, QUICKEST_S) / DAY_S), 1.0 / hits)
        if at > self.at and every_s > 0.0:
            self.height *= exp(-SPIKE * chance * (at - self.at) / every_s)
        self.at = at
        return self.height

    def rise(self, height: float, line: float) -> None:
        """Take what is over the line."""
        self.height = max(self.height, line)
        if height > self.height:
            self.height *= 1.0 + SPIKE
