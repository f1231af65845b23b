"""What can happen in an incident, from the first sign to its end?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from selfheal.events.knowledge import Similar
from selfheal.events.ranking import Ranked
from selfheal.vocabulary import Channel, GuardCode, Layer, ModelOutcome, Outcome, Policy, StartReason

# `foreseen` is planned work, which goes through the same door as an incident does and is none.
Trigger = Literal["exit", "check", "start", "external", "foreseen"]


@dataclass(frozen=True, slots=True)
class Cause:
    """One possible cause with its probability and the evidence for it, in words; `channels` are where that is from.

    `signs` are the ids of the signatures that speak for it.
    """

    slug: str
    probability: float
    agent: str
    evidence: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = ()
    signs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alternative:
    """A fix that was weighed: the chance that it helps, and the expected seconds to recovery when it is tried first.

    `barred` and `code` say why it was passed over, where it was. `propensity` is how likely it was to be chosen, and
    `cost_s` what it takes by itself, with its verification and its risk; 0 where that was not written down.
    """

    fix: str
    success: float
    expected_s: float
    barred: str = ""
    code: GuardCode | None = None
    propensity: float = 0.0
    cost_s: float = 0.0


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
    """Causes, likeliest first.

    `look` are tokens of what it looked like then, and `similar` the incidents of the past that looked like that.
    """

    at: float
    incident: str
    causes: tuple[Cause, ...]
    look: tuple[str, ...] = ()
    similar: tuple[Similar, ...] = ()


@dataclass(frozen=True, slots=True)
class Attributed:
    """What the incident's attempts have said of its cause, as it ends: how likely each was after all, likeliest first.

    What the attempts have shown is learned by these `shares`, which sum to 1.
    """

    at: float
    incident: str
    shares: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CauseLabelled:
    """Somebody says what the cause truly was, and at which agent, whatever the diagnosis said.

    An empty `cause` says only that it was not what the diagnosis had put first. The latest word counts.
    """

    at: float
    incident: str
    cause: str
    agent: str
    by: str


@dataclass(frozen=True, slots=True)
class ModelAnswered:
    """A language model was asked about it, and what came of that; `reason` is a slug where nothing did.

    `key` stands for the question, `fingerprint` for the trouble. `cause` at `cause_agent` is what the model thinks,
    `unknown` where it does not know, `missing` a cause that nobody had offered to it, `fix` what it would try; `words`
    are its own, redacted. `first` at `first_agent` is what the engine had put first. `causes` are as they stand after
    its say, empty where it had none. `cached` says that an earlier answer was taken. `cost` is None without a price.
    """

    at: float
    incident: str
    provider: str
    model: str
    outcome: ModelOutcome
    reason: str
    took_s: float
    tokens_in: int
    tokens_out: int
    cost: float | None
    key: str
    fingerprint: str
    first: str
    first_agent: str
    cause: str = ""
    cause_agent: str = ""
    missing: str = ""
    fix: str = ""
    confidence: float = 0.0
    evidence: tuple[str, ...] = ()
    words: str = ""
    causes: tuple[Cause, ...] = ()
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """What shall be done, why, and what else was weighed.

    `policy` is by which rule it was chosen, `ladder` what the fixed order would have chosen. `shadow` says that it is
    only said. `passed` are the guards that let it pass.
    """

    at: float
    incident: str
    fix: str
    agent: str
    reason: str
    alternatives: tuple[Alternative, ...]
    policy: Policy = "look_ahead"
    ladder: str = ""
    shadow: bool = False
    passed: tuple[GuardCode, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing is done yet, and why; `until` is when it is looked at again at the latest.

    `code` is the guard that holds it, `fix` what would be done otherwise.
    """

    at: float
    incident: str
    reason: str
    until: float | None
    code: GuardCode | None = None
    fix: str = ""


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
class UndoStarted:
    """What an attempt did is taken back, since it has not helped; written down before it."""

    at: float
    incident: str
    attempt: int


@dataclass(frozen=True, slots=True)
class UndoEnded:
    """It is taken back, or cannot be. `output` is redacted."""

    at: float
    incident: str
    attempt: int
    done: bool
    output: str


@dataclass(frozen=True, slots=True)
class FixRelapsed:
    """What an attempt had mended is broken again soon after: `into` is the incident that says so."""

    at: float
    incident: str
    attempt: int
    into: str


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
    | Ranked
    | Diagnosed
    | Attributed
    | CauseLabelled
    | ModelAnswered
    | Planned
    | Held
    | ApprovalAsked
    | ApprovalAnswered
    | FixStarted
    | ActStarted
    | ActEnded
    | FixEnded
    | Verified
    | UndoStarted
    | UndoEnded
    | FixRelapsed
    | IncidentEscalated
    | IncidentResolved
)
