"""What does Numenta's benchmark give for alarms in its series?

Own words for its published scoring. In each window the first alarm counts, more the sooner it comes; a window without
one costs, and so does each alarm outside, less so shortly after a window. What comes in the first part of a file is
free. The sum lies between 0, where nothing is ever told, and 100, where each window is told in its first row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp

PROBATION_SHARE, PROBATION_MOST = 0.15, 750
# An alarm in the first row of a window would be worth this much before it is set to one.
_BEST = 0.98661


@dataclass(frozen=True, slots=True)
class Profile:
    """What a false alarm and a missed window cost; a window that is told in its first row gives one."""

    false_alarm: float
    missed: float


PROFILES: Mapping[str, Profile] = {
    "standard": Profile(0.11, 1.0),
    "low FP": Profile(0.22, 1.0),
    "low FN": Profile(0.11, 2.0),
}


@dataclass(frozen=True, slots=True)
class Series:
    """One file: how many rows, its windows as rows, and the rows of its alarms."""

    rows: int
    windows: Sequence[tuple[int, int]]
    alarms: Sequence[int]


def probation(rows: int) -> int:
    """How many of the first rows are free."""
    return min(int(PROBATION_SHARE * rows), PROBATION_MOST)


def score(series: Iterable[Series], profile: Profile) -> float:
    """The score of a corpus."""
    total, windows = 0.0, 0
    for one in series:
        total += raw(one, profile)
        windows += len(one.windows)
    nothing = -profile.missed * windows
    return 100.0 * (total - nothing) / (windows - nothing) if windows else 0.0


def raw(one: Series, profile: Profile) -> float:
    """What the alarms of one file give."""
    first: dict[int, int] = {}
    total = 0.0
    for alarm in one.alarms:
        if alarm < probation(one.rows):
            continue
        inside = next((at for at, (left, right) in enumerate(one.windows) if left <= alarm <= right), None)
        if inside is None:
            total += profile.false_alarm * _outside(alarm, one.windows)
        else:
            first.setdefault(inside, alarm)
    for at, (left, right) in enumerate(one.windows):
        told = first.get(at)
        total += -profile.missed if told is None else _steep(-(right - told + 1) / (right - left + 1)) / _BEST
    return total


def _outside(alarm: int, windows: Sequence[tuple[int, int]]) -> float:
    """What a false alarm costs, of one: less the nearer it follows a window."""
    before = [(left, right) for left, right in windows if right < alarm]
    if not before:
        return -1.0
    left, right = max(before, key=lambda window: window[1])
    after = (alarm - right) / (right - left)
    return -1.0 if after > 3.0 else _steep(after)


def _steep(place: float) -> float:
    return 2.0 / (1.0 + exp(5.0 * place)) - 1.0


def counts(series: Iterable[Series]) -> tuple[int, int, int]:
    """Windows, those that were found, and alarms outside of any, without what is free."""
    windows = found = false = 0
    for one in series:
        told = [alarm for alarm in one.alarms if alarm >= probation(one.rows)]
        hit = [sum(left <= alarm <= right for alarm in told) for left, right in one.windows]
        windows += len(hit)
        found += sum(map(bool, hit))
        false += len(told) - sum(hit)
    return windows, found, false
