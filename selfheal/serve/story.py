"""What happened in an incident, told to a person?

One sentence for each event, in the order of time, with its time and its distance from the onset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from selfheal.events import (
    ActEnded,
    ActStarted,
    Alternative,
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
    IncidentJoined,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    ModelAnswered,
    Planned,
    Ranked,
    RestartDelayed,
    UndoEnded,
    UndoStarted,
    Verified,
)
from selfheal.serve.times import span, time_of_day

if TYPE_CHECKING:
    from selfheal.vocabulary import StartReason
    from selfheal.world import Incident, StoryEvent

# A sentence is read at a glance; the whole output of a fix stands beside its attempt.
LONGEST = 240
_TOLD = 3  # suspects
_SURE = 0.7


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of the story. `offset_s` counts from the onset."""

    at: float
    offset_s: float
    text: str

    def __str__(self) -> str:
        return f"{time_of_day(self.at)} {self.offset_s:+.3f} s  {self.text}"


def story(incident: Incident) -> tuple[Line, ...]:
    """Tell an incident, oldest event first: what is written down after an act may have happened before it."""
    fixes = {attempt.number: attempt.fix for attempt in incident.attempts}
    told = sorted(incident.story, key=lambda event: event.at)
    return tuple(Line(event.at, event.at - incident.onset, sentence(event, fixes)) for event in told)


