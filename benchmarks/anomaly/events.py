"""How many of the labelled events were told, and how often was there an alarm about nothing?

An event is found where an alarm falls between one row before its first and two after its last: labels are rough, and
what lasts is told a little after it began. A second alarm of one event is neither right nor wrong. Nothing is
point-adjusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from benchmarks.anomaly.corpora import Labelled

BEFORE, AFTER = 1, 2


@dataclass(frozen=True, slots=True)
class Events:
    """What was found in some series. Days are days of one series."""

    events: int = 0
    found: int = 0
    false: int = 0
    days: float = 0.0
    false_where_nothing_is: int = 0
    days_where_nothing_is: float = 0.0
    late_rows: tuple[int, ...] = ()

    def __add__(self, other: Events) -> Events:
        return Events(
            self.events + other.events,
            self.found + other.found,
            self.false + other.false,
            self.days + other.days,
            self.false_where_nothing_is + other.false_where_nothing_is,
            self.days_where_nothing_is + other.days_where_nothing_is,
            self.late_rows + other.late_rows,
        )

    @property
    def recall(self) -> float:
        return self.found / self.events if self.events else 0.0

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false) if self.found else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.found / (self.events + self.found + self.false) if self.found else 0.0

    @property
    def false_a_day(self) -> float:
        return self.false / self.days if self.days else 0.0

    @property
    def quiet_a_day(self) -> float:
        """False alarms a day of the series in which nothing is labelled."""
        return self.false_where_nothing_is / self.days_where_nothing_is if self.days_where_nothing_is else 0.0

    @property
    def late(self) -> tuple[float, float]:
        """The median and the ninth decile of the rows from the first of an event to its alarm."""
        if len(self.late_rows) < 2:
            return 0.0, 0.0
        return median(self.late_rows), quantiles(self.late_rows, n=10)[-1]


def events(series: Labelled, alarms: Sequence[int]) -> Events:
    """What the alarms of one series are."""
    first: dict[int, int] = {}
    false = 0
    for alarm in alarms:
        inside = (at for at, (left, right) in enumerate(series.windows) if left - BEFORE <= alarm <= right + AFTER)
        event = next(inside, None)
        if event is None:
            false += 1
        else:
            first.setdefault(event, alarm)
    late = tuple(max(0, alarm - series.windows[event][0]) for event, alarm in first.items())
    quiet = not series.windows
    return Events(len(series.windows), len(first), false, series.days, false * quiet, series.days * quiet, late)


def together(each: Iterable[Events]) -> Events:
    """What was found in all of them."""
    return sum(each, Events())
