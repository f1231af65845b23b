"""What is not as usual, and what was said of that?"""

from __future__ import annotations

from dataclasses import dataclass

from selfheal.vocabulary import LevelWhy, Suppression


@dataclass(frozen=True, slots=True)
class AnomalySeen:
    """Something is not as usual: one thing, however many signals show it. The first of them is told here.

    `value` and `expected` are in the signal's unit, `score` is from 0 to 1 with one half at the alarm line. `since` is
    the first sample that was out of line. `after` is what it was kept back for, where it was and has outlasted that.
    """

    at: float
    anomaly: str
    agent: str
    signal: str
    value: float
    expected: float
    score: float
    since: float | None = None
    after: Suppression | None = None


@dataclass(frozen=True, slots=True)
class AnomalyJoined:
    """One more signal shows the same thing. The fields are those of `AnomalySeen`."""

    at: float
    anomaly: str
    agent: str
    signal: str
    value: float
    expected: float
    score: float
    since: float | None = None
    after: Suppression | None = None


@dataclass(frozen=True, slots=True)
class AnomalyGrew:
    """A signal of it is more than twice as far out as was told last."""

    at: float
    anomaly: str
    agent: str
    signal: str
    value: float
    score: float


@dataclass(frozen=True, slots=True)
class AnomalyEased:
    """One of its signals is as usual again, and others are not."""

    at: float
    anomaly: str
    agent: str
    signal: str


@dataclass(frozen=True, slots=True)
class AnomalyMerged:
    """It was the same thing as another one."""

    at: float
    anomaly: str
    into: str


@dataclass(frozen=True, slots=True)
class AnomalyOver:
    """All of its signals are as usual again, or what they are now has become that."""

    at: float
    anomaly: str
    dismissed: bool = False


@dataclass(frozen=True, slots=True)
class AnomalySuppressed:
    """A signal departs from normal, and that is not raised: `reason` says by which rule, `why` in words."""

    at: float
    agent: str
    signal: str
    value: float
    expected: float
    score: float
    since: float
    reason: Suppression
    why: str


@dataclass(frozen=True, slots=True)
class AnomalyDismissed:
    """A person says that it was not worth telling: the same again is told less easily."""

    at: float
    anomaly: str
    by: str


@dataclass(frozen=True, slots=True)
class AnomalyRestored:
    """A person takes back that it was not worth telling."""

    at: float
    anomaly: str
    by: str


@dataclass(frozen=True, slots=True)
class LevelShifted:
    """A signal has another level, `value`, than was `expected` before, and that is normal from now on. `why` says
    since what, at `since`: a start, a deploy, edited files, another configuration, a fix, a gap in which nobody
    looked, or an anomaly that has held.
    """

    at: float
    agent: str
    signal: str
    value: float
    expected: float
    since: float
    why: LevelWhy


AnomalyEvent = (
    AnomalySeen
    | AnomalyJoined
    | AnomalyGrew
    | AnomalyEased
    | AnomalyMerged
    | AnomalyOver
    | AnomalySuppressed
    | AnomalyDismissed
    | AnomalyRestored
    | LevelShifted
)
