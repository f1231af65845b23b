"""What does an agent look like at one moment, as a row of numbers?

Of each signal the latest minutes: its level, how it moves, how far the newest point is from that movement, and how wide
it scatters about it. The child makes the rows to learn from, the daemon the row to judge, both by these functions.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt

VERSION = 1
"""Of what the features mean: a model that learned others is not asked."""
WINDOW_S = 300.0
"""A row is of so much of the latest time."""
STEP_S = 15.0
"""Rows to learn from are so far apart; they overlap, for a window may begin anywhere."""
FEATURES = ("level", "slope", "residual", "spread")
# A row of eight signals says enough; an exporter may have thousands.
MOST_SIGNALS = 8
MOST_ROWS = 2_000
# Fewer points say nothing of a movement.
LEAST_POINTS = 4
# A signal that is there in fewer of the rows, of times when anything was seen, is none to learn from.
LEAST_COVERAGE = 0.8
# Half an hour of quiet at least.
LEAST_ROWS = 120
# What is missing is put in the middle of what was learned; a row that is mostly that says nothing.
MOST_MISSING = 0.5
# Far beyond any signal, and no sum of squares of a window overflows.
_MOST = 1e30
# Numbers that stand for something and measure nothing.
NAMES_OF_THINGS = frozenset({"status"})

Points = tuple["array[float]", "array[float]"]
"""The times of a signal, which rise, and its values."""
Span = tuple[float, float]
"""From when until when."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows to learn from, oldest first, each of the features of these signals; NaN where nothing was seen."""

    signals: tuple[str, ...]
    times: tuple[float, ...]
    rows: tuple[tuple[float, ...], ...]

    @property
    def too_little(self) -> str:
        """Why nothing can be learned from it; empty where something can."""
        if not self.signals:
            return "no signal of it was seen often enough"
        if len(self.rows) < LEAST_ROWS:
            return f"{len(self.rows)} quiet rows of {LEAST_ROWS} that are needed"
        return ""


def names(signals: Sequence[str]) -> tuple[str, ...]:
    """The names of the features of a row, in order."""
    return tuple(f"{signal}.{feature}" for signal in signals for feature in FEATURES)


def table(points: Mapping[str, Points], left_out: Sequence[Span], since: float, until: float) -> Table:
    """Rows of quiet times between `since` and `until`: none whose window touches what is left out."""
    quiet = [at for at in _moments(since, until) if not _touches(at, left_out)]
    columns = {
        signal: [_look(series, at) for at in quiet] for signal, series in sorted(points.items()) if tells(signal)
    }
    looked = [place for place in range(len(quiet)) if any(isfinite(one[place][0]) for one in columns.values())]
    signals = _seen_often({signal: [column[place] for place in looked] for signal, column in columns.items()})
    made = [(quiet[place], tuple(cell for signal in signals for cell in columns[signal][place])) for place in looked]
    kept = [(at, row) for at, row in made if missing(row) <= MOST_MISSING]
    return Table(signals, tuple(at for at, _ in kept), tuple(row for _, row in kept))


def tells(signal: str) -> bool:
    """Whether a signal measures something, and has a name that can be written down."""
    return signal.rpartition(".")[2] not in NAMES_OF_THINGS and (signal.isascii() or _is_text(signal))


def quiet_moments(left_out: Sequence[Span], since: float, until: float) -> int:
    """How many rows there could be between two times, whatever was seen in them."""
    return sum(not _touches(at, left_out) for at in _moments(since, until))


def row(points: Mapping[str, Points], signals: Sequence[str], at: float) -> tuple[float, ...]:
    """The row of these signals at a moment; NaN for what was not seen."""
    return tuple(cell for signal in signals for cell in _look(points.get(signal, _NOTHING), at))


def missing(row: Sequence[float]) -> float:
    """The share of a row that was not seen."""
    return sum(not isfinite(cell) for cell in row) / len(row) if row else 1.0


def filled(row: Sequence[float], centres: Sequence[float]) -> tuple[float, ...]:
    """The row with what usually is in place of what was not seen."""
    return tuple(cell if isfinite(cell) else centre for cell, centre in zip(row, centres, strict=True))


_NOTHING: Points = (array("d"), array("d"))
_UNSEEN = (nan, nan, nan, nan)


def _is_text(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:  # half a surrogate pair, which some exporter has sent
        return False


def _moments(since: float, until: float) -> list[float]:
    """Each step back from `until`, the oldest first; none where `since` is later."""
    count = min(int((until - since) // STEP_S) + 1, MOST_ROWS)
    return [until - STEP_S * back for back in reversed(range(count))]


def _touches(at: float, left_out: Sequence[Span]) -> bool:
    return any(begin <= at and at - WINDOW_S <= end for begin, end in left_out)


def _seen_often(columns: Mapping[str, Sequence[Sequence[float]]]) -> tuple[str, ...]:
    """The signals that are in most rows, those that are in more of them first taken, by name."""
    shares = {
        signal: sum(isfinite(cells[0]) for cells in column) / len(column)
        for signal, column in columns.items()
        if column
    }
    often = sorted((-share, signal) for signal, share in shares.items() if share >= LEAST_COVERAGE)
    return tuple(sorted(signal for _, signal in often[:MOST_SIGNALS]))


def _look(points: Points, at: float) -> tuple[float, ...]:
    """The features of one signal at a moment: of the straight line through its window, and of what is beside it."""
    times, values = points
    end = bisect_right(times, at)
    begin = bisect_right(times, at - WINDOW_S, 0, end)
    seen = [
        (time - at, value)
        for time, value in zip(times[begin:end], values[begin:end], strict=True)
        if abs(value) < _MOST
    ]
    if len(seen) < LEAST_POINTS:
        return _UNSEEN
    *before, (newest_at, newest) = seen
    level, mean_at, slope = _line(before)
    scatter = sqrt(sum((value - level - slope * (time - mean_at)) ** 2 for time, value in before) / len(before))
    return level, slope * WINDOW_S, newest - level - slope * (newest_at - mean_at), scatter


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Least squares: the mean value, the mean time, and what is gained a second."""
    count = len(points)
    mean_at = sum(time for time, _ in points) / count
    level = sum(value for _, value in points) / count
    width = sum((time - mean_at) ** 2 for time, _ in points)
    if not 0.0 < width < inf:
        return level, mean_at, 0.0
    return level, mean_at, sum((time - mean_at) * (value - level) for time, value in points) / width
