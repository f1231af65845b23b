"""What is worth telling a newcomer while the demo runs, and what is the sum of it?

Pure: events in, sentences out. The same facts stand in the journal and on the page; here they are told calmly, each
in one line, in the order in which they happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Literal

from selfheal.causes import CAUSES
from selfheal.events import (
    AgentReady,
    AnomalySeen,
    ApprovalAsked,
    BreakerOpened,
    CheckBroke,
    CheckMended,
    ConfigReloaded,
    Diagnosed,
    Event,
    FailurePredicted,
    FixEnded,
    FixStarted,
    FlappingBegan,
    FlappingOver,
    HealingPaused,
    HealingResumed,
    Held,
    IncidentEscalated,
    IncidentJoined,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    LoopFailed,
    Planned,
    PredictionEnded,
    PredictionLeft,
    ScaleAsked,
    StandbyFailed,
    StartAsked,
    StateDamaged,
    StopAsked,
    Verified,
    WorkDone,
    WorkPlanned,
)
from selfheal.measures import amount
from selfheal.vocabulary import Outcome, WorkState
from selfheal.world import Incident, World
from selfheal.world.spans import span_text

Tone = Literal["plain", "strong", "quiet", "good", "uneasy", "bad", "busy"]

_ENDINGS: dict[str, tuple[Tone, str]] = {
    "averted": ("good", "the failure that was foreseen is averted"),
    "happened": ("bad", "the failure that was foreseen has come"),
    "withdrawn": ("quiet", "the failure that was foreseen is no longer expected"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence about an agent, or about the daemon where `agent` is empty."""

    at: float
    agent: str
    tone: Tone
    text: str


class Narrator:
    """Turns events into lines. Remembers only what it has said, so that nothing is told twice."""

    def __init__(self) -> None:
        self._foreseen: set[tuple[str, str]] = set()
        self._held: dict[str, str] = {}
        self._planned: dict[str, str] = {}
        self._merged: set[tuple[str, str]] = set()

    def tell(self, world: World, event: Event) -> Line | None:
        """The sentence for `event`, None where it is not worth one. `world` is the world after it."""
        if self._is_repeated(world, event):
            return None
        told = _told(world, event)
        if told is None:
            return None
        agent, tone, text = told
        return Line(world.at, agent, tone, text)  # an event may be about a moment past; the story goes forward

    def _is_repeated(self, world: World, event: Event) -> bool:
        """Whether it is known: a forecast that moves, a wait that lasts, a plan carried out at once, one trouble."""
        match event:
            case FailurePredicted(agent=agent, mode=mode):
                known = (agent, mode) in self._foreseen
                self._foreseen.add((agent, mode))
                return known
            case PredictionEnded(agent=agent, mode=mode):
                if mode == "crash":  # it comes again and again, and each time is told where it happens
                    return True
                self._foreseen.discard((agent, mode))
                return False
            case Held(incident=incident, reason=reason):
                known = self._held.get(incident) == reason
                self._held[incident] = reason
                self._planned.pop(incident, None)
                return known
            case ApprovalAsked(incident=incident):
                self._planned.pop(incident, None)
                return False
            case Planned(incident=incident, fix=fix):
                self._planned[incident] = fix
                return False
            case FixStarted(incident=incident, fix=fix, reflex=False):
                return self._planned.pop(incident, "") == fix
            case IncidentMerged(incident=incident, into=into):
                self._merged.add((into, _agent(world, incident)))
                return False
            case IncidentJoined(incident=incident, agent=agent):
                return (incident, agent) in self._merged
            case _:
                return False


_Told = tuple[str, Tone, str]


def _told(world: World, event: Event) -> _Told | None:
    about_healing = _of_incident(world, event) or _of_fix(world, event) or _of_future(world, event)
    return about_healing or _of_agent(event) or _of_daemon(event)


def _of_incident(world: World, event: Event) -> _Told | None:
    match event:
        case IncidentOpened(agent=agent, sign=sign):
            return agent, "bad", sign
        case IncidentJoined(agent=agent, incident=incident, reason=reason):
            return agent, "uneasy", f"suffers with {_agent(world, incident)}: {reason}"
        case IncidentMerged(incident=incident, into=into):
            return _agent(world, incident), "quiet", f"it is the same trouble as that of {_agent(world, into)}"
        case Diagnosed(incident=incident, causes=(first, *_)):
            where = "" if first.agent in ("", _agent(world, incident)) else f" ({first.agent})"
            told = f"cause, {_share(first.probability)} sure: {_cause(first.slug)}{where}"
            return _agent(world, incident), "plain", told + _news(world, incident, first.evidence)
        case IncidentEscalated(incident=incident, reason=reason):
            return _agent(world, incident), "bad", f"a person is needed: {reason}"
        case IncidentResolved(incident=incident, recovery_s=recovery_s):
            return _agent(world, incident), "good", f"verified: well again; it was away for {_lasting(recovery_s)}"
        case _:
            return None


