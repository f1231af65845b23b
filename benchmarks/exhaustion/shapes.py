"""How do signals look that run into their limit, and how those that only seem to?

All of them are in shares of their limit, a point a minute. A run ends where its signal first touches the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, pi, sin
from random import Random

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0
LONGEST_S = 4 * DAY_S

Value = Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Run:
    """A signal in shares of its limit. `end` is the first time at which it touches it; None where it never does."""

    shape: str
    points: list[tuple[float, float]]
    end: float | None


def leak(shape: str, dice: Random) -> Run:
    """A run into the limit, in one of `LEAKS`; what it looks like beyond that is chance."""
    begin, lasts = dice.uniform(0.15, 0.45), dice.uniform(3.0, 16.0) * HOUR_S
    quiet = dice.choice((0.0, dice.uniform(1.0, 30.0) * HOUR_S))
    grown = _growth(shape, dice)
    about = LEAKS[shape](dice)
    warm_s, warm = dice.uniform(5.0, 30.0) * MINUTE_S, dice.uniform(0.0, 0.12)
    scatter = dice.choice((0.001, 0.004, 0.01))
    autocorrelation = dice.choice((0.0, 0.5, 0.9))

    def value(at: float) -> float:
        leaked = (1.0 - begin) * grown(max(0.0, at - quiet) / lasts)
        return begin + leaked + warm * (1.0 - exp(-at / warm_s)) - warm + about(at)

    return _made(shape, value, scatter, autocorrelation, dice)


def look_alike(shape: str, dice: Random) -> Run:
    """A run of `LOOK_ALIKES`, which stays below the limit."""
    while True:
        run = _made(shape, LOOK_ALIKES[shape](dice), dice.choice((0.002, 0.006)), dice.choice((0.0, 0.8)), dice)
        if run.end is None:
            return run


def _growth(shape: str, dice: Random) -> Value:
    """From 0 to 1 within one unit of time, and on."""
    if shape == "speeding up":
        bend = dice.uniform(0.5, 1.5)
        return lambda share: (exp(bend * share) - 1.0) / (exp(bend) - 1.0)
    if shape == "slowing down":
        power = dice.uniform(0.65, 0.85)
        return lambda share: share**power
    return lambda share: share


def _nothing(_: Random) -> Value:
    return lambda at: 0.0


def _daily(dice: Random) -> Value:
    high, phase = dice.uniform(0.02, 0.1), dice.uniform(0.0, DAY_S)
    return lambda at: high * sin(2 * pi * (at + phase) / DAY_S)


def _teeth(dice: Random) -> Value:
    high, period = dice.uniform(0.04, 0.15), dice.uniform(6.0, 45.0) * MINUTE_S
    return lambda at: high * ((at % period) / period - 0.5)


def _deploys(dice: Random) -> Value:
    steps = [(dice.uniform(0.0, 12.0) * HOUR_S, dice.uniform(0.02, 0.08)) for _ in range(2)]
    return lambda at: sum(high for when, high in steps if at >= when)


LEAKS: dict[str, Callable[[Random], Value]] = {
    "steady": _nothing,
    "speeding up": _nothing,
    "slowing down": _nothing,
    "daily season": _daily,
    "collector's teeth": _teeth,
    "deploy steps": _deploys,
}


def _warm_up(dice: Random) -> Value:
    begin, high = dice.uniform(0.1, 0.3), dice.uniform(0.3, 0.6)
    lasts = dice.uniform(5.0, 240.0) * MINUTE_S
    return lambda at: begin + high * (1.0 - exp(-at / lasts))


def _step(dice: Random) -> Value:
    begin, high, when = dice.uniform(0.2, 0.5), dice.uniform(0.1, 0.4), dice.uniform(1.0, 48.0) * HOUR_S
    return lambda at: begin + high * (at >= when)


def _collected(dice: Random) -> Value:
    begin, high, period = dice.uniform(0.1, 0.4), dice.uniform(0.2, 0.5), dice.uniform(10.0, 400.0) * MINUTE_S
    return lambda at: begin + high * (at % period) / period


def _nightly(dice: Random) -> Value:
    begin, high = dice.uniform(0.2, 0.4), dice.uniform(0.2, 0.45)
    hour, lasts = dice.uniform(0.0, 20.0) * HOUR_S, dice.uniform(0.5, 3.0) * HOUR_S

    def value(at: float) -> float:
        inside = (at - hour) % DAY_S
        return begin + (high * inside / lasts if inside < lasts else 0.0)

    return value


def _season(dice: Random) -> Value:
    high, phase = dice.uniform(0.1, 0.35), dice.uniform(0.0, DAY_S)
    return lambda at: 0.5 + high * sin(2 * pi * (at + phase) / DAY_S)


def _wander(dice: Random) -> Value:
    """A random walk that is drawn back to where it began."""
    walk, values = 0.0, []
    for _ in range(int(LONGEST_S / MINUTE_S) + 1):
        walk += -walk / 300.0 + dice.gauss(0.0, 0.006)
        values.append(0.5 + walk)
    return lambda at: values[int(at / MINUTE_S)]


def _flat(dice: Random) -> Value:
    begin = dice.uniform(0.3, 0.9)
    return lambda at: begin


LOOK_ALIKES: dict[str, Callable[[Random], Value]] = {
    "warm-up": _warm_up,
    "step": _step,
    "collector": _collected,
    "nightly batch": _nightly,
    "season": _season,
    "wandering": _wander,
    "flat": _flat,
}


def _made(shape: str, value: Value, scatter: float, autocorrelation: float, dice: Random) -> Run:
    points: list[tuple[float, float]] = []
    noise, fresh = 0.0, scatter * (1.0 - autocorrelation**2) ** 0.5
    for minute in range(int(LONGEST_S / MINUTE_S)):
        at = minute * MINUTE_S
        noise = autocorrelation * noise + dice.gauss(0.0, fresh)
        points.append((at, max(0.0, value(at) + noise)))
        if points[-1][1] >= 1.0:
            return Run(shape, points, at)
    return Run(shape, points, None)
