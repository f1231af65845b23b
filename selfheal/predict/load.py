"""When does an agent have least to do?

What it had to do in each hour of the week is learned from what is kept of the past: the median over the weeks, of the
one signal that says most of it. An hour of the week that was never seen is as that hour was on other days.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

HOUR_S = 3600.0
DAY_H, WEEK_H = 24, 168
# The epoch began on a Thursday: hours since then are counted from Monday, at midnight UTC.
THURSDAY_H = 3 * DAY_H
# Of less than two days nobody knows whether an hour is quiet, or was so once.
LEAST_HOURS = 2 * DAY_H
# Signals that tell how much an agent has to do, what is asked of it before what that takes.
ASKED = ("requests", "request", "rps", "queries", "connections")
TAKEN = ("cpu", "io_write", "io_read")
# What ever rises is a counter: the load is what came to it within an hour.
COUNTER = "_total"
# An hour that is hardly quieter than another is not worth a shift.
CLEARLY = 0.8


@dataclass(frozen=True, slots=True)
class Load:
    """What an agent has to do, by `signal`: `hours` has the median of each hour of the week that was seen, UTC."""

    signal: str
    hours: Mapping[int, float]
    usual: float

    def at(self, moment: float) -> float:
        """What there is to do at a moment, as a share of what is usual."""
        hour = hour_of_week(moment)
        level = self.hours.get(hour)
        if level is None:
            alike = [value for known, value in self.hours.items() if known % DAY_H == hour % DAY_H]
            level = median(alike) if alike else self.usual
        return level / self.usual


def telling(signals: Collection[str]) -> str | None:
    """The signal that tells most of the load; None where none does."""
    for word in ASKED:
        for name in sorted(signals):
            if word in name.replace(".", "_").split("_"):
                return name
    return next((name for name in TAKEN if name in signals), None)


def learned(signal: str, hours: Iterable[tuple[float, float]]) -> Load | None:
    """Learn from (time, mean) of each hour, in order of time; None where that is too little, or was never anything."""
    known = list(hours)
    if signal.endswith(COUNTER):
        known = [(at, value - before) for (_, before), (at, value) in pairwise(known) if value >= before]
    seen: dict[int, list[float]] = {}
    for at, value in known:
        seen.setdefault(hour_of_week(at), []).append(value)
    by_hour = {hour: median(values) for hour, values in seen.items()}
    usual = median(by_hour.values()) if by_hour else 0.0
    return Load(signal, by_hour, usual) if len(known) >= LEAST_HOURS and usual > 0 else None


def hour_of_week(moment: float) -> int:
    """From 0, Monday at midnight UTC, to 167."""
    return (int(moment // HOUR_S) + THURSDAY_H) % WEEK_H


def quietest(moments: Collection[float], rather: float, level: Callable[[float], float]) -> float:
    """The moment with the least to do; the one next to `rather`, unless another is clearly quieter than that."""
    nearest = min(moments, key=lambda moment: abs(moment - rather))
    least = min(moments, key=lambda moment: (level(moment), abs(moment - rather)))
    return least if level(least) < CLEARLY * level(nearest) else nearest
