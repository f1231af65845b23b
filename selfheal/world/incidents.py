"""What is known of each incident, and how does an event in it change that?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from selfheal.events import (
    ActEnded,
    ActStarted,
    ApprovalAnswered,
    ApprovalAsked,
    Attributed,
    BreakerClosed,
    BreakerOpened,
    BreakerTried,
    Cause,
    CauseLabelled,
    Diagnosed,
    FixEnded,
    FixRelapsed,
    FixStarted,
    Held,
    IncidentEscalated,
    IncidentEvent,
    IncidentJoined,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    ModelAnswered,
    Planned,
    Ranked,
    RestartDelayed,
    Similar,
    Trigger,
    UndoEnded,
    UndoStarted,
    Verified,
)
from selfheal.vocabulary import INCIDENT_OVER, IncidentState, Layer, Outcome, Severity, StartReason
from selfheal.world.odds import HELPED

# What the reflex does about an agent in trouble is part of the story, though it is about the agent.
StoryEvent = IncidentEvent | RestartDelayed | BreakerOpened | BreakerTried | BreakerClosed

# A long outage has many trials; its story keeps the beginning and the latest.
STORY_HEAD, STORY_TAIL = 16, 48
IN_VAIN: frozenset[Outcome | None] = frozenset({"failed", "timed_out", "relapsed", "undone"})
ATTEMPTS_KEPT = 50
# So many agents that suffer from one cause are an outage.
CRITICAL_AT = 5


@dataclass(frozen=True, slots=True)
class Attempt:
    """One application of a fix. `ended_at` and `outcome` are None while it runs; `verified` says that the outcome is
    the final one, and `verified_at` since when. `start` is why a reflex started the agent. `act` is the latest act of a
    fix that has several. `undone` is False while what it did is taken back, True afterwards, None where it is not.
    `learned` says that its outcome was counted.
    """

    number: int
    fix: str
    layer: Layer
    agent: str
    cause: str
    started_at: float
    reflex: bool = False
    ended_at: float | None = None
    outcome: Outcome | None = None
    output: str = ""
    verified: bool = False
    first_good_at: float | None = None
    start: StartReason = "reflex"
    verified_at: float | None = None
    act: str = ""
    undone: bool | None = None
    learned: bool = False

    @property
    def tells(self) -> bool:
        """Whether it says something about its fix, and is not counted yet."""
        return self.verified and not self.learned and self.outcome in HELPED

    @property
    def in_vain(self) -> bool:
        """Whether it is known not to have helped, whatever became of what it did."""
        return self.verified and self.outcome in IN_VAIN


@dataclass(frozen=True, slots=True)
class Approval:
    """A fix that waits for a person; `approved` is None until one answered."""

    fix: str
    agent: str
    asked_at: float
    expires_at: float
    approved: bool | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody says the cause was, at which agent; empty where only that it was not what the diagnosis `said`.

    `probability` is how sure the diagnosis was.
    """

    cause: str
    agent: str
    by: str
    at: float
    said: str
    probability: float
    right: bool


