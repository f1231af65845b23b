"""What can be foreseen before anything fails?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from selfheal.vocabulary import FailureMode, Outcome


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


ForesightEvent = FailurePredicted | PredictionEnded | WorkPlanned | WorkDone
