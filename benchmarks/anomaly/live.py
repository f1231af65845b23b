"""What does the daemon's own detector make of noise, and how soon does it tell of trouble?

`python -m benchmarks.anomaly.live`: alarms of an agent a day where nothing is wrong, for agents of 1, 8 and 40 signals
that come each second, five seconds and minute, of each family of noise and of all mixed; then after how many samples a
slow-down, a ramp of errors and a leak are told; then what a sample costs and a series holds. Nothing here was seen by
the constants but the seeds from 1000 on (`--begin`): those that are printed are others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import pi, sin, sqrt
from random import Random

from selfheal.detect.anomalies import AnomalyWatch
from selfheal.detect.grouping import Departed
from selfheal.detect.patience import HITS
from selfheal.detect.together import ALARMS_A_DAY

DAY_S = 86_400.0
PACES_S, SIGNALS = (1.0, 5.0, 60.0), (1, 8, 40)
BUDGET = 2.0 * ALARMS_A_DAY

Draw = Callable[[float], float]
"""The value of a signal at a time."""


def gaussian(dice: Random, every_s: float) -> Draw:
    return lambda at: dice.gauss(100.0, 10.0)


def lognormal(dice: Random, every_s: float) -> Draw:
    return lambda at: dice.lognormvariate(0.0, 1.0)


def autocorrelated(dice: Random, every_s: float) -> Draw:
    """Each sample is .9 of the one before."""
    level = 0.0

    def draw(at: float) -> float:
        nonlocal level
        level = 0.9 * level + dice.gauss(0.0, sqrt(1.0 - 0.9**2))
        return 100.0 + 10.0 * level

    return draw


def pareto(dice: Random, every_s: float) -> Draw:
    return lambda at: 10.0 * dice.paretovariate(2.5)


def poisson(dice: Random, every_s: float) -> Draw:
    """Counts of twelve a minute, as they come within the interval."""

    def draw(at: float) -> float:
        left, count = every_s / 5.0, 0
        while (left := left - dice.expovariate(1.0)) > 0.0:
            count += 1
        return float(count)

    return draw


def bursts(dice: Random, every_s: float) -> Draw:
    """Calm, but once an hour, about, ten times as high for two to eight samples."""
    left = 0

    def draw(at: float) -> float:
        nonlocal left
        if left == 0 and dice.random() < every_s / 3600.0:
            left = dice.randint(2, 8)
        left -= left > 0
        return dice.gauss(100.0 if left else 10.0, 2.0)

    return draw


def daily(dice: Random, every_s: float) -> Draw:
    """Twice as much by day as by night."""
    return lambda at: 150.0 - 50.0 * sin(2.0 * pi * at / DAY_S) + dice.gauss(0.0, 10.0)


NOISE: Mapping[str, Callable[[Random, float], Draw]] = {
    "gaussian": gaussian,
    "lognormal": lognormal,
    "autocorrelated": autocorrelated,
    "Pareto": pareto,
    "Poisson": poisson,
    "bursts": bursts,
    "daily": daily,
}


def samples(
    draws: Mapping[str, Draw], every_s: float, seconds: float, dice: Random
) -> Iterator[tuple[float, str, float]]:
    """Times, signals and values of one agent, each at its own moment within the interval, a little late at times."""
    at = 0.0
    while at < seconds:
        for signal, draw in draws.items():
            yield at, signal, draw(at)
        at += every_s * dice.uniform(0.98, 1.02)


def alarms(families: list[str], count: int, every_s: float, days: float, seed: int) -> tuple[int, int]:
    """Alarms of one agent: those in the first hour, and those after it. Alarms within a minute of each other are one."""
    dice = Random(seed)
    draws = {f"s{number}": NOISE[families[number % len(families)]](dice, every_s) for number in range(count)}
    watch, latest, early, late = AnomalyWatch(), -DAY_S, 0, 0
    for at, signal, value in samples(draws, every_s, days * DAY_S, dice):
        for told in watch.look("agent", signal, at, value):
            if isinstance(told, Departed):
                if at - latest > max(60.0, HITS * every_s):
                    early, late = (early + 1, late) if at < 3600.0 else (early, late + 1)
                latest = at
    return early, late
