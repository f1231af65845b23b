"""What can be noticed and foreseen before anything fails?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from selfheal.vocabulary import FailureMode, Outcome

LevelWhy = Literal["start", "deploy", "files", "reload", "fix", "gap", "held"]


@dataclass(frozen=True, slots=True)
class AnomalySeen:
    """A signal departs from what is normal for it. `score` is from 0 to 1.

    `since` is the time of the first of the samples that made it, 0 where that was not told, and `direction` where to.
    """

    at: float
    anomaly: str
    agent: str
    signal: str
    value: float
    expected: float
    score: float
    since: float = 0.0
    direction: Literal["", "up", "down"] = ""


@dataclass(frozen=True, slots=True)
class AnomalyOver:
    at: float
    anomaly: str
    dismissed: bool = False


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


@dataclass(frozen=True, slots=True)
class FailurePredicted:
    """A failure is foreseen, or the forecast moved. Etas are seconds from `at`; slope is per second."""

    at: float
    agent: str
    mode: FailureMode
    signal: str
    probability: float
    eta_s: float
    eta_low_s: float
    eta_high_s: float
    value: float
    limit: float
    slope: float


@dataclass(frozen=True, slots=True)
class PredictionEnded:
    at: float
    agent: str
    mode: FailureMode
    outcome: Literal["happened", "averted", "withdrawn"]


@dataclass(frozen=True, slots=True)
class WorkPlanned:
    """Work before a failure: `action` is a fix's name."""

    at: float
    work: str
    agent: str
    action: str
    due_at: float
    why: str


@dataclass(frozen=True, slots=True)
class WorkDone:
    at: float
    work: str
    outcome: Outcome
    output: str


ForesightEvent = AnomalySeen | AnomalyOver | LevelShifted | FailurePredicted | PredictionEnded | WorkPlanned | WorkDone
