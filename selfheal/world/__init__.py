"""What is known now?

`World` is the fold of all events: frozen, replaced as a whole, never changed in place, so that anyone may keep a
reference and read it at leisure. Only the ledger folds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from selfheal.events import (
    AgentDeclared,
    AgentEvent,
    AgentRemoved,
    AlertDelivered,
    AlertFailed,
    AlertRaised,
    AlertsMuted,
    AnomalyEvent,
    BreakerClosed,
    BreakerOpened,
    BreakerTried,
    ConfigReloaded,
    DaemonEvent,
    DaemonStarted,
    DaemonStopped,
    DataEvent,
    Event,
    ForesightEvent,
    HealingPaused,
    HealingResumed,
    IncidentEvent,
    KnowledgeEvent,
    LoopFailed,
    RestartDelayed,
    ScaleAsked,
    StartAsked,
    StateDamaged,
    WeightsLearned,
)
from selfheal.world.agents import Agent, Failing, LastExit, fold_agent, settled
from selfheal.world.anomalies import Anomalies, Anomaly, fold_anomalies
from selfheal.world.breakers import Breaker
from selfheal.world.cases import INCIDENTS_KEPT, Done, about_foresight, about_incident
from selfheal.world.changes import Changed, fold_changes
from selfheal.world.data import Holdings, fold_data
from selfheal.world.foresight import Foresight, Work
from selfheal.world.incidents import Approval, Attempt, Incident, Label, StoryEvent, fold_incident
from selfheal.world.knowledge import Knowledge, fold_knowledge, named
from selfheal.world.limits import Raised
from selfheal.world.odds import KEPT_A_VERSION, Odds
from selfheal.world.scales import Scale, scaled
from selfheal.world.told import Post, Told, fold_post
from selfheal.world.uptime import Uptime

__all__ = [
    "EMPTY",
    "INCIDENTS_KEPT",
    "Agent",
    "Anomalies",
    "Anomaly",
    "Approval",
    "Attempt",
    "Breaker",
    "Changed",
    "Done",
    "Failing",
    "Foresight",
    "Holdings",
    "Incident",
    "Knowledge",
    "Label",
    "LastExit",
    "Odds",
    "Post",
    "Raised",
    "Scale",
    "StoryEvent",
    "Told",
    "Uptime",
    "Work",
    "World",
    "fold",
]

# What is over is kept for the page and the learners; the oldest goes first.
ALERTS_KEPT = 100
DAMAGES_KEPT = 50


@dataclass(frozen=True, slots=True)
class World:
    """Everything known. `incidents` are in the order of their opening, `odds` by (agent, cause, fix).

    `scales` is by the name of an agent in the file, `holdings` by that of a data agent. `done` are the reasoned acts of
    the last hour, oldest first. `cases` are planned work as the healer deals with it, by its name. `changes` are
    what was done on purpose, oldest first. `weights` say how much each channel counts that looks for causes, where
    that was learned.
    """

    events: int = 0
    at: float = 0.0
    started_at: float = 0.0
    starts: int = 0
    version: str = ""
    dry_run: bool = False
    stopped_cleanly: bool = True
    paused: bool = False
    agents: Mapping[str, Agent] = field(default_factory=dict)
    scales: Mapping[str, Scale] = field(default_factory=dict)
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    incidents_opened: int = 0
    odds: Mapping[tuple[str, str, str], Odds] = field(default_factory=dict)
    anomalies: Anomalies = field(default_factory=Anomalies)
    foresight: Foresight = Foresight()
    alerts: tuple[AlertRaised, ...] = ()
    undelivered: Mapping[tuple[str, bool], AlertRaised] = field(default_factory=dict)
    damages: tuple[StateDamaged, ...] = ()
    holdings: Mapping[str, Holdings] = field(default_factory=dict)
    done: tuple[Done, ...] = ()
    post: Post = field(default_factory=Post)
    changes: tuple[Changed, ...] = ()
    cases: Mapping[str, Incident] = field(default_factory=dict)
    knowledge: Knowledge = field(default_factory=Knowledge)
    weights: WeightsLearned | None = None

    def open_incidents(self) -> tuple[Incident, ...]:
        """Incidents that are neither over nor silenced, oldest first."""
        return tuple(incident for incident in self.incidents.values() if not incident.over)

    def case(self, name: str) -> Incident | None:
        """An incident, or planned work in the form of one, by its name."""
        return self.incidents.get(name) or self.cases.get(name)

    def acting(self) -> tuple[Incident, ...]:
        """The incidents that are open and the work in which something is being done, oldest first."""
        cases = (*self.open_incidents(), *self.cases.values())
        return tuple(case for case in cases if case.acting)

    def open_incident_of(self, agent: str) -> Incident | None:
        """The open incident from which this agent suffers, its own before another's."""
        suffering = [incident for incident in self.open_incidents() if agent in incident.agents]
        own = [incident for incident in suffering if incident.agent == agent]
        return next(iter(own or suffering), None)

    def dependencies(self, agent: str) -> tuple[str, ...]:
        """Everything that `agent` depends on, nearest first, itself left out."""
        return self._reach(agent, lambda name: self.agents[name].depends_on if name in self.agents else ())

    def dependents(self, agent: str) -> tuple[str, ...]:
        """Everything that depends on `agent`, nearest first, itself left out."""
        return self._reach(agent, lambda name: tuple(a.name for a in self.agents.values() if name in a.depends_on))

    def waits_for(self, agent: str) -> tuple[str, ...]:
        """What an agent that is wanted and not started yet depends on, and that is not ready."""
        waiting = self.agents[agent]
        if waiting.state != "starting" or not waiting.has_process or waiting.run is not None:
            return ()
        known = (self.agents[name] for name in waiting.depends_on if name in self.agents)
        return tuple(one.name for one in known if not (one.at_rest or (one.ready and not one.ends)))

    def _reach(self, start: str, step: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
        seen = [start]
        for name in seen:  # grows while it is walked: breadth first
            seen.extend(near for near in step(name) if near not in seen)
        return tuple(seen[1:])


EMPTY = World()


def fold(world: World, event: Event) -> World:
    """Return the world after `event`. Pure, total and quick: no I/O, no clock, never raises."""
    changes = fold_changes(world.changes, world.agents, event)
    world = replace(world, events=world.events + 1, at=max(world.at, event.at), changes=changes)
    if isinstance(event, AgentEvent):
        return _about_agent(world, event)
    if isinstance(event, IncidentEvent):
        return about_incident(world, event)
    if isinstance(event, AnomalyEvent):
        return replace(world, anomalies=fold_anomalies(world.anomalies, event))
    if isinstance(event, ForesightEvent):
        return about_foresight(world, event)
    if isinstance(event, DataEvent):
        return replace(world, holdings=fold_data(world.holdings, event))
    if isinstance(event, KnowledgeEvent):
        return replace(world, knowledge=fold_knowledge(world.knowledge, event))
    return _about_daemon(world, event)


def _about_agent(world: World, event: AgentEvent) -> World:
    name = event.agent
    if isinstance(event, AgentRemoved):
        return _without(world, name)
    agent = world.agents.get(name)
    if agent is None:
        if not isinstance(event, AgentDeclared):
            return world
        agent = Agent(name)
    then, agent = agent, fold_agent(agent, event)
    world = replace(world, agents={**world.agents, name: agent})
    if isinstance(event, AgentDeclared) and then.version and then.version != agent.version:
        world = _another_version(world, name, event.at)
    if isinstance(event, RestartDelayed | BreakerOpened | BreakerTried | BreakerClosed):
        return _into_story(world, event)
    return _ordered(world, event) if isinstance(event, StartAsked) else world


def _ordered(world: World, event: StartAsked) -> World:
    """What a person did in the midst of an incident says what a person would do."""
    incident = world.open_incident_of(event.agent)
    if incident is None or incident.agent != event.agent:
        return world
    incident = replace(incident, ordered_by=event.by, ordered_at=event.at)
    return replace(world, incidents={**world.incidents, incident.id: incident})


def _another_version(world: World, name: str, at: float) -> World:
    """Of what was learned about an agent some holds for its next version too."""
    odds = {
        key: seen.faded(at).scaled(KEPT_A_VERSION, at) if key[0] == name else seen for key, seen in world.odds.items()
    }
    return replace(world, odds=odds)


def _without(world: World, name: str) -> World:
    agents = {key: agent for key, agent in world.agents.items() if key != name}
    return replace(world, agents=agents, holdings={key: one for key, one in world.holdings.items() if key != name})


def _into_story(world: World, event: RestartDelayed | BreakerOpened | BreakerTried | BreakerClosed) -> World:
    """What the reflex does is told with the incident that is open, or with the one that has ended in this moment."""
    ended = (one for one in world.incidents.values() if event.agent in one.agents and one.resolved_at == event.at)
    incident = world.open_incident_of(event.agent) or next(ended, None)
    if incident is None:
        return world
    return replace(world, incidents={**world.incidents, incident.id: fold_incident(incident, event)})


def _about_daemon(world: World, event: DaemonEvent) -> World:
    match event:
        case DaemonStarted(at=at, version=version, dry_run=dry_run):
            return replace(
                world,
                knowledge=named(world.knowledge, event),
                started_at=at,
                version=version,
                dry_run=dry_run,
                starts=world.starts + 1,
                stopped_cleanly=False,
                agents={name: _woken(agent, at, world.stopped_cleanly) for name, agent in world.agents.items()},
            )
        case DaemonStopped():
            return replace(world, stopped_cleanly=True)
        case StateDamaged():
            return replace(world, damages=(*world.damages, event)[-DAMAGES_KEPT:])
        case LoopFailed() | AlertFailed():
            return world
        case HealingPaused(agent=name):
            return _pause(world, name, True, event.at)
        case HealingResumed(agent=name):
            return _pause(world, name, False, event.at)
        case ConfigReloaded(dry_run=dry_run):
            return replace(world, dry_run=dry_run)
        case ScaleAsked():
            return replace(world, scales=scaled(world.scales, event))
        case AlertRaised():
            key = (event.key, event.resolved)
            return replace(
                world,
                alerts=(*world.alerts, event)[-ALERTS_KEPT:],
                undelivered={**world.undelivered, key: event},
                post=fold_post(world.post, event),
            )
        case WeightsLearned():
            return replace(world, weights=event)
        case AlertsMuted():
            return replace(world, post=fold_post(world.post, event))
        case AlertDelivered():
            rest = {key: one for key, one in world.undelivered.items() if key != (event.key, event.resolved)}
            return replace(
                world,
                undelivered=world.undelivered if event.more or event.outdated else rest,
                post=fold_post(world.post, event),
            )
        case _:
            assert_never(event)


def _woken(agent: Agent, at: float, cleanly: bool) -> Agent:
    """The agent as a new daemon meets it.

    While no daemon watched nothing is known: that time counts neither as up nor as down. A job that has finished is
    run again after an orderly stop, as with a machine that is switched on; after a crash nothing is repeated. What the
    last daemon stopped with itself is not stopped any more: it is about to be started. Of what runs elsewhere nothing
    is known until it was asked.
    """
    finished = agent.finished and not cleanly
    ended = agent.last_exit
    if ended is not None and ended.expected and agent.wanted and not finished:
        ended = None
    known = agent.has_process or not agent.checks
    woken = replace(
        agent,
        uptime=replace(agent.uptime, at=at),
        finished=finished,
        last_exit=ended,
        ready=agent.ready and known,
    )
    return settled(woken, at)


def _pause(world: World, name: str | None, paused: bool, at: float) -> World:
    if name is None:
        return replace(world, paused=paused)
    agent = world.agents.get(name)
    if agent is None:
        return world
    return replace(world, agents={**world.agents, name: settled(replace(agent, paused=paused), at)})
