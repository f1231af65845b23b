"""Which samples of a recorded series are worth an alarm?

Two answers, and the larger one counts: how far a sample is from what the series does these days (departure.py), and
how far beyond anything that it ever did (marks.py). Each is a share of its bar. Both bars are one budget, alarms a day:
what comes more often, or as one of many columns, has more chances to be strange by chance and has to be stranger.

It is strictly causal, and a sample costs the same however long the series is. Samples that are no numbers are passed
over. The state can be kept: all of it is one struct with a version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from math import pow as power
from types import MappingProxyType

import msgspec

from selfheal.detect import counter, departure, marks, pace, season
from selfheal.detect.counter import Counter
from selfheal.detect.departure import Departure
from selfheal.detect.marks import Novelty
from selfheal.detect.pace import Pace

VERSION = 1
HOUR_S = 3600.0
# What is larger cannot be squared, and is no measurement.
LARGEST = 1e150


@dataclass(frozen=True, slots=True)
class Bars:
    """Where an alarm begins. Chosen once, on public series: see docs/anomalies.md, and benchmarks/anomaly for all that
    was tried.
    """

    far: float = 3.5  # spreads, of one series that comes by the hour
    new: float = 0.06  # shares of the distance of the marks, added up over the readings
    chances: float = 0.3  # the power of the number of chances an hour by which the bars rise
    quickest_s: float = 60.0  # what comes faster is not asked for more: it has to last, too
    lasting_s: float = 900.0  # what is far out has to be so for that long …
    lasting: int = 3  # … or for so many samples, where those are sooner
    silence_s: float = 3 * HOUR_S  # after an alarm, …
    least_silent: int = 5  # … but at least so many samples
    most_silent: int = 30  # and at most so many

    def out_for(self, pace_s: float) -> int:
        """For how many samples a value has to be far out."""
        return max(1, min(self.lasting, ceil(self.lasting_s / pace_s))) if pace_s > 0.0 else self.lasting

    def silent_for(self, pace_s: float) -> int:
        """For how many samples nothing more is told after an alarm."""
        samples = round(self.silence_s / pace_s) if pace_s > 0.0 else self.most_silent
        return min(self.most_silent, max(self.least_silent, samples))


FROZEN = Bars()


class Series(msgspec.Struct):
    """One column. It is changed in place, for its speed."""

    pace: Pace = msgspec.field(default_factory=Pace)
    counter: Counter = msgspec.field(default_factory=Counter)
    departure: Departure = msgspec.field(default_factory=Departure)
    novelty: Novelty = msgspec.field(default_factory=Novelty)

    def take(self, at: float, value: float, columns: int, bars: Bars) -> float:
        """Take one sample; returns how strange it is, where 1 is the bar. `columns` are looked at together."""
        if not abs(value) <= LARGEST:  # nor is NaN
            return 0.0
        passed = self.pace.take(at)
        before = self.counter.last
        if self.counter.take(value):
            self.departure, self.novelty = Departure(), Novelty()
        if self.counter.counts:
            if before is None or value < before or passed <= 0.0:
                return 0.0
            value = (value - before) / passed
        return self._strange(at, value, passed, columns, bars)

    def _strange(self, at: float, value: float, passed: float, columns: int, bars: Bars) -> float:
        every_s = self.pace.seconds
        many = power(columns, bars.chances)
        bar = bars.far * many * power(HOUR_S / max(every_s or HOUR_S, bars.quickest_s), bars.chances)
        far = self.departure.take(value, passed, every_s, bar, bars.out_for(every_s))
        new = self.novelty.take(at, value, every_s) / (bars.new * many)
        return max(far, new)


# What would be an alarm, had there not just been one.
JUST_BELOW = 0.499


class Rows(msgspec.Struct):
    """The columns of one file, which are looked at together: an alarm of one is an alarm of the row."""

    columns: list[Series]
    silent: int = 0
    version: int = VERSION

    def take(self, at: float, values: Sequence[float]) -> tuple[float, bool]:
        """Take one row; returns its score, from 0 to 1, and whether it raises an alarm.

        One half is the bar. Nothing reaches it while an alarm is still fresh.
        """
        strange, many = 0.0, len(self.columns)
        for series, value in zip(self.columns, values, strict=True):
            strange = max(strange, series.take(at, value, many, FROZEN))
        fresh = self.silent > 0
        self.silent -= fresh
        score = strange / (1.0 + strange)
        if fresh or strange < 1.0:
            return min(JUST_BELOW, score), False
        self.silent = max(FROZEN.silent_for(series.pace.seconds) for series in self.columns)
        return score, True


def watch(columns: int) -> Rows:
    """Begin with as many columns."""
    return Rows([Series() for _ in range(columns)])


def keep(rows: Rows) -> bytes:
    """All that was learned, as bytes."""
    return msgspec.msgpack.encode(rows)


def kept(data: bytes) -> Rows | None:
    """What was learned; None where it is of another form, or damaged: then it is learned anew."""
    try:
        rows = msgspec.msgpack.decode(data, type=Rows)
    except msgspec.DecodeError:
        return None
    return rows if rows.version == VERSION else None


def configuration() -> Mapping[str, float]:
    """Every number that was chosen, by its name: one configuration for every series."""
    chosen = {name.lower(): getattr(module, name) for module, names in _CHOSEN for name in names}
    return MappingProxyType({**asdict(FROZEN), **chosen})


_CHOSEN = (
    (
        departure,
        (
            "MEAN_HALF_LIFE",
            "SPREAD_HALF_LIFE",
            "WARM_UP",
            "EARLY",
            "LEARNED_Z",
            "RANGE_SHARE",
            "RANGE_HALF_LIFE_S",
            "RAISED",
            "MOST_RAISED",
            "RAISED_HALF_LIFE_S",
            "ONCE",
            "REMEMBERED",
            "SAME",
            "OFTEN",
            "MEMORABLE",
            "GRAIN",
        ),
    ),
    (
        marks,
        ("LEVEL", "HELD", "LEAK", "YOUNG", "MOST", "TRUST", "TRUSTED", "SLOT_S", "GATHERED", "GATHERED_WEIGHT"),
    ),
    (season, ("DAYS", "CELL_S", "BESIDE", "SLOWEST_S")),
    (counter, ("SURE", "RESETS")),
    (pace, ("KEPT",)),
)
