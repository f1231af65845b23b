"""What can be foreseen before anything fails?"""

from __future__ import annotations

from dataclasses import dataclass

from selfheal.events.incidents import Alternative
from selfheal.vocabulary import FailureMode, Outcome, PredictionModel, PredictionOutcome, WorkState


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


ForesightEvent = FailurePredicted | PredictionEnded | PredictionLeft | WorkPlanned | WorkDone