def _of_fix(world: World, event: Event) -> _Told | None:
    match event:
        case Planned(incident=name) if name in world.cases:
            return None  # it was said when it was planned
        case Planned(agent=agent, fix=fix, reason=reason):
            return agent, "busy", f"plan: {_words(fix)}, {reason}"
        case Held(incident=incident, reason=reason):
            return _agent(world, incident), "quiet", f"nothing is done yet: {reason}"
        case ApprovalAsked(agent=agent, incident=incident, fix=fix):
            return agent, "uneasy", f"may {_words(fix)} be done? 'selfheal approve {incident}' allows it"
        case FixStarted(agent=agent, fix=fix, reflex=True, start="reflex"):
            return agent, "busy", f"{_words(fix)} at once, by reflex"
        case FixStarted(agent=agent, fix=fix):
            return agent, "busy", f"{_words(fix)} …"
        case FixEnded(incident=incident, outcome=outcome, output=output) if outcome != "succeeded":
            return _agent(world, incident), "bad", f"that did not work ({_words(outcome)}): {_first_line(output)}"
        case Verified(incident=incident, outcome=outcome, reason=reason) if outcome != "succeeded":
            return _agent(world, incident), "bad", f"that did not help: {reason}"
        case BreakerOpened(agent=agent, fix=fix, why=why):
            return agent, "bad", f"{_words(fix)} is not tried again for a while: {why}"
        case _:
            return None


def _of_future(world: World, event: Event) -> _Told | None:
    match event:
        case FailurePredicted(agent=agent, mode=mode, probability=probability, eta_s=eta_s):
            likely = f"{_share(probability)} likely"
            return agent, "uneasy", f"foreseen: {_words(mode)} in about {_lasting(eta_s)} ({likely})"
        case PredictionEnded(agent=agent, outcome=outcome):
            tone, text = _ENDINGS[outcome]
            return agent, tone, text
        case WorkPlanned(at=at, agent=agent, action=action, due_at=due_at, why=why):
            when = f"in {_lasting(due_at - at)}" if due_at - at >= 1 else "now"
            spares = f", {event.how}" if event.how else ""
            return agent, "busy", f"planned: {_words(action)} {when}, before it fails{spares}; {why}"
        case PredictionLeft(agent=agent, share=share, why=why):
            return agent, "quiet", f"left to come, as one in {1 / share:.0f} is, to learn from it: {why}"
        case WorkDone(work=name, outcome=outcome, output=output):
            agent = world.foresight.work[name].planned.agent if name in world.foresight.work else ""
            return agent, *_of_work(outcome, event.state, _first_line(output))
        case AnomalySeen(agent=agent, signal=signal, value=value, expected=expected):
            seen, usual = amount(signal, value), amount(signal, expected)
            return agent, "uneasy", f"{signal} is strange: {seen} where {usual} is usual"
        case _:
            return None


def _of_work(outcome: Outcome, state: WorkState | None, output: str) -> tuple[Tone, str]:
    match outcome:
        case "succeeded":
            return "good", f"done as planned: {output}"
        case "rejected" if state == "skipped":
            return "uneasy", f"the planned work is given up: {output}"
        case "rejected":
            return "quiet", f"the plan is {output}"
        case _:
            return "bad", f"the planned work did not work ({_words(outcome)}): {output}"


def _of_agent(event: Event) -> _Told | None:
    match event:
        case AgentReady(agent=agent, took_s=took_s):
            return agent, "quiet", f"ready after {_lasting(took_s)}"
        case StandbyFailed(agent=agent, standby=standby, why=why):
            return agent, "uneasy", f"no {standby} stands by, so it will start anew: {why}"
        case CheckBroke(agent=agent, check=check, reason=reason):
            return agent, "uneasy", f"its check {check} cannot run, so nothing is known by it: {reason}"
        case CheckMended(agent=agent, check=check):
            return agent, "good", f"its check {check} runs again"
        case FlappingBegan(agent=agent, check=check):
            return agent, "uneasy", f"its check {check} keeps changing between well and failed"
        case FlappingOver(agent=agent, check=check):
            return agent, "good", f"its check {check} has settled"
        case _:
            return None


