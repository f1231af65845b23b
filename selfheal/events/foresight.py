"""What can be noticed and foreseen before anything fails?"""

from __future__ import annotations

from dataclasses import dataclass

from selfheal.vocabulary import FailureMode, Outcome, PredictionModel, PredictionOutcome


@dataclass(frozen=True, slots=True)
class AnomalySeen:
    """A signal departs from what is normal for it. `score` is from 0 to 1."""

    at: float
    anomaly: str
    agent: str
    signal: str
    value: float
    expected: float
    score: float


@dataclass(frozen=True, slots=True)
class AnomalyOver:
    at: float
    anomaly: str
    dismissed: bool = False


@dataclass(frozen=True, slots=True)
class Contribution:
    """What speaks for a failure: a signal, its share of all that does (0 to 1), and what is seen of it, in words."""

    signal: str
    weight: float
    what: str


@dataclass(frozen=True, slots=True)
class FailurePredicted:
    """A failure is foreseen, or the forecast moved. Etas are seconds from `at`, low and high those of a 90 % interval;
    slope is per second. `probability` is that it comes within `horizon_s`.

    `since` is when that what is seen began, 0 where it is not known. `case` is the latest incident of the past in which
    that failure came, where there is one.
    """

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
    since: float = 0.0
    model: PredictionModel = "trend"
    horizon_s: float = 7200.0
    contributions: tuple[Contribution, ...] = ()
    case: str = ""


@dataclass(frozen=True, slots=True)
class PredictionEnded:
    """It came, something was done before it could (so that nobody knows whether it would have come), or it is foreseen
    no more.
    """

    at: float
    agent: str
    mode: FailureMode
    outcome: PredictionOutcome
    why: str = ""


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


ForesightEvent = AnomalySeen | AnomalyOver | FailurePredicted | PredictionEnded | WorkPlanned | WorkDone
