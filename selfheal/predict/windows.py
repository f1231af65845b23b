"""What do the signals of an agent say at a time about whether it will fail?

A row is the same for every fleet: nothing in it has a unit, and it tells of roles, not of names. Of the signals that
have a limit the one that would be nearest to it at the end of the horizon is told in shares of the limit; of latency,
errors, queues and the rest the one that is furthest from its own past, in spreads of that. Windows are of 6, 12, 36 and
72 steps: 30, 60, 180 and 360 minutes where the horizon is two hours. What cannot be told is NaN.

What makes a rise harmless is told as well: whether the signal was as high before and nothing came of it, where it was
a day ago and what it did then, whether it falls back again and again, and whether it levels off.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import asinh, isfinite, log, nan
from typing import NamedTuple

from selfheal.predict.roles import ROLES, Role, role_of
from selfheal.predict.steps import STEPS, Column, Track
from selfheal.predict.trendline import Trendline, trendline

# Steps of a window, and how many of them make one number of its trend.
WINDOWS = ((6, 1), (12, 1), (36, 3), (72, 6))
LONG = WINDOWS[-1][0]
# What a signal is held against: its latest day or so, less the horizon before now.
PAST = 12 * STEPS
LEAST_PAST = 12
# Whether it was as high before is asked of what is so long ago at least.
BEFORE = 36
# In horizons; later than that is never.
NEVER = 20.0
# Fewer steps than this say nothing.
LEAST_STEPS = 6
DAY_S = 86400.0

TOWARDS = (
    "role", "level", "above_earlier", "since_yesterday", "yesterdays_rise", "drop", "levels_off", "speeds_up",
    "peak", "floor", "peak_rises", "floor_rises",
    *(f"{what}_{steps}" for steps, _ in WINDOWS for what in ("gain", "left", "left_low", "clear", "rises")),
)  # fmt: skip
DEPARTS = (
    "now", "times", "times_gain", "above_earlier", "since_yesterday", "yesterdays_rise", "speeds_up", "volatility",
    *(f"{what}_{steps}" for steps, _ in WINDOWS for what in ("gain", "clear", "rises")),
)  # fmt: skip
# Which roles are told beside each other, each as the one of its signals that is furthest from its past.
GROUPS: Mapping[str, frozenset[Role]] = {
    "latency": frozenset({"latency"}),
    "errors": frozenset({"errors"}),
    "queue": frozenset({"queue"}),
    "load": frozenset({"cpu"}),
    "rest": frozenset({"memory", "fds", "disk", "other"}),
}
_CONTEXT = (
    "age", "restart_gap", "restart_gap_before", "restarts_half", "restarts_1", "restarts_12", "error_share",
    "open_breakers", "anomalies", "changes",
)  # fmt: skip
FEATURES: tuple[str, ...] = (
    *(f"limit.{name}" for name in TOWARDS),
    *(f"{group}.{name}" for group in GROUPS for name in DEPARTS),
    *(f"agent.{name}" for name in _CONTEXT),
)
BESIDE = FEATURES[len(TOWARDS) :]
_NOTHING = (nan,) * len(DEPARTS)


class Windows:
    """The rows of one agent's track."""

    def __init__(self, track: Track) -> None:
        self.track = track
        roles = {name: role_of(name) for name in track.columns}
        limits = {name: limit for name, limit in track.limits.items() if name in track.columns}
        self._limited = [(name, track.columns[name], limit) for name, limit in limits.items()]
        self.roles = roles
        self._groups = grouped(track)
        self._context = [_of_role(track, roles, role) for role in ("breakers", "anomalies", "changes")]
        self._errors = [column for name, column in track.columns.items() if roles[name] == "errors"]
        self._restarts = _restarts(track, roles)
        # Of the step that was asked about last: a row asks more than once.
        self._end, self._pasts, self._departs = -1, dict[str, Past | None](), dict[str, Sequence[float]]()
        self.day = round(DAY_S / track.step_s) if track.step_s <= DAY_S / STEPS else 0

    def row(self, place: int) -> tuple[float, ...] | None:
        """What was known at the end of a step, as in FEATURES; None before there is enough of anything."""
        end = place + 1
        return (*self._nearest(end), *self.beside(end)) if self.is_enough(end) else None

    def is_enough(self, end: int) -> bool:
        """Whether anything was seen in the latest steps before `end`."""
        columns = self.track.columns.values()
        return end >= LEAST_STEPS and any(column.count(end - LEAST_STEPS, end) for column in columns)

    def beside(self, end: int) -> list[float]:
        """What is known of the agent but for the signals on their way to a limit, as in BESIDE."""
        cells: list[float] = []
        for names in self._groups:
            furthest = max(names, key=lambda name: self._distance(name, end), default=None)
            cells += self.departs(furthest, end) if furthest is not None else _NOTHING
        return [*cells, *self._about(end)]

    def departs(self, signal: str, end: int) -> Sequence[float]:
        """One signal in spreads of its own past, as in DEPARTS."""
        past = self._past(signal, end)
        if signal not in self._departs:
            column = self.track.columns[signal]
            self._departs[signal] = _departs(column, past, end, self.day) if past else _NOTHING
        return self._departs[signal]

    def _distance(self, signal: str, end: int) -> float:
        past = self._past(signal, end)
        return abs(past.distance) if past else -1.0

    def _past(self, signal: str, end: int) -> Past | None:
        if end != self._end:
            self._end, self._pasts, self._departs = end, {}, {}
        if signal not in self._pasts:
            column = self.track.columns[signal]
            self._pasts[signal] = past_of(column, end, column.mean(end - 3, end))
        return self._pasts[signal]

    def nearest(self, place: int) -> str | None:
        """The signal that row tells of as the one nearest to its limit."""
        found = self._urgent(place + 1)
        return found[0] if found else None

    def begun(self, signal: str, place: int) -> int:
        """The first step that says anything about a signal's way to its limit: what is on a disk outlives a restart."""
        return 0 if self.roles[signal] == "disk" else self._since(place + 1)

    def _since(self, end: int) -> int:
        last = bisect_right(self._restarts, end - 1)
        return self._restarts[last - 1] + 1 if last else 0

    def _urgent(self, end: int) -> tuple[str, Column, float, float, int] | None:
        """Of the signals with a limit, the one that would be nearest to it in a horizon: name, level, first step."""
        best, highest = None, -1e9
        for name, column, limit in self._limited:
            since = self.begun(name, end - 1)
            level = column.mean(max(since, end - 3), end) / limit
            if not isfinite(level):
                continue
            line = _line(column, since, end, 36, 3) or _line(column, since, end, *WINDOWS[0])
            ahead = level + max(0.0, line[0].slope * line[1] / limit if line else 0.0)
            if ahead > highest:
                best, highest = (name, column, limit, level, since), ahead
        return best

    def _nearest(self, end: int) -> list[float]:
        found = self._urgent(end)
        if found is None:
            return [nan] * len(TOWARDS)
        name, column, limit, level, since = found
        return towards(column, limit, level, since, end, self.day, float(ROLES.index(self.roles[name])))

    def _about(self, end: int) -> list[float]:
        restarts = self._restarts
        until = bisect_right(restarts, end - 1)
        age = asinh((end - 1 - restarts[until - 1]) / STEPS) if until else nan
        counts = [float(until - bisect_right(restarts, end - 1 - steps)) for steps in (STEPS // 2, STEPS, 12 * STEPS)]
        seen = [column.mean(end - 12, end) if column else nan for column in self._context]
        gaps = [_gap(restarts, until, back) for back in (1, 2)]
        return [age, *gaps, *counts, self._error_share(end), *seen]

    def _error_share(self, end: int) -> float:
        """The share of what fails, where what is measured is a share: then it means the same for every agent."""
        shares = [column.mean(end - 3, end) for column in self._errors if 0.0 <= column.tops[end] <= 1.0]
        return max(shares, default=nan)


def _gap(restarts: Sequence[int], until: int, back: int) -> float:
    """The time between two restarts, so many back from the latest, in horizons."""
    return asinh((restarts[until - back] - restarts[until - back - 1]) / STEPS) if until > back else nan


def grouped(track: Track) -> list[list[str]]:
    """The signals of each of GROUPS; of the rest those without a limit, for that is told by itself."""
    roles = {name: role_of(name) for name in track.columns}
    free = [name for name in track.columns if roles[name] not in GROUPS["rest"] or name not in track.limits]
    return [[name for name in free if roles[name] in some] for some in GROUPS.values()]


def _of_role(track: Track, roles: Mapping[str, Role], role: Role) -> Column | None:
    return next((track.columns[name] for name in track.columns if roles[name] == role), None)


def _restarts(track: Track, roles: Mapping[str, Role]) -> Sequence[int]:
    """The steps in which the agent began anew: by its failures, by what counts restarts, by what tells its age."""
    places = list(track.restarts)
    counter, uptime = _of_role(track, roles, "restarts"), _of_role(track, roles, "uptime")
    if counter is not None:
        places = _moves(counter, 1.0)
    if uptime is not None:
        places = sorted({*places, *_moves(uptime, -1.0)})
    return places


def _moves(column: Column, sign: float) -> list[int]:
    """Where a signal goes up, or down, once for each whole one that it goes up."""
    places: list[int] = []
    before = nan
    for place, mean in enumerate(column.means):
        if isfinite(mean):
            rise = sign * (mean - before)
            if rise > 0.0:
                places += [place] * (max(1, min(10, round(rise))) if sign > 0.0 else 1)
            before = mean
    return places


def _line(column: Column, since: int, end: int, steps: int, size: int) -> tuple[Trendline, float] | None:
    """The trend of a window, and how many of its numbers a horizon has."""
    line = trendline(column.groups(max(since, end - steps), end, size))
    return (line, STEPS / size) if line else None


def towards(column: Column, limit: float, level: float, since: int, end: int, day: int, role: float) -> list[float]:
    """A signal on its way to its limit, in shares of that; times are in horizons."""
    cells: list[float] = []
    gains: list[float] = []
    for steps, size in WINDOWS:
        found = _line(column, since, end, steps, size)
        if found is None:
            cells += [nan] * 5
            gains.append(nan)
            continue
        line, numbers = found
        gain = line.slope * numbers / limit
        cells += [
            gain,
            left_of(level, gain),
            left_of(level, line.high * numbers / limit),
            _clear(line, steps // size),
            line.rises,
        ]
        gains.append(gain)
    long = column.groups(max(since, end - LONG), end, WINDOWS[-1][1])
    top = column.tops[max(0, end - BEFORE)] / limit
    yesterday, rise = _yesterday(column, end, day)
    return [
        role,
        level,
        level - top if isfinite(top) else nan,
        level - yesterday / limit,
        rise / limit,
        _drop(long),
        _levels_off(long),
        gains[1] - gains[2],
        *(cell / limit for cell in _teeth(column, since, end)),
        *cells,
    ]


def _teeth(column: Column, since: int, end: int) -> tuple[float, float, float, float]:
    """The highest and the lowest of the latest 36 steps, and how far each rose from their first half to the second."""
    middle = max(since, end - 18, 0)
    late = [mean for mean in column.means[middle:end] if isfinite(mean)]
    early = [mean for mean in column.means[max(since, end - 36, 0) : middle] if isfinite(mean)]
    if not late or not early:
        return nan, nan, nan, nan
    high, low = (max(late), max(early)), (min(late), min(early))
    return max(high), min(low), high[0] - high[1], low[0] - low[1]


def left_of(level: float, gain: float) -> float:
    """In how many horizons the limit is reached from a level, at a gain for each, both in shares of the limit."""
    if level >= 1.0:
        return 0.0
    return min(NEVER, (1.0 - level) / gain) if gain > 0.0 else NEVER


def _clear(line: Trendline, numbers: int) -> float:
    """How far the rise of a window stands out of the scatter about it."""
    rise = line.slope * numbers
    return max(-50.0, min(50.0, rise / line.scatter)) if line.scatter > 0.0 else 50.0 * ((rise > 0) - (rise < 0))


def _yesterday(column: Column, end: int, day: int) -> tuple[float, float]:
    """Where a signal was at this time of the day before, and how far it rose from there within a horizon."""
    then = end - day
    if day == 0 or then < 3:
        return nan, nan
    level = column.mean(then - 3, then)
    top = max((mean for mean in column.means[then : then + STEPS] if isfinite(mean)), default=nan)
    return level, top - level


def _drop(numbers: Sequence[float]) -> float:
    """The deepest fall from a peak, as a share of the range: what is released again and again falls by all of it."""
    there = [number for number in numbers if isfinite(number)]
    if len(there) < 2:
        return nan
    peak, deepest = there[0], 0.0
    for number in there:
        peak = max(peak, number)
        deepest = max(deepest, peak - number)
    reach = max(there) - min(there)
    return deepest / reach if reach > 0.0 else 0.0


def _levels_off(numbers: Sequence[float]) -> float:
    """The rise from the middle third to the last over that from the first to the middle; NaN where there was none."""
    third = len(numbers) // 3
    if third == 0:
        return nan
    parts = [_mean(numbers[:third]), _mean(numbers[third : 2 * third]), _mean(numbers[-third:])]
    early, late = parts[1] - parts[0], parts[2] - parts[1]
    return max(-3.0, min(5.0, late / early)) if early > 0.0 else nan


def _mean(numbers: Sequence[float]) -> float:
    there = [number for number in numbers if isfinite(number)]
    return sum(there) / len(there) if there else nan


class Past(NamedTuple):
    """What a signal is held against: its usual level, the unit of its spread, where it is now, its highest before."""

    base: float
    unit: float
    now: float
    top: float

    @property
    def distance(self) -> float:
        """How far it is from its past, in spreads of that."""
        return (self.now - self.base) / self.unit


def past_of(column: Column, end: int, now: float) -> Past | None:
    """The past of a signal that is at `now`; None where too little of it is known, or nothing of now."""
    past = (end - PAST, max(0, end - STEPS))
    if not isfinite(now) or column.count(*past) < LEAST_PAST:
        return None
    base, top = column.mean(*past), column.tops[max(0, end - BEFORE)]
    unit = max(column.spread(*past), 0.05 * abs(base), 0.02 * abs(top) if isfinite(top) else 0.0)
    return Past(base, unit or abs(now) or 1.0, now, top)


def _departs(column: Column, past: Past, end: int, day: int) -> list[float]:
    base, unit, now, top = past
    cells: list[float] = []
    gains: list[float] = []
    for steps, size in WINDOWS:
        found = _line(column, 0, end, steps, size)
        if found is None:
            cells += [nan] * 3
            gains.append(nan)
            continue
        line, numbers = found
        gains.append(line.slope * numbers / unit)
        cells += [asinh(gains[-1]), _clear(line, steps // size), line.rises]
    yesterday, rise = _yesterday(column, end, day)
    return [
        asinh((now - base) / unit),
        _log(now / base) if base > 0.0 else nan,
        asinh(gains[1] * unit / base) if base > 0.0 else nan,
        asinh((now - top) / unit) if isfinite(top) else nan,
        asinh((now - yesterday) / unit),
        asinh(rise / unit),
        asinh(gains[1] - gains[2]),
        _volatility(column, end),
        *cells,
    ]


def _log(times: float) -> float:
    """How many times as much, as a logarithm: five and a fifth are as far from one."""
    return max(-5.0, min(5.0, log(times))) if times > 0.0 else -5.0


def _volatility(column: Column, end: int) -> float:
    """How much wider a signal scatters in its latest steps than in its past."""
    past = column.spread(end - LONG, end - 12)
    return asinh(column.spread(end - 12, end) / past) if past > 0.0 else nan
