"""What does a network see of an agent: the steps of a horizon, one after the other?

A row tells of one moment, with all that could be thought of beforehand; a walk tells how it went, and leaves it to the
network what matters. As in a row nothing has a unit: the signal with a limit is told in shares of that, the others in
spreads of their own past.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from math import asinh, inf, isfinite, nan

from selfheal.predict.roles import Role, role_of
from selfheal.predict.steps import STEPS, Column, Track
from selfheal.predict.timeleft import HORIZON_S
from selfheal.predict.windows import BEFORE, GROUPS, Windows, grouped, past_of

CELLS = (
    "limit.level", "limit.gain", "limit.above_earlier", "limit.since_yesterday", *GROUPS,
    "agent.age", "agent.anomalies", "agent.changes",
)  # fmt: skip
_DAY = round(86400.0 / HORIZON_S * STEPS)
# A rise is told over so many steps.
_RISE = STEPS // 2
_COUNTED: tuple[Role, ...] = ("anomalies", "changes")


class Walk:
    """The steps of one agent's track, which has the limits of one way to fail."""

    def __init__(self, track: Track) -> None:
        windows, roles = Windows(track), {name: role_of(name) for name in track.columns}
        self._track = track
        self._begun = windows.begun
        self._limited = [(name, track.columns[name], limit) for name, limit in track.limits.items()]
        self._groups = [[track.columns[name] for name in some] for some in grouped(track)]
        by_role = {roles[name]: column.means for name, column in [*track.columns.items()][::-1]}
        self._counted = [by_role.get(role, ()) for role in _COUNTED]

    def window(self, place: int) -> list[tuple[float, ...]]:
        """The steps of the horizon that ends with a step, (STEPS, len(CELLS)); NaN before the track begins."""
        return [self.cells(one) if one >= 0 else (nan,) * len(CELLS) for one in range(place + 1 - STEPS, place + 1)]

    def all(self) -> array[float]:
        """The cells of all steps, one step after the other, in single precision: what many windows are cut from."""
        told = array("f")
        for place in range(self._track.length):
            told.extend(self.cells(place))
        return told

    def cells(self, place: int) -> tuple[float, ...]:
        """What was known at the end of a step of that step, as in CELLS."""
        end = place + 1
        restarts = self._track.restarts
        until = bisect_right(restarts, place)
        age = asinh((place - restarts[until - 1]) / STEPS) if until else nan
        counts = [means[place] if means else nan for means in self._counted]
        return (*self._nearest(place), *(_furthest(columns, end) for columns in self._groups), age, *counts)

    def _nearest(self, place: int) -> tuple[float, ...]:
        """Of the signals with a limit the one that is nearest to it: all in shares of the limit."""
        best: tuple[float, ...] = (nan,) * 4
        highest = -inf
        for name, column, limit in self._limited:
            level = column.means[place] / limit if place >= self._begun(name, place) else nan
            if isfinite(level) and level > highest:
                highest, best = level, _towards(column, level, limit, self._begun(name, place), place)
        return best


def cut(cells: Sequence[float], place: int) -> list[Sequence[float]]:
    """The window that ends with a step, of the cells of all of them, as `Walk.window` has it."""
    width = len(CELLS)
    nothing: Sequence[float] = (nan,) * width
    places = range(place + 1 - STEPS, place + 1)
    return [cells[one * width : (one + 1) * width] if one >= 0 else nothing for one in places]


def _towards(column: Column, level: float, limit: float, since: int, place: int) -> tuple[float, ...]:
    before = column.means[place - _RISE] / limit if place - _RISE >= since else nan
    top = column.tops[max(0, place + 1 - BEFORE)] / limit
    yesterday = column.mean(place - _DAY - 2, place - _DAY + 1) / limit if place >= _DAY else nan
    return level, level - before, level - top if isfinite(top) else nan, level - yesterday


def _furthest(columns: Sequence[Column], end: int) -> float:
    """Of some signals the one that is furthest from its own past, in spreads of that; NaN where none is known."""
    pasts = filter(None, (past_of(column, end, column.means[end - 1]) for column in columns))
    distances = (past.distance for past in pasts)
    return asinh(max(distances, key=abs, default=nan))
