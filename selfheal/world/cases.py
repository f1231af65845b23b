"""What does an event mean for an incident, for planned work, and for all that follows from what is done there?

Planned work goes through the healer's door as an incident does: it is a case of the same form, and no incident. Nothing
had failed, so nothing is learned of a fix by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from selfheal.events import (
    Attributed,
    BreakerOpened,
    Cause,
    FixEnded,
    FixRelapsed,
    FixStarted,
    ForesightEvent,
    IncidentEscalated,
    IncidentEvent,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    UndoEnded,
    UndoStarted,
    WorkDone,
    WorkPlanned,
)
from selfheal.vocabulary import WorkState
from selfheal.world.agents import HOUR_S, settled
from selfheal.world.foresight import Work, fold_foresight, state_by
from selfheal.world.incidents import Incident, fold_incident, opened
from selfheal.world.knowledge import taught
from selfheal.world.learned import learned, taken_back

if TYPE_CHECKING:
    from selfheal.world import World

# What is over is kept for the page and the learners; the oldest goes first.
INCIDENTS_KEPT = 500
# What does nothing to the agent that it is done for.
READS: frozenset[str] = frozenset({"back_up"})
# More than any budget of an hour that makes sense.
DONE_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Done:
    """A reasoned act that was begun: what budgets count."""

    at: float
    agent: str
    fix: str


def about_incident(world: World, event: IncidentEvent) -> World:
    """Return the world after an event in an incident, or in planned work."""
    if isinstance(event, IncidentOpened):
        began = opened(event, _open_breakers(world, event.agent, event.at))
        incidents = _kept({**world.incidents, event.incident: began})
        return replace(world, incidents=incidents, incidents_opened=world.incidents_opened + 1)
    work = world.cases.get(event.incident)
    if work is not None:
        now = fold_incident(work, event)
        return _touched(replace(world, cases={**world.cases, now.id: now}), now, event)
    then = world.incidents.get(event.incident)
    if then is None:
        return world
    knowledge, now = taught(world.knowledge, fold_incident(then, event), event)
    world = replace(world, knowledge=knowledge, incidents={**world.incidents, event.incident: now})
    if isinstance(event, FixRelapsed):
        return replace(world, odds=taken_back(world.odds, then, event.attempt, event.at))
    if isinstance(event, Attributed):
        return _learned(world, now, event.shares, event.at)
    if isinstance(event, IncidentResolved | IncidentEscalated | IncidentSuppressed | IncidentMerged):
        return _learned(world, now, {}, event.at)
    return _touched(world, now, event)


def about_foresight(world: World, event: ForesightEvent) -> World:
    """Return the world after what is foreseen has changed. Work that is planned becomes a case."""
    foresight = fold_foresight(world.foresight, event)
    cases = world.cases
    if isinstance(event, WorkPlanned):
        cases = {name: one for name, one in {**cases, event.work: case_of(event)}.items() if name in foresight.work}
    elif isinstance(event, WorkDone):
        then = cases.get(event.work)
        over = {} if then is None else {event.work: _over(then, event)}
        cases = {**cases, **over}  # another mapping in any case: whoever shows work looks at it anew
    return replace(world, foresight=foresight, cases=cases)


def _over(case: Incident, event: WorkDone) -> Incident:
    return replace(case, state="resolved", resolved_at=event.at, reason=event.output, hold=None)


def state_of(world: World, work: Work) -> WorkState:
    """How planned work stands."""
    case = world.cases.get(work.planned.work)
    if work.over:
        return work.ended or state_by(work.outcome)
    if case is None:
        return "planned"
    if case.asking:
        return "waiting_approval"
    if case.acting:
        return "doing"
    return "verifying" if case.attempts else "planned"


def case_of(planned: WorkPlanned) -> Incident:
    """Planned work in the form of an incident: what is foreseen is its sign and its cause."""
    cause = Cause(planned.cause, planned.probability, planned.agent, (planned.why,))
    return Incident(
        planned.work,
        planned.agent,
        (planned.agent,),
        "foreseen",
        planned.why,
        planned.at,
        planned.at,
        causes=(cause,),
        diagnosed_at=planned.at,
    )


def _touched(world: World, now: Incident, event: IncidentEvent) -> World:
    """The world after something was begun or ended that touches an agent."""
    if now.attempt is None or now.attempt.fix in READS:
        return _counted(world, event) if isinstance(event, FixStarted) else world
    if isinstance(event, FixStarted):
        return _fixing(_counted(world, event), event.agent, True, event.at)
    if isinstance(event, UndoStarted | UndoEnded):
        return _fixing(world, now.attempt.agent, isinstance(event, UndoStarted), event.at)
    if isinstance(event, FixEnded):
        return _fixing(world, now.attempt.agent, False, event.at)
    return world


def _open_breakers(world: World, name: str, at: float) -> tuple[BreakerOpened, ...]:
    """The breakers that are open as an agent's incident opens: what cannot be started at all opens one before that."""
    agent = world.agents.get(name)
    known = agent.breakers.items() if agent is not None else ()
    return tuple(BreakerOpened(at, name, fix, one.retry_at, one.why) for fix, one in known if one.state == "open")


def _fixing(world: World, name: str, fixing: bool, at: float) -> World:
    agent = world.agents.get(name)
    if agent is None:
        return world
    return replace(world, agents={**world.agents, name: settled(replace(agent, fixing=fixing), at)})


def _learned(world: World, incident: Incident, shares: Mapping[str, float], at: float) -> World:
    odds, known = learned(world.odds, incident, shares, at)
    return replace(world, odds=odds, incidents={**world.incidents, incident.id: known})


def _counted(world: World, event: FixStarted) -> World:
    if event.reflex:
        return world
    recent = (one for one in world.done if one.at > event.at - HOUR_S)
    return replace(world, done=(*recent, Done(event.at, event.agent, event.fix))[-DONE_KEPT:])


def _kept(incidents: dict[str, Incident]) -> dict[str, Incident]:
    """Drop the oldest that are over; an open one is never dropped."""
    if len(incidents) <= INCIDENTS_KEPT:
        return incidents
    excess = len(incidents) - INCIDENTS_KEPT
    gone = [key for key, incident in incidents.items() if incident.over][:excess]
    return {key: incident for key, incident in incidents.items() if key not in gone}
