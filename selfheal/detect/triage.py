"""What does an event mean for the incidents: a new one, part of one that is open, or the end of one?

Pure. A death is local evidence and always the agent's own incident. A failing check of an agent whose dependency is
in trouble too is that dependency's incident: many agents that suffer from one cause are one incident.
"""

from __future__ import annotations

import signal

from selfheal.causes import CAUSES, NOT_CURED_BY_RESTART, PASSING
from selfheal.events import (
    AgentExited,
    AgentStarted,
    AgentStartFailed,
    BreakerClosed,
    BreakerOpened,
    Cause,
    Diagnosed,
    Event,
    FixEnded,
    FixRelapsed,
    FixStarted,
    HealthChanged,
    IncidentJoined,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    MaintenanceOver,
    StopAsked,
    Trigger,
    Verified,
)
from selfheal.vocabulary import Outcome, StartReason
from selfheal.world import Agent, Attempt, Breaker, Incident, World
from selfheal.world.odds import RELAPSE_S

# A fix that failed this often in one incident is not repeated for a while: it only makes noise.
TRIES = 2
# What the system says when it refuses to start a program is seldom wrong.
START_CERTAIN = 0.95
# A host that is gone is seen as silence of all that is asked there, within a round of checks or two.
SILENT: frozenset[str] = frozenset({"unreachable", "hung", "network_loss", "dns_failed"})
TOGETHER_S = 60.0
FAILED: frozenset[Outcome | None] = frozenset({"failed", "timed_out"})
# Starts that answer a death without any reasoning: each is an attempt of the agent's incident.
REFLEXES: frozenset[StartReason] = frozenset({"reflex", "backoff", "trial"})


def triage(world: World, event: Event) -> tuple[Event, ...]:
    """Return what follows from `event`, which is already part of `world`."""
    match event:
        case AgentExited(expected=False):
            return _trouble(world, event.at, event.agent, "exit", _ending(event), event.at)
        case AgentStartFailed():
            return _trouble(world, event.at, event.agent, "start", event.error, event.at)
        case AgentStarted(reason=reason) if reason in REFLEXES:
            return _reflex_attempt(world, event)
        case HealthChanged(ok=False):
            return _unhealthy(world, event)
        case IncidentOpened():
            return _gathered(world, event)
        case Verified(incident=name) if name in world.incidents:
            return _breaker(world, event)
        case IncidentResolved(incident=name) if name in world.incidents:
            return _proven(world, world.incidents[name], event)
        case Diagnosed(incident=name) if name in world.incidents:
            incident = world.incidents[name]
            return (*_relapse(world, incident, event.at), *_hopeless(world, incident, event.at))
        case MaintenanceOver(agent=name):
            return _still_failing(world, name, event.at)
        case StopAsked():
            return _stopped(world, event)
        case _:
            return ()


def new_incident_id(world: World) -> str:
    """The next incident's id: short enough to be typed."""
    return f"inc-{world.incidents_opened + 1}"


def _trouble(world: World, at: float, agent: str, trigger: Trigger, sign: str, onset: float) -> tuple[Event, ...]:
    """A process died or did not start: the agent's own incident, or another failure within it."""
    own, known = _own(world, agent), world.agents.get(agent)
    if known is None or (own is None and not _cared_for(known)):
        return ()
    if own is None:
        return (IncidentOpened(at, new_incident_id(world), agent, trigger, sign, onset),)
    told: tuple[Event, ...] = ()
    if trigger == "start" and known.start_cause in CAUSES and known.start_cause != own.cause:
        told = (Diagnosed(at, own.id, (Cause(known.start_cause, START_CERTAIN, agent, (sign,)),)),)
    attempt = own.attempt
    if attempt is None or attempt.verified or attempt.agent != agent or attempt.outcome != "succeeded":
        return told  # only what is still to be verified can turn out not to have helped
    outcome: Outcome = "relapsed" if trigger == "exit" else "failed"
    return (*told, Verified(at, own.id, attempt.number, outcome, sign))


