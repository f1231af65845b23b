"""Why was it decided so?

For each decision in an incident: what was known just before it, what else was weighed, and what each guard saw. Only
what events tell is told: the answers of checks between two events, and settings, are in none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from selfheal.causes import CAUSES
from selfheal.events import (
    ApprovalAnswered,
    ApprovalAsked,
    BreakerClosed,
    BreakerOpened,
    BreakerTried,
    CauseLabelled,
    Diagnosed,
    FixStarted,
    Held,
    IncidentEscalated,
    ModelAnswered,
    Planned,
    RestartDelayed,
)
from selfheal.serve.models.explanation import (
    DecisionView,
    ExplanationView,
    NeighbourView,
    OddsView,
    SituationView,
    TriedView,
)
from selfheal.serve.story import brief, sentence
from selfheal.serve.times import rfc3339, span
from selfheal.serve.views.fleet import reason
from selfheal.serve.views.guards import before_reason, before_reflex, held_by, let_pass, starts_last_hour
from selfheal.serve.views.incidents import alternative_view, incident_view
from selfheal.world import Odds

if TYPE_CHECKING:
    from selfheal.serve.models.explanation import GuardView
    from selfheal.world import Agent, Incident, StoryEvent, World


class Decided(Protocol):
    """An event that became part of an incident, its number, and the world in which it was decided."""

    @property
    def seq(self) -> int: ...

    @property
    def event(self) -> StoryEvent: ...

    @property
    def before(self) -> World: ...


# What somebody or something decided; everything else in a story is what came of that.
_DECISIONS = (
    Diagnosed, Planned, Held, ApprovalAsked, ApprovalAnswered, BreakerOpened, BreakerTried, BreakerClosed, FixStarted,
    RestartDelayed, CauseLabelled, IncidentEscalated, ModelAnswered,
)  # fmt: skip


def explanation(incident: Incident, decided: Iterable[Decided]) -> ExplanationView:
    """Explain an incident as it is known in the end, by what was decided in it."""
    known = tuple(decided)
    fixes = {one.event.attempt: one.event.fix for one in known if isinstance(one.event, FixStarted)}
    views = [_decision(incident, one, fixes) for one in known]
    return ExplanationView(summary=summary(incident), incident=incident_view(incident), decisions=views)


def summary(incident: Incident) -> str:
    """Tell an incident in one sentence."""
    parts = (f"{incident.agent}: {brief(incident.sign)}", _cause(incident), _done(incident), _end(incident))
    return "; ".join(filter(None, parts))


def _cause(incident: Incident) -> str:
    if not incident.causes or incident.cause == "unknown":
        return "no cause was found" if incident.causes else ""
    likeliest = incident.causes[0]
    where = f" ({likeliest.agent})" if likeliest.agent not in ("", incident.agent) else ""
    words = CAUSES.get(likeliest.slug, likeliest.slug.replace("_", " "))
    return f"most likely {words}{where}, {likeliest.probability:.0%}".replace("100%", "over 99%")


def _done(incident: Incident) -> str:
    """What was tried, the same thing told once with how often."""
    if not incident.attempts:
        return "nothing was tried"
    told: list[tuple[str, int]] = []
    for attempt in incident.attempts:
        outcome = (attempt.outcome or "under way").replace("_", " ")
        words = f"{attempt.fix}{' by reflex' if attempt.reflex else ''} {outcome}"
        times = told.pop()[1] if told and told[-1][0] == words else 0
        told.append((words, times + 1))
    return ", then ".join(words if times == 1 else f"{words} {times} times" for words, times in told)


def _end(incident: Incident) -> str:
    if incident.state == "resolved" and incident.recovery_s is not None:
        return f"well again {span(incident.recovery_s)} after the onset"
    if incident.state == "suppressed":
        return f"closed: {incident.reason}" if incident.merged_into is None else f"it is part of {incident.merged_into}"
    if incident.state == "escalated":
        return f"a person is needed: {brief(incident.reason)}"
    return f"it is {incident.state.replace('_', ' ')} still"


def _decision(incident: Incident, one: Decided, fixes: Mapping[int, str]) -> DecisionView:
    event, before = one.event, one.before
    then = before.incidents.get(incident.id)
    agent = before.agents.get(_whom(event, incident.agent))
    judged = isinstance(event, _DECISIONS) and agent is not None
    return DecisionView(
        seq=one.seq,
        at=rfc3339(event.at),
        offset_seconds=round(event.at - incident.onset, 6),
        kind=type(event).__name__,
        text=sentence(event, fixes),
        situation=_situation(before, agent, then, event) if judged and agent is not None else None,
        alternatives=[alternative_view(other) for other in event.alternatives] if isinstance(event, Planned) else [],
        guards=_guards(before, agent, then, event) if agent is not None else [],
        policy=event.policy if isinstance(event, Planned) and event.ladder else None,
        ladder=event.ladder if isinstance(event, Planned) else "",
    )


def _whom(event: StoryEvent, lead: str) -> str:
    named: object = getattr(event, "agent", lead)
    return named if isinstance(named, str) else lead


def _situation(world: World, agent: Agent, incident: Incident | None, event: StoryEvent) -> SituationView:
    known = [world.agents[name] for name in world.dependencies(agent.name) if name in world.agents]
    return SituationView(
        agent=agent.name,
        state=agent.state,
        reason=reason(agent),
        failing=[f"{one.check} {one.result}: {one.reason}" for one in agent.failing.values()],
        dependencies=[NeighbourView(name=one.name, state=one.state) for one in known],
        breaker=agent.breaker.state,
        starts_last_hour=starts_last_hour(agent, event.at),
        short_runs=agent.short_runs,
        paused=world.paused or agent.paused,
        maintenance=agent.maintenance_until is not None,
        dry_run=world.dry_run,
        tried=_tried(incident),
        odds=_odds(world, agent, incident, event),
    )


def _tried(incident: Incident | None) -> list[TriedView]:
    attempts = incident.attempts if incident is not None else ()
    return [TriedView(fix=one.fix, agent=one.agent, outcome=one.outcome, verified=one.verified) for one in attempts]


def _odds(world: World, agent: Agent, incident: Incident | None, event: StoryEvent) -> list[OddsView]:
    """What had been learned of the fixes in question against the likeliest cause."""
    cause = incident.cause if incident is not None else "unknown"
    return [_learned(world, agent.name, cause, fix) for fix in dict.fromkeys(_in_question(event))]


def _in_question(event: StoryEvent) -> Sequence[str]:
    match event:
        case Planned(fix=fix, alternatives=alternatives):
            return (fix, *(one.fix for one in alternatives if not one.barred))
        case ApprovalAsked(fix=fix) | BreakerOpened(fix=fix) | BreakerTried(fix=fix):
            return (fix,)
        case _:
            return ()


def _learned(world: World, agent: str, cause: str, fix: str) -> OddsView:
    own = world.odds.get((agent, cause, fix), Odds())
    others = [odds for (name, why, what), odds in world.odds.items() if name != agent and (why, what) == (cause, fix)]
    return OddsView(
        fix=fix,
        cause=cause,
        helped=round(own.helped, 2),
        failed=round(own.failed, 2),
        helped_elsewhere=round(sum(one.helped for one in others), 2),
        failed_elsewhere=round(sum(one.failed for one in others), 2),
    )


def _guards(world: World, agent: Agent, incident: Incident | None, event: StoryEvent) -> list[GuardView]:
    match event:
        case Planned() if event.passed:
            return let_pass(world, agent, incident, event)
        case Planned(shadow=True) if world.dry_run:
            said = Held(event.at, event.incident, _dry_run(event), None, "dry_run", event.fix)
            return held_by(world, agent, incident, said, "dry_run")
        case Held(code=str(code)):
            return held_by(world, agent, incident, event, code)
        case Planned(fix=fix) | ApprovalAsked(fix=fix):
            return before_reason(world, agent, incident, fix, event.at, held=False)
        case Held():
            return before_reason(world, agent, incident, "restart", event.at, held=True)
        case FixStarted(reflex=True) | RestartDelayed():
            return before_reflex(world, agent, event.at)
        case _:
            return []


def _dry_run(plan: Planned) -> str:
    return f"dry run: {plan.fix} would be applied to {plan.agent}"
