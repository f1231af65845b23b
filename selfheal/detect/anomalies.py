"""Does a signal depart from what it has learned to be normal?

Each signal has a moving mean and spread that forget with time (EWMA). A value far out is a hit, a few hits nearly in
a row an anomaly: single spikes are not worth a person's attention. What is far out is learned only up to the alarm
line, so that an anomaly does not teach its own normality, and not at all while the anomaly lasts.

The figures were chosen for few false alarms first: see tests/pure/test_anomalies.py for days of Gaussian, lognormal
and autocorrelated noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp2, isfinite, sqrt
from typing import Literal

import msgspec
from msgspec.structs import replace

from selfheal.detect.grouping import Departed, Grew, Returned
from selfheal.world.dismissals import reach_of

# Hits begin here, in spreads from the mean: a lasting shift of 6 makes a hit of 97 samples in 100.
ALARM_Z = 4.0
# Calm is well below, so that a signal at the line does not flap.
CALM_Z = 2.5
HITS = 3
CALMS = 5
# Before that many samples nothing is normal yet.
WARM_UP = 30
# Autocorrelated noise shows its width late: a spread learned from n samples is widened by sqrt(1 + EARLY / n).
EARLY = 20.0
# Samples of silence after an anomaly is over; shorter and longer ones did worse on public series.
REFRACTORY = 30
MEAN_HALF_LIFE_S, SPREAD_HALF_LIFE_S = 1800.0, 7200.0
# After a gap one sample must not outweigh all that was learned before.
MOST_LEARNED = 0.05
# A new level that has held for this long is the normal one from now on.
NEW_NORMAL_S = 1800.0


@dataclass(frozen=True, slots=True)
class Sense:
    """How a signal is read: the least spread that it is believed to have, absolute (in its unit) and as a share of its
    mean; and whether falling is as strange as rising.
    """

    floor: float = 0.01
    share: float = 0.05
    falls: bool = True


# A constant signal has no spread of its own, and what is below these would be a change that nobody minds.
SENSES: Mapping[str, Sense] = {
    "cpu": Sense(floor=0.05),
    "rss": Sense(floor=1e6, falls=False),
    "fds": Sense(floor=2.0, falls=False),
    "children": Sense(floor=1.0),
    "io_read": Sense(floor=1e6, falls=False),
    "io_write": Sense(floor=1e6, falls=False),
    "latency": Sense(floor=0.01, falls=False),
    "error_rate": Sense(floor=0.01, falls=False),
}
_ANY = Sense()


class Normal(msgspec.Struct, frozen=True):
    """What one signal has learned to be normal, and how far it is into an anomaly; `since` is None outside one."""

    count: int = 0
    mean: float = 0.0
    variance: float = 0.0
    at: float = 0.0
    hits: int = 0
    calms: int = 0
    silent: int = 0
    since: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """An anomaly began, or is over. `score` is from 0 to 1, one half at the alarm line."""

    kind: Literal["seen", "over"]
    expected: float
    score: float


def step(state: Normal, at: float, value: float, sense: Sense = _ANY) -> tuple[Normal, Verdict | None]:
    """Take one sample: return what is normal after it, and a verdict where one changed."""
    if not isfinite(value):
        return state, None
    silent = state.silent - 1 if state.silent else 0
    if state.count < WARM_UP:
        return _learned(state, at, value, 0, silent), None
    spread = _spread(state, sense)
    distance = (value - state.mean) / spread
    if distance < 0.0:
        distance = -distance if sense.falls else 0.0
    if state.since is not None:
        return _within(state, at, value, distance)
    if distance < ALARM_Z:  # as it is nearly always
        return _learned(
            state, at, value if sense.falls else _near(state, value, spread), _fewer(state.hits), silent
        ), None
    hits = min(HITS, state.hits + 1)
    if hits == HITS and not state.silent:
        return replace(state, at=at, hits=0, since=at), Verdict("seen", state.mean, _score(distance))
    return _learned(state, at, _near(state, value, spread), hits, silent), None


def _fewer(hits: int) -> int:
    return hits - 1 if hits else 0


def _near(state: Normal, value: float, spread: float) -> float:
    """The value, or the alarm line where it is beyond: what is far out is learned no further than to there."""
    reach = ALARM_Z * spread
    return min(max(value, state.mean - reach), state.mean + reach)


def _within(state: Normal, at: float, value: float, distance: float) -> tuple[Normal, Verdict | None]:
    """Go on in an anomaly, which ends in calm or by becoming the new normal."""
    assert state.since is not None
    over = Verdict("over", state.mean, _score(distance))
    calms = state.calms + 1 if distance < CALM_Z else 0
    if calms == CALMS:
        return replace(state, at=at, calms=0, since=None, silent=REFRACTORY), over
    if at - state.since >= NEW_NORMAL_S:
        return _learned(Normal(), at, value, silent=REFRACTORY), over
    return replace(state, at=at, calms=calms), None


def _learned(state: Normal, at: float, value: float, hits: int = 0, silent: int = 0) -> Normal:
    """Move mean and spread towards a value by the time that has passed; a young state is a plain average."""
    passed = at - state.at if at > state.at else 0.0
    young = 1.0 / (state.count + 1)
    delta = value - state.mean
    move, widen = _weight(passed, MEAN_HALF_LIFE_S), _weight(passed, SPREAD_HALF_LIFE_S)
    move = max(move, young)
    widen = max(widen, young)
    variance = (1.0 - widen) * (state.variance + widen * delta * delta)
    return Normal(state.count + 1, state.mean + move * delta, variance, at, hits, 0, silent)


def _weight(passed_s: float, half_life_s: float) -> float:
    weight = 1.0 - exp2(-passed_s / half_life_s)
    return min(MOST_LEARNED, weight)


def _spread(state: Normal, sense: Sense) -> float:
    learned = sqrt(state.variance * (1.0 + EARLY / state.count))
    share = sense.share * abs(state.mean)
    least = max(share, sense.floor)
    return max(least, learned)


def _score(distance: float) -> float:
    return distance / (distance + ALARM_Z)


# A signal that is out of line is told anew as it goes so much further out.
FURTHER = 2.0
# Numbers that stand for something and measure nothing: a status of 503 is not "more" than 200.
NAMES_OF_THINGS = frozenset({"status"})


_NONE: Mapping[str, _Watched] = {}


class _Watched:
    """One signal: how it is read, if at all, and what is normal; where it goes out of line, since when, and how far out
    it was told to be.
    """

    __slots__ = ("began", "normal", "sense", "told")

    def __init__(self, sense: Sense | None) -> None:
        self.sense = sense
        self.normal = Normal()
        self.began = 0.0
        self.told = 0.0


class AnomalyWatch:
    """What is normal for every signal of every agent. It learns anew after a start of the daemon."""

    def __init__(self) -> None:
        self._watched: dict[str, dict[str, _Watched]] = {}

    def look(self, agent: str, signal: str, at: float, value: float) -> Departed | Grew | Returned | None:
        """Take one sample; returns what is new about its signal."""
        watched = self._watched.get(agent, _NONE).get(signal) or self._watch(agent, signal)
        if watched.sense is None:
            return None
        before = watched.normal
        watched.normal, verdict = step(before, at, value, watched.sense)
        if verdict is None:
            if watched.normal.since is not None:
                return _further(watched, agent, signal, at, value)
            if watched.normal.hits and not before.hits:
                watched.began = at
            return None
        if verdict.kind == "over":
            return Returned(at, agent, signal)
        watched.told = reach_of(verdict.score)
        return Departed(at, agent, signal, value, verdict.expected, verdict.score, watched.began)

    def _watch(self, agent: str, signal: str) -> _Watched:
        measured = signal.rpartition(".")[2]  # without the name of its check, where that stands before it
        sense = None if measured in NAMES_OF_THINGS else SENSES.get(measured, _ANY)
        watched = self._watched.setdefault(agent, {})[signal] = _Watched(sense)
        return watched

    def is_out(self, agent: str, signal: str) -> bool:
        """Whether a signal has departed from normal and is not back."""
        watched = self._watched.get(agent, _NONE).get(signal)
        return watched is not None and watched.normal.since is not None

    def forget(self, agent: str) -> tuple[str, ...]:
        """Drop everything of an agent; returns its signals that were out of line."""
        gone = self._watched.pop(agent, {})
        return tuple(signal for signal, watched in gone.items() if watched.normal.since is not None)


def _further(watched: _Watched, agent: str, signal: str, at: float, value: float) -> Grew | None:
    """Tell of a signal that is out of line once it is twice as far out as it was told to be."""
    assert watched.sense is not None
    distance = (value - watched.normal.mean) / _spread(watched.normal, watched.sense)
    reach = (abs(distance) if watched.sense.falls else distance) / ALARM_Z
    if not isfinite(reach) or reach < FURTHER * watched.told:
        return None
    watched.told = reach
    return Grew(at, agent, signal, value, _score(reach * ALARM_Z))
