"""What can happen in an incident, from the first sign to its end?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from selfheal.vocabulary import Layer, Outcome, StartReason

Trigger = Literal["exit", "check", "start", "external"]


@dataclass(frozen=True, slots=True)
class Cause:
    """One possible cause with its probability and the evidence for it, in words."""

    slug: str
    probability: float
    agent: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alternative:
    """A fix that was weighed: its expected seconds to recovery, and why it was passed over, where it was."""

    fix: str
    success: float
    expected_s: float
    barred: str = ""


@dataclass(frozen=True, slots=True)
class IncidentOpened:
    """The first sign of trouble. `onset` is when it began, as far as can be known."""

    at: float
    incident: str
    agent: str
    trigger: Trigger
    sign: str
    onset: float


@dataclass(frozen=True, slots=True)
class IncidentJoined:
    """One more agent suffers from it."""

    at: float
    incident: str
    agent: str
    reason: str


@dataclass(frozen=True, slots=True)
class IncidentMerged:
    """It is the same trouble as `into`, which goes on in its place."""

    at: float
    incident: str
    into: str
    reason: str


@dataclass(frozen=True, slots=True)
class IncidentSuppressed:
    """It is nobody's trouble any more: the agent was stopped by a person, or is gone."""

    at: float
    incident: str
    reason: str


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """Causes, likeliest first."""

    at: float
    incident: str
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Planned:
    """What shall be done, why, and what else was weighed."""

    at: float
    incident: str
    fix: str
    agent: str
    reason: str
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing is done yet, and why; `until` is when it is looked at again at the latest."""

    at: float
    incident: str
    reason: str
    until: float | None


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    at: float
    incident: str
    fix: str
    agent: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class ApprovalAnswered:
    """The first answer is final."""

    at: float
    incident: str
    approved: bool
    by: str


@dataclass(frozen=True, slots=True)
class FixStarted:
    """The intent, written down before the act; of a reflex right after it, with `start`, why that started it."""

    at: float
    incident: str
    attempt: int
    fix: str
    layer: Layer
    agent: str
    cause: str
    reflex: bool = False
    start: StartReason = "reflex"


@dataclass(frozen=True, slots=True)
class ActStarted:
    """One of several acts of a fix begins; written down before it."""

    at: float
    incident: str
    attempt: int
    act: str


@dataclass(frozen=True, slots=True)
class ActEnded:
    """It is done. `output` is redacted."""

    at: float
    incident: str
    attempt: int
    act: str
    output: str


@dataclass(frozen=True, slots=True)
class FixEnded:
    """The act is over; whether it helped is another question. `output` is redacted."""

    at: float
    incident: str
    attempt: int
    outcome: Outcome
    output: str


@dataclass(frozen=True, slots=True)
class Verified:
    """Whether an attempt helped. `first_good_at` is the first good sign of the run that was then verified."""

    at: float
    incident: str
    attempt: int
    outcome: Outcome
    reason: str
    first_good_at: float | None = None


@dataclass(frozen=True, slots=True)
class IncidentEscalated:
    """A person is needed; trials go on where they may."""

    at: float
    incident: str
    reason: str


@dataclass(frozen=True, slots=True)
class IncidentResolved:
    """It is over. `recovery_s` runs from onset to the first good sign."""

    at: float
    incident: str
    reason: str
    recovery_s: float


IncidentEvent = (
    IncidentOpened
    | IncidentJoined
    | IncidentMerged
    | IncidentSuppressed
    | Diagnosed
    | Planned
    | Held
    | ApprovalAsked
    | ApprovalAnswered
    | FixStarted
    | ActStarted
    | ActEnded
    | FixEnded
    | Verified
    | IncidentEscalated
    | IncidentResolved
)
