"""What can be noticed and foreseen before anything fails?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from selfheal.events.incidents import Alternative
from selfheal.vocabulary import FailureMode, Outcome, WorkState


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
    """Work before a failure: `action` is a fix's name, against `cause`, which is foreseen with this `probability`.

    It is begun at `due_at`, which `timing` gives the reason for, and until `until` at the latest. `how` says in words
    what spares those who use the agent; `backups` are the data agents that are backed up before it. `alternatives` are
    the fixes that were weighed, the best first, and `reason` why that one was taken. `drawn` says that it might have
    been left alone to see what happens.
    """

    at: float
    work: str
    agent: str
    action: str
    due_at: float
    why: str
    mode: FailureMode | None = None
    cause: str = "unknown"
    probability: float = 1.0
    until: float = 0.0
    timing: str = ""
    how: str = ""
    asks: bool = False
    backups: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    drawn: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WorkDone:
    """It is over, one way or another. `state` is None where an earlier version wrote it down."""

    at: float
    work: str
    outcome: Outcome
    output: str
    state: WorkState | None = None


@dataclass(frozen=True, slots=True)
class PredictionLeft:
    """Nothing is done about a prediction, by chance and on purpose: what becomes of it says what work is worth.

    `share` is how many of such predictions are left alone, `why` what makes that safe.
    """

    at: float
    agent: str
    mode: FailureMode
    probability: float
    share: float
    why: str


ForesightEvent = (
    AnomalySeen | AnomalyOver | FailurePredicted | PredictionEnded | PredictionLeft | WorkPlanned | WorkDone
)