def _reflex_attempt(world: World, event: AgentStarted) -> tuple[Event, ...]:
    incident, agent = _own(world, event.agent), world.agents.get(event.agent)
    if incident is None or incident.acting or agent is None:
        return ()
    number = incident.attempt.number + 1 if incident.attempt else 1
    started = FixStarted(event.at, incident.id, number, "restart", agent.layer, agent.name, "", True, event.reason)
    return (started, FixEnded(event.at, incident.id, number, "succeeded", f"started as process {event.run.pid}"))


def _unhealthy(world: World, event: HealthChanged) -> tuple[Event, ...]:
    agent = world.agents.get(event.agent)
    if agent is None or not _cared_for(agent):
        return ()
    known = _own(world, event.agent) if event.local else world.open_incident_of(event.agent)
    if known is not None:
        return ()
    sign = f"check {event.check}: {event.reason}"
    for name in () if event.local else world.dependencies(event.agent):
        incident = _own(world, name)
        if incident is not None:
            return (IncidentJoined(event.at, incident.id, event.agent, sign),)
    shared = None if event.local else _on_the_same_host(world, agent, event)
    if shared is not None:
        return (IncidentJoined(event.at, shared.id, event.agent, sign),)
    return (IncidentOpened(event.at, new_incident_id(world), event.agent, "check", sign, event.since),)


def _on_the_same_host(world: World, agent: Agent, event: HealthChanged) -> Incident | None:
    """The open incident of another agent on the same host that has stopped answering at about the same time."""
    if event.cause not in SILENT or not agent.hosts:
        return None
    for incident in world.open_incidents():
        lead = world.agents.get(incident.agent)
        if lead is None or incident.trigger != "check" or incident.attempts or set(agent.hosts).isdisjoint(lead.hosts):
            continue
        silent = any(failing.cause in SILENT and not failing.local for failing in lead.failing.values())
        if silent and abs(incident.onset - event.since) <= TOGETHER_S:
            return incident
    return None


def _still_failing(world: World, name: str, at: float) -> tuple[Event, ...]:
    """What failed during maintenance was nobody's trouble; what fails still, with its process there, is from now on."""
    agent = world.agents.get(name)
    if agent is None or (agent.has_process and agent.run is None):
        return ()
    failing = next(iter(agent.failing.values()), None)
    if failing is None:
        return ()
    changed = HealthChanged(
        at, name, failing.check, False, failing.result, failing.reason, at, failing.local, failing.cause
    )
    return _unhealthy(world, changed)


def _gathered(world: World, event: IncidentOpened) -> tuple[Event, ...]:
    """Incidents of dependents in which nothing was tried yet turn out to be part of this one."""
    dependents = world.dependents(event.agent)
    found: list[Event] = []
    for other in world.open_incidents():
        if other.agent in dependents and other.trigger == "check" and not other.attempts and not _local(world, other):
            reason = f"it depends on {event.agent}, which is in trouble itself"
            found.append(IncidentMerged(event.at, other.id, event.incident, reason))
            found.extend(IncidentJoined(event.at, event.incident, name, other.sign) for name in other.agents)
    return tuple(found)


def _breaker(world: World, event: Verified) -> tuple[Event, ...]:
    """What helped closes the breaker of its fix; what failed twice in one incident, or on trial, opens it."""
    incident = world.incidents[event.incident]
    attempt = next((one for one in incident.attempts if one.number == event.attempt), None)
    agent = world.agents.get(attempt.agent) if attempt else None
    if attempt is None or agent is None:
        return ()
    breaker = agent.breakers.get(attempt.fix, Breaker())
    if event.outcome == "succeeded":
        return (BreakerClosed(event.at, agent.name, attempt.fix, event.reason),) if breaker.state != "closed" else ()
    others = _still_on_trial(agent, attempt, event)
    if event.outcome == "relapsed":
        return (*others, *_hopeless(world, incident, event.at))  # else it is the reflex's affair
    if breaker.state == "open":
        return others
    failures = sum(one.fix == attempt.fix and one.outcome in FAILED for one in incident.attempts)
    if breaker.state == "closed" and failures < TRIES:
        return others
    why = f"{attempt.fix} did not help: {event.reason}"
    return (*others, BreakerOpened(event.at, agent.name, attempt.fix, event.at + breaker.next_wait_s, why))


