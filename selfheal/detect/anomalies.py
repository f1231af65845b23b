"""Does a signal depart from what it has learned to be normal?

Each signal has a moving mean and spread that forget with time (EWMA). A value far out is a hit, a few hits nearly in
a row an anomaly: single spikes are not worth a person's attention. What is far out is learned only up to the alarm
line, so that an anomaly does not teach its own normality, and not at all while the anomaly lasts.

The figures were chosen for few false alarms first: see tests/pure/test_anomalies.py for days of Gaussian, lognormal
and autocorrelated noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import exp2, isfinite, sqrt
from typing import Literal

from selfheal.events import AnomalyOver, AnomalySeen
from selfheal.world import World

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


@dataclass(frozen=True, slots=True)
class Normal:
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
    if state.count < WARM_UP:
        return _learned(state, at, value, silent=max(0, state.silent - 1)), None
    spread = _spread(state, sense)
    z = (value - state.mean) / spread
    distance = abs(z) if sense.falls else max(0.0, z)
    if state.since is not None:
        return _within(state, at, value, distance)
    hit = distance >= ALARM_Z
    hits = min(HITS, state.hits + 1) if hit else max(0, state.hits - 1)
    if hit and hits == HITS and not state.silent:
        return replace(state, at=at, hits=0, since=at), Verdict("seen", state.mean, _score(distance))
    reach = ALARM_Z * spread
    near = min(max(value, state.mean - reach), state.mean + reach)
    return _learned(state, at, near, hits=hits, silent=max(0, state.silent - 1)), None


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
    passed = max(0.0, at - state.at)
    young = 1.0 / (state.count + 1)
    delta = value - state.mean
    move = max(young, _weight(passed, MEAN_HALF_LIFE_S))
    widen = max(young, _weight(passed, SPREAD_HALF_LIFE_S))
    variance = (1.0 - widen) * (state.variance + widen * delta * delta)
    return Normal(state.count + 1, state.mean + move * delta, variance, at, hits, silent=silent)


def _weight(passed_s: float, half_life_s: float) -> float:
    return min(MOST_LEARNED, 1.0 - exp2(-passed_s / half_life_s))


def _spread(state: Normal, sense: Sense) -> float:
    learned = sqrt(state.variance * (1.0 + EARLY / state.count))
    return max(learned, sense.floor, sense.share * abs(state.mean))


def _score(distance: float) -> float:
    return distance / (distance + ALARM_Z)


# Numbers that stand for something and measure nothing: a status of 503 is not "more" than 200.
NAMES_OF_THINGS = frozenset({"status"})


@dataclass(frozen=True, slots=True)
class _Watched:
    normal: Normal
    anomaly: str | None = None


class AnomalyWatch:
    """What is normal for every signal of every agent. It learns anew after a start of the daemon."""

    def __init__(self) -> None:
        self._watched: dict[str, dict[str, _Watched]] = {}

    def look(
        self, agent: str, signal: str, at: float, value: float, seen: int
    ) -> tuple[AnomalySeen | AnomalyOver, ...]:
        """Take one sample; returns what there is to record. `seen` counts the anomalies of the world so far."""
        if signal in NAMES_OF_THINGS:
            return ()
        signals = self._watched.setdefault(agent, {})
        then = signals.get(signal, _Watched(Normal()))
        normal, verdict = step(then.normal, at, value, SENSES.get(signal, _ANY))
        if verdict is None:
            signals[signal] = replace(then, normal=normal)
            return ()
        if verdict.kind == "over":
            signals[signal] = _Watched(normal)
            return (AnomalyOver(at, then.anomaly),) if then.anomaly else ()
        name = f"ano-{seen + 1}"
        signals[signal] = _Watched(normal, name)
        return (AnomalySeen(at, name, agent, signal, value, verdict.expected, verdict.score),)

    def forget(self, agent: str, at: float) -> tuple[AnomalyOver, ...]:
        """Drop everything of an agent; returns the ends of its anomalies to record."""
        gone = self._watched.pop(agent, {})
        return tuple(AnomalyOver(at, watched.anomaly) for watched in gone.values() if watched.anomaly)

    def left_over(self, world: World, at: float) -> tuple[AnomalyOver, ...]:
        """End the anomalies of an earlier daemon: what was normal then is no longer known, so none would ever end."""
        ours = {watched.anomaly for signals in self._watched.values() for watched in signals.values()}
        return tuple(
            AnomalyOver(at, name)
            for name, anomaly in world.foresight.anomalies.items()
            if anomaly.over_at is None and name not in ours
        )
