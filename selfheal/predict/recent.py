"""How did the signals of an agent go in the latest day, in steps of five minutes?

Rows look back further than the points in memory do: of each step the mean is kept, and no more. A step is known when
it is over; what the daemon sees of it and what a child is sent are the same numbers, so that both make the same row.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, nan

from selfheal.predict.resources import resources
from selfheal.predict.roles import role_of
from selfheal.predict.steps import STEPS, Track, column_of, place_of
from selfheal.predict.timeleft import HORIZON_S
from selfheal.world import Agent

STEP_S = HORIZON_S / STEPS
# A day, the horizon of the day before, and half as much again: 28 hours, 2.7 KB a signal.
KEPT = 14 * STEPS
# Those with a limit first: what a user's exporter has beyond is in no row.
MOST_SIGNALS = 12
NOTHING_MORE: Mapping[str, Sequence[float]] = {}

Points = tuple[str, Sequence[float], Sequence[float]]
"""A signal, the times of its points in order, and their values."""


def step_of(now: float) -> int:
    """The number of the latest step that is over."""
    return int(now // STEP_S)


def signals_told(agent: Agent, signals: Iterable[str]) -> tuple[str, ...]:
    """The signals of an agent that are in its rows: those with a limit, then those whose name says what they are."""
    known = tuple(signals)
    limited = dict.fromkeys(one.signal for one in resources(agent, known))
    named = (name for name in known if name not in limited and role_of(name) != "other")
    return (*limited, *named)[:MOST_SIGNALS]


def means_of(times: Sequence[float], values: Sequence[float], first: int, last: int) -> array[float]:
    """The mean of each step from `first` to `last`; NaN where nothing was measured."""
    means = array("d")
    begin = bisect_right(times, (first - 1) * STEP_S)
    for step in range(first, last + 1):
        end = bisect_right(times, step * STEP_S, begin)
        there = [value for value in values[begin:end] if isfinite(value)]
        means.append(sum(there) / len(there) if there else nan)
        begin = end
    return means


def track_of(
    agent: str,
    first: int,
    columns: Mapping[str, Sequence[float]],
    limits: Mapping[str, float],
    restarts: Sequence[float],
) -> Track:
    """The track of the means of steps, the first of which is number `first`; `restarts` are times."""
    length = max(map(len, columns.values()), default=1)
    ended = (first + length - 1) * STEP_S
    places = sorted(place_of(at, STEP_S) - first for at in restarts if at <= ended)
    known = {name: column_of(_whole(means, length), places) for name, means in columns.items()}
    return Track(agent, first, STEP_S, length, known, limits, places)


def _whole(means: Sequence[float], length: int) -> list[float]:
    """The means of so many steps; what is no number was not measured."""
    return [mean if isfinite(mean) else nan for mean in means] + [nan] * (length - len(means))


class Recent:
    """The latest steps of one agent, up to the one whose number is `until`. At most `KEPT` of each signal."""

    def __init__(self, agent: str, until: int) -> None:
        self.agent = agent
        self.until = until
        self._columns: dict[str, array[float]] = {}

    @property
    def signals(self) -> tuple[str, ...]:
        return tuple(self._columns)

    @property
    def first(self) -> int:
        """The number of the first step that is kept."""
        return self.until - KEPT + 1

    def begin(self, signal: str, means: Sequence[float]) -> None:
        """Take what is known of a signal from elsewhere: the means of the latest steps, the last being `until`."""
        latest = array("d", means[-KEPT:])
        self._columns[signal] = array("d", [nan]) * (KEPT - len(latest)) + latest

    def go_on(self, points: Iterable[Points], now: float) -> None:
        """Add the steps that are over by now."""
        until = step_of(now)
        more = min(KEPT, until - self.until)
        if more <= 0:
            return
        seen = {name: means_of(times, values, until - more + 1, until) for name, times, values in points}
        nothing = array("d", [nan])
        for name in seen.keys() - self._columns.keys():
            self._columns[name] = nothing * KEPT
        for name, means in self._columns.items():
            self._columns[name] = means[more:] + seen.get(name, nothing * more)
        self.until = until

    def track(
        self, limits: Mapping[str, float], restarts: Sequence[float], more: Mapping[str, Sequence[float]] = NOTHING_MORE
    ) -> Track:
        """Its track, for rows; the last place is the step `until`. `more` are columns of the same steps."""
        return track_of(self.agent, self.first, {**self._columns, **more}, limits, restarts)