def _of_daemon(event: Event) -> _Told | None:
    match event:
        case StopAsked(agent=agent, by=by):
            return agent, "plain", f"{by} wants it stopped"
        case StartAsked(agent=agent, by=by):
            return agent, "plain", f"{by} wants it started"
        case HealingPaused(agent=agent, by=by):
            return agent or "", "uneasy", f"{by} has turned healing off"
        case HealingResumed(agent=agent, by=by):
            return agent or "", "plain", f"{by} has turned healing on again"
        case ConfigReloaded(by=by):
            return "", "plain", f"{by} has let the configuration be read again"
        case ScaleAsked(agent=agent, instances=instances, by=by):
            return agent, "plain", f"{by} wants {instances} of it"
        case LoopFailed(loop=loop, error=error, retry_s=retry_s):
            return "", "bad", f"selfheal's own loop {loop!r} failed and starts again in {_lasting(retry_s)}: {error}"
        case StateDamaged(file=file, what=what):
            return "", "bad", f"selfheal's own file {file!r} was damaged: {what}"
        case _:
            return None


def report(world: World) -> Iterator[Line]:
    """The sum of what happened, cause by cause, and what was foreseen and prevented."""
    over = [incident for incident in world.incidents.values() if incident.state == "resolved"]
    yield Line(world.at, "", "strong", _healed(over, len(world.open_incidents())))
    for cause, count in Counter(incident.cause for incident in over).most_common():
        yield Line(world.at, "", "plain", _of_cause(cause, count, [one for one in over if one.cause == cause]))
    yield Line(world.at, "", "strong", _foreseen(world))
    done = Counter((work.planned.agent, work.planned.action, work.ended) for work in world.foresight.work.values())
    for (agent, action, ended), count in done.items():
        if ended is not None:
            how = {"done": "succeeded", "skipped": "given up"}.get(ended, _words(ended))
            yield Line(world.at, "", "plain", f"  {agent}: {_words(action)} ahead of time, {how} {_often(count)}")
    yield Line(world.at, "", "strong", _uptime(world))


def _healed(over: list[Incident], still_open: int) -> str:
    noun = "incident was" if len(over) == 1 else "incidents were"
    rest = f", {still_open} still open" if still_open else ""
    return f"{len(over)} {noun} noticed, explained and healed{rest}."


def _of_cause(cause: str, count: int, incidents: list[Incident]) -> str:
    times = [one.recovery_s for one in incidents if one.recovery_s is not None]
    agents = ", ".join(dict.fromkeys(one.agent for one in incidents))
    took = (
        f"away for {_lasting(median(times))} as a rule, {_lasting(max(times))} at worst" if times else "no time known"
    )
    return f"  {_often(count)} {_words(cause)} ({agents}): {took}"


def _often(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _foreseen(world: World) -> str:
    ended = world.foresight.ended
    averted, happened, withdrawn = (ended.get(outcome, 0) for outcome in ("averted", "happened", "withdrawn"))
    open_ = len(world.foresight.predictions)
    total = averted + happened + withdrawn + open_
    noun = "failure was" if total == 1 else "failures were"
    still = f", {open_} still expected" if open_ else ""
    return f"{total} {noun} foreseen: {averted} prevented, {happened} came, {withdrawn} no longer expected{still}."


def _uptime(world: World) -> str:
    healthy = sum(agent.uptime.healthy_s for agent in world.agents.values())
    wanted = sum(agent.uptime.wanted_s for agent in world.agents.values())
    share = f"{100 * healthy / wanted:.1f} %" if wanted else "none"
    return f"The fleet was up for {share} of the time that it was wanted."


def _agent(world: World, incident: str) -> str:
    known = world.case(incident)
    return known.agent if known is not None else ""


def _news(world: World, incident: str, evidence: tuple[str, ...]) -> str:
    """The first piece of evidence that the sign of the incident, "check http: no answer", has not told already."""
    sign = world.incidents[incident].sign if incident in world.incidents else ""
    reason = sign.partition(": ")[2] or sign
    return next((f"; {piece}" for piece in evidence if reason not in piece), "")


def _share(probability: float) -> str:
    """Nothing is certain: what would round to 100 % is told as what it is."""
    return f"{100 * probability:.0f} %" if probability < 0.995 else "over 99 %"


def _cause(slug: str) -> str:
    return CAUSES.get(slug, _words(slug))


def _words(slug: str) -> str:
    return slug.replace("_", " ")


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _lasting(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * max(0.0, seconds):.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    return span_text(seconds)