@dataclass(frozen=True, slots=True)
class Incident:
    """One failure from first sign to resolution. `agent` is where the cause is, `agents` all that suffer.

    `refused` is who said no, by (fix, agent): the first decision is final, for as long as the incident lasts. `allowed`
    is who said yes. `suggested` are the fixes that were only said. `ordered_by` is the person who started its agent
    anew in its midst, at `ordered_at`; empty where nobody did. `shares` is how likely each cause was by what its
    attempts have shown, `label` what somebody says it truly was. `found` are the causes by the engine alone,
    `counsel` what a language model was asked, `ranking` where the cause may lie. `look` is what it looked like when
    it was looked at first, `similar` are those of the past that looked like that. `signs` are the signatures that
    spoke in any look at it, each with its cause and the agent of that; `counted` is how far each was counted as
    right and as wrong, at `counted_at`.
    """

    id: str
    agent: str
    agents: tuple[str, ...]
    trigger: Trigger
    sign: str
    onset: float
    opened_at: float
    state: IncidentState = "open"
    causes: tuple[Cause, ...] = ()
    diagnosed_at: float = 0.0
    plan: Planned | None = None
    hold: Held | None = None
    approval: Approval | None = None
    refused: Mapping[tuple[str, str], str] = field(default_factory=dict)
    allowed: Mapping[tuple[str, str], str] = field(default_factory=dict)
    suggested: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    first_good_at: float | None = None
    resolved_at: float | None = None
    recovery_s: float | None = None
    escalated: bool = False
    merged_into: str | None = None
    reason: str = ""
    story: tuple[StoryEvent, ...] = ()
    ordered_by: str = ""
    ordered_at: float = 0.0
    shares: Mapping[str, float] = field(default_factory=dict)
    label: Label | None = None
    found: tuple[Cause, ...] = ()
    counsel: tuple[ModelAnswered, ...] = ()
    look: tuple[str, ...] = ()
    similar: tuple[Similar, ...] = ()
    signs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    counted: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    counted_at: float = 0.0
    ranking: Ranked | None = None

    @property
    def over(self) -> bool:
        return self.state in INCIDENT_OVER

    @property
    def cause(self) -> str:
        """The likeliest cause; `unknown` before there is a diagnosis."""
        return self.causes[0].slug if self.causes else "unknown"

    @property
    def opinion(self) -> ModelAnswered | None:
        """The latest answer of a language model that could be heard."""
        return next((one for one in reversed(self.counsel) if one.outcome == "ok"), None)

    @property
    def attempt(self) -> Attempt | None:
        """The latest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def waiting(self) -> IncidentState:
        """Its state while nothing is being tried: a person who was called once stays called."""
        return "escalated" if self.escalated else "open"

    @property
    def asking(self) -> bool:
        """Whether a person was asked and has not answered yet."""
        return self.approval is not None and self.approval.approved is None

    @property
    def acting(self) -> bool:
        return bool(self.attempts) and (self.attempts[-1].ended_at is None or self.attempts[-1].undone is False)

    @property
    def severity(self) -> Severity:
        """How much it matters: whether a person is needed, data are at stake, or more than one agent suffers."""
        serious = self.escalated or any(one.layer == "data" for one in self.attempts)
        if serious or len(self.agents) >= CRITICAL_AT:
            return "critical"
        return "info" if len(self.agents) == 1 and all(one.reflex for one in self.attempts) else "warning"


def opened(event: IncidentOpened, known: tuple[StoryEvent, ...] = ()) -> Incident:
    """Return the incident that `event` begins; its story goes on with what was `known` of its agent by then."""
    return Incident(
        event.incident,
        event.agent,
        (event.agent,),
        event.trigger,
        event.sign,
        event.onset,
        event.at,
        story=(event, *known),
    )


def fold_incident(incident: Incident, event: StoryEvent) -> Incident:
    """Return the incident after `event`, which is part of its story from now on. What is over stays over."""
    story = (*incident.story, event)
    if len(story) > STORY_HEAD + STORY_TAIL:
        story = story[:STORY_HEAD] + story[-STORY_TAIL:]
    now = replace(_changed(incident, event), story=story)
    return replace(now, state=incident.state) if incident.over else now


def _changed(incident: Incident, event: StoryEvent) -> Incident:
    match event:
        case IncidentOpened() | RestartDelayed() | BreakerOpened() | BreakerTried() | BreakerClosed():
            return incident
        case IncidentJoined(agent=agent):
            return incident if agent in incident.agents else replace(incident, agents=(*incident.agents, agent))
        case IncidentMerged(into=into, reason=reason):
            return replace(incident, state="suppressed", merged_into=into, reason=reason, resolved_at=event.at)
        case IncidentSuppressed(reason=reason):
            return replace(incident, state="suppressed", reason=reason, resolved_at=event.at, hold=None)
        case Ranked():
            return replace(incident, ranking=event)
        case Diagnosed():
            return _diagnosed(incident, event)
        case Attributed(shares=shares):
            return replace(incident, shares=shares)
        case CauseLabelled():
            return replace(incident, label=_label(incident, event))
        case ModelAnswered():
            counsel = (*incident.counsel, event)[-ATTEMPTS_KEPT:]
            return replace(incident, counsel=counsel, causes=event.causes or incident.causes)
        case Planned(shadow=True, fix=fix):
            return replace(incident, plan=event, suggested=tuple(dict.fromkeys((*incident.suggested, fix))))
        case Planned():
            return replace(incident, plan=event, hold=None)
        case Held():
            return replace(incident, hold=event)
        case ApprovalAsked():
            asked = Approval(event.fix, event.agent, event.at, event.expires_at)
            return replace(incident, approval=asked, state="waiting_approval", hold=None)
        case ApprovalAnswered():
            return _answered(incident, event)
        case FixStarted():
            return _fix_started(incident, event)
        case ActStarted(attempt=number, act=act):
            return replace(incident, attempts=_with(incident, number, lambda attempt: replace(attempt, act=act)))
        case ActEnded():
            return incident
        case FixEnded():
            return _fix_ended(incident, event)
        case Verified():
            return _verified(incident, event)
        case UndoStarted(attempt=number):
            undoing = _with(incident, number, lambda attempt: replace(attempt, undone=False))
            return replace(incident, attempts=undoing, state="recovering")
        case UndoEnded():
            return _undone(incident, event)
        case FixRelapsed(attempt=number):
            relapsed = _with(incident, number, lambda attempt: replace(attempt, outcome="relapsed"))
            return replace(incident, attempts=relapsed)
        case IncidentEscalated(reason=reason):
            return replace(incident, state="escalated", escalated=True, reason=reason, hold=None)
        case IncidentResolved():
            return replace(
                incident,
                state="resolved",
                reason=event.reason,
                resolved_at=event.at,
                recovery_s=event.recovery_s,
                hold=None,
            )
        case _:
            assert_never(event)


def _diagnosed(incident: Incident, event: Diagnosed) -> Incident:
    """What was done before anybody knew why was done against what turns out to be the cause."""
    slug = event.causes[0].slug if event.causes else "unknown"
    attempts = tuple(one if one.cause else replace(one, cause=slug) for one in incident.attempts)
    look = incident.look or event.look
    similar = incident.similar if incident.look else event.similar
    known = replace(incident, causes=event.causes, found=event.causes, diagnosed_at=event.at)
    signs = {sign: (one.slug, one.agent) for one in event.causes for sign in one.signs}
    return replace(known, attempts=attempts, look=look, similar=similar, signs={**incident.signs, **signs})


def _label(incident: Incident, event: CauseLabelled) -> Label:
    """The label, beside what the diagnosis had put first when it was given."""
    first = incident.causes[0] if incident.causes else Cause("unknown", 0.0, incident.agent, ())
    right = (event.cause, event.agent) == (first.slug, first.agent)
    return Label(event.cause, event.agent, event.by, event.at, first.slug, first.probability, right)


def _answered(incident: Incident, event: ApprovalAnswered) -> Incident:
    if incident.approval is None or incident.approval.approved is not None:
        return incident
    answered = replace(incident.approval, approved=event.approved, by=event.by)
    said = {(answered.fix, answered.agent): event.by}
    refused = incident.refused if event.approved else {**incident.refused, **said}
    allowed = {**incident.allowed, **said} if event.approved else incident.allowed
    state: IncidentState = "recovering" if incident.acting else incident.waiting
    return replace(incident, approval=answered, refused=refused, allowed=allowed, state=state)


def _fix_started(incident: Incident, event: FixStarted) -> Incident:
    attempt = Attempt(
        event.attempt, event.fix, event.layer, event.agent, event.cause, event.at, event.reflex, start=event.start
    )
    attempts = (*incident.attempts, attempt)[-ATTEMPTS_KEPT:]
    return replace(incident, attempts=attempts, state="recovering", approval=None, hold=None, first_good_at=None)


def _fix_ended(incident: Incident, event: FixEnded) -> Incident:
    def ended(attempt: Attempt) -> Attempt:
        return replace(attempt, ended_at=event.at, outcome=event.outcome, output=event.output)

    attempts = _with(incident, event.attempt, ended)
    if incident.asking:  # what was asked in its midst is no question any more
        incident = replace(incident, approval=None)
    return replace(incident, attempts=attempts, state="verifying" if event.outcome == "succeeded" else incident.waiting)


def _verified(incident: Incident, event: Verified) -> Incident:
    def verified(attempt: Attempt) -> Attempt:
        good_at = event.first_good_at
        return replace(attempt, outcome=event.outcome, verified=True, verified_at=event.at, first_good_at=good_at)

    attempts = _with(incident, event.attempt, verified)
    good = event.first_good_at if event.outcome == "succeeded" else None
    return replace(incident, attempts=attempts, state=incident.waiting, first_good_at=good)


def _undone(incident: Incident, event: UndoEnded) -> Incident:
    def undone(attempt: Attempt) -> Attempt:
        return replace(attempt, undone=True, outcome="undone" if event.done else attempt.outcome)

    return replace(incident, attempts=_with(incident, event.attempt, undone), state=incident.waiting)


def _with(incident: Incident, number: int, change: Callable[[Attempt], Attempt]) -> tuple[Attempt, ...]:
    """The attempts, the one of this number changed."""
    return tuple(change(attempt) if attempt.number == number else attempt for attempt in incident.attempts)