def _still_on_trial(agent: Agent, attempt: Attempt, event: Verified) -> tuple[Event, ...]:
    """The breakers that another fix had half opened, since it starts the agent too: they have failed their trial."""
    if event.outcome not in FAILED:
        return ()
    why = f"{attempt.fix} did not help: {event.reason}"
    return tuple(
        BreakerOpened(event.at, agent.name, fix, event.at + breaker.next_wait_s, why)
        for fix, breaker in agent.breakers.items()
        if breaker.state == "half_open" and fix != attempt.fix
    )


def _relapse(world: World, incident: Incident, at: float) -> tuple[Event, ...]:
    """What ended an incident of the same cause a short while ago has not lasted."""
    for earlier in reversed(tuple(world.incidents.values())):
        ended = earlier.resolved_at
        same = (earlier.agent, earlier.cause) == (incident.agent, incident.cause) and earlier.id != incident.id
        if same and earlier.state == "resolved" and ended is not None and incident.onset - ended < RELAPSE_S:
            helped = [one for one in earlier.attempts if one.outcome == "succeeded" and one.verified]
            return tuple(FixRelapsed(at, earlier.id, one.number, incident.id) for one in helped[-1:])
    return ()


def _proven(world: World, incident: Incident, event: IncidentResolved) -> tuple[Event, ...]:
    """Those who were on trial and are well at the end have passed it, whatever it was that helped."""
    known = (world.agents[name] for name in incident.agents if name in world.agents)
    return tuple(
        BreakerClosed(event.at, agent.name, fix, event.reason)
        for agent in known
        for fix, breaker in agent.breakers.items()
        if breaker.state == "half_open"
    )


def _hopeless(world: World, incident: Incident, at: float) -> tuple[Event, ...]:
    """A crash loop that no restart can end is not run through to the end of its budget."""
    agent = world.agents.get(incident.agent)
    if agent is None or incident.cause not in NOT_CURED_BY_RESTART - PASSING or agent.breaker.state != "closed":
        return ()
    if incident.trigger == "start" or agent.short_runs < TRIES:
        return ()
    why = f"{CAUSES[incident.cause]}, and no restart changes that"
    return (BreakerOpened(at, agent.name, "restart", at + agent.breaker.next_wait_s, why),)


def _stopped(world: World, event: StopAsked) -> tuple[Event, ...]:
    own = _own(world, event.agent)
    return (IncidentSuppressed(event.at, own.id, f"{event.agent} was stopped by {event.by}"),) if own else ()


def _cared_for(agent: Agent) -> bool:
    return agent.wanted and agent.maintenance_until is None and not agent.held_for


def _local(world: World, incident: Incident) -> bool:
    """Whether the agent's own process is what is wrong."""
    agent = world.agents.get(incident.agent)
    return agent is not None and any(failing.local for failing in agent.failing.values())


def _own(world: World, agent: str) -> Incident | None:
    return next((incident for incident in world.open_incidents() if incident.agent == agent), None)


def _ending(event: AgentExited) -> str:
    if event.signal is not None:
        try:
            how = f"killed by {signal.Signals(event.signal).name}"
        except ValueError:
            how = f"killed by signal {event.signal}"
    elif event.code is None:
        how = "ended, nobody saw how,"
    else:
        how = f"exit code {event.code}"
    return f"{how} after {event.ran_s:.1f} s"