def brief(text: str) -> str:
    """Return the first line of `text` that says anything, cut where it is long."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return first if len(first) <= LONGEST else first[: LONGEST - 1] + "…"


def sentence(event: StoryEvent, fixes: Mapping[int, str]) -> str:
    """Tell one event; `fixes` are those of the attempts of its incident, by number."""
    match event:
        case IncidentOpened(agent=agent, sign=sign, onset=onset, at=at):
            return f"{agent}: {brief(sign)}; noticed after {span(at - onset)}"
        case IncidentJoined(agent=agent, reason=reason):
            return _because(f"{agent} suffers too", reason)
        case IncidentMerged(into=into, reason=reason):
            return _because(f"the same trouble as {into}, which goes on in its place", reason)
        case IncidentSuppressed(reason=reason):
            return _because("closed" if fixes else "closed without a fix", reason)
        case Ranked():
            return _ranking(event)
        case Diagnosed(causes=causes):
            return _diagnosis(causes)
        case Attributed(shares=shares):
            return f"in hindsight: {', '.join(f'{cause} ({share:.2f})' for cause, share in shares.items())}"
        case CauseLabelled(cause="", by=by):
            return f"{by} says that it was not that"
        case CauseLabelled(cause=cause, agent=agent, by=by):
            return f"{by} says that the cause was {cause} at {agent}"
        case ModelAnswered():
            return _counsel(event)
        case Planned():
            return _plan(event)
        case Held(reason=reason, until=until):
            again = f"; looked at again by {time_of_day(until)}" if until is not None else ""
            return f"held: {brief(reason)}{again}"
        case ApprovalAsked(fix=fix, agent=agent, expires_at=expires_at):
            return f"asked a person whether to apply {fix} to {agent}; no answer by {time_of_day(expires_at)} means no"
        case ApprovalAnswered(approved=approved, by=by):
            return f"{'approved' if approved else 'rejected'} by {by}"
        case FixStarted(attempt=attempt, fix=fix, agent=agent, reflex=reflex, start=start):
            return f"{fix} of {agent}{_start(start)}" if reflex else f"attempt {attempt}: {fix} of {agent}"
        case ActStarted(act=act):
            return f"begins to {act}"
        case ActEnded(act=act, output=output):
            return _because(f"done: {act}", output)
        case FixEnded(attempt=attempt, outcome=outcome, output=output):
            fix = fixes.get(attempt, "the fix")
            return _because(f"{fix} done" if outcome == "succeeded" else f"{fix} {outcome}", output)
        case Verified():
            return _verdict(event)
        case UndoStarted(attempt=attempt):
            return f"what {fixes.get(attempt, 'the fix')} did is taken back"
        case UndoEnded(attempt=attempt, done=done, output=output):
            fix = fixes.get(attempt, "the fix")
            return _because(f"{fix} is undone" if done else f"{fix} could not be undone", output)
        case FixRelapsed(attempt=attempt, into=into):
            return f"{fixes.get(attempt, 'what helped')} has not lasted: {into} is the same trouble again"
        case IncidentEscalated(reason=reason):
            return _because("a person is needed", reason)
        case IncidentResolved(reason=reason, recovery_s=recovery_s):
            return _because(f"recovered in {span(recovery_s)}", reason)
        case RestartDelayed(at=at, agent=agent, due_at=due_at, why=why):
            return _because(f"{agent} is not started before {time_of_day(due_at)}, in {span(due_at - at)}", why)
        case BreakerOpened():
            return _breaker_opened(event)
        case BreakerTried(agent=agent, fix=fix):
            return f"the breaker of {agent}'s {fix} lets one trial through"
        case BreakerClosed(agent=agent, fix=fix, why=why):
            return _because(f"the breaker of {agent}'s {fix} is closed again", why)
        case _:
            assert_never(event)


def _start(reason: StartReason) -> str:
    """How a reflex came to start the agent, as the end of a sentence."""
    return {"backoff": ", after its wait", "trial": ", on trial"}.get(reason, " at once, by reflex")


def _breaker_opened(event: BreakerOpened) -> str:
    trial = f"the next trial is at {time_of_day(event.retry_at)}, in {span(event.retry_at - event.at)}"
    return _because(f"the breaker of {event.agent}'s {event.fix} opens, {trial}", event.why)


def _because(what: str, why: str) -> str:
    why = brief(why)
    return f"{what}: {why}" if why else what


def _diagnosis(causes: tuple[Cause, ...]) -> str:
    if not causes:
        return "cause: none was found"
    first, *others = causes
    told = f"cause: {first.slug} ({first.probability:.2f})"
    if first.evidence:
        told += f": {'; '.join(map(brief, first.evidence))}"
    if others:
        told += f"; less likely: {', '.join(f'{one.slug} ({one.probability:.2f})' for one in others)}"
    return told


def _ranking(event: Ranked) -> str:
    """Where it was looked, what was found, and what there was nothing of."""
    first = ", ".join(
        f"{one.agent} ({one.probability:.2f})" for one in event.suspects[:_TOLD] if one.probability >= 0.01
    )
    told = f"where it lies, by {', '.join(event.used) or 'nothing at all'}: {first or 'nobody stands out'}"
    if event.probed:
        told += f"; asked once more: {', '.join(event.probed)}"
    likely = bool(event.suspects) and event.suspects[0].probability >= _SURE
    doubt = "; no second sign says so" if likely else "; that is not sure enough"
    return told + {"act": "", "investigate": doubt, "none": "; likeliest none of them"}[event.verdict]


def _counsel(event: ModelAnswered) -> str:
    """What a language model said, marked as its words: nobody has looked at whether they are true."""
    if event.outcome != "ok":
        return f"a language model was asked ({event.provider}): {event.outcome}, {event.reason}"
    thinks = "does not know" if event.cause == "unknown" else f"thinks of {event.cause} at {event.cause_agent}"
    told = f"a language model ({event.model}) {thinks}, {event.confidence:.2f} sure"
    if event.missing:
        told += f", and misses {event.missing}"
    if event.fix:
        told += f", would try {event.fix}"
    after = next(
        (one for one in event.causes if (one.slug, one.agent) == (event.cause, event.cause_agent)), None
    )  # fmt: skip
    moved = f"; {event.reason}" if event.reason else ""
    if after is not None:
        moved = f"; that makes it {after.probability:.2f}"
    return f"{told}{moved}; its words: {brief(event.words)!r}"


def _plan(plan: Planned) -> str:
    chosen = next((one for one in plan.alternatives if one.fix == plan.fix), None)
    told = f"would do {plan.fix}, and only says so" if plan.shadow else f"chose {plan.fix}"
    if chosen is not None:
        told += f": {_chance(chosen)}"
    elif plan.reason:
        told += f": {brief(plan.reason)}"
    others = [_passed_over(one) for one in plan.alternatives if one.fix != plan.fix]
    return told + (f"; passed over: {', '.join(others)}" if others else "")


def _passed_over(other: Alternative) -> str:
    return f"{other.fix} ({brief(other.barred) or _chance(other)})"


def _chance(weighed: Alternative) -> str:
    """The chance that a fix helps, and what it takes by itself: what follows where it fails would only frighten."""
    takes = f", takes about {span(weighed.cost_s)}" if weighed.cost_s else ""
    return f"helps in {weighed.success:.0%}{takes}"


def _verdict(event: Verified) -> str:
    if event.outcome != "succeeded":
        return _because(f"did not help ({event.outcome})", event.reason)
    if event.first_good_at is None:
        return _because("verified", event.reason or "it is well")
    return f"verified: well for {span(event.at - event.first_good_at)}"
