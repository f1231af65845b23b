"""A small fleet to think about: web depends on api, api on cache, and the site is a service of somebody else."""

from __future__ import annotations

from functools import reduce

from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentStarted,
    Cause,
    Diagnosed,
    Event,
    FixEnded,
    FixStarted,
    HealthChanged,
    IncidentOpened,
    Run,
    Trigger,
)
from selfheal.kinds import Observation
from selfheal.vitals import CheckRecord, Vitals
from selfheal.vocabulary import Outcome, StartReason
from selfheal.world import EMPTY, Incident, World, fold

NOW = 1_800_000_000.0
NAMES = ("cache", "api", "web")


def after(world: World, *events: Event) -> World:
    return reduce(fold, events, world)


def started(agent: str, at: float, generation: int, reason: StartReason = "reflex") -> AgentStarted:
    return AgentStarted(at, agent, Run(100 + generation, generation, at, 7, "boot"), reason)


def ready(agent: str, at: float, generation: int) -> AgentReady:
    return AgentReady(at, agent, generation, 0.2)


def died(agent: str, at: float, generation: int = 1, ran_s: float = 1.0, code: int = 1) -> AgentExited:
    return AgentExited(at, agent, generation, 100 + generation, code, None, ran_s, expected=False)


def failed(agent: str, at: float, check: str = "http", reason: str = "status 500", *, local: bool = False) -> Event:
    return HealthChanged(at, agent, check, False, "failed", reason, at - 10.0, local)


def opened(agent: str, at: float, number: int = 1, trigger: Trigger = "check") -> IncidentOpened:
    return IncidentOpened(at, f"inc-{number}", agent, trigger, "a sign", at)


def diagnosed(slug: str, agent: str, at: float = NOW, number: int = 1) -> Diagnosed:
    return Diagnosed(at, f"inc-{number}", (Cause(slug, 0.9, agent),))


def tried(
    agent: str, at: float, number: int = 1, fix: str = "restart", outcome: Outcome = "succeeded"
) -> tuple[Event, Event]:
    """An attempt of the first incident whose act is over."""
    return (
        FixStarted(at, "inc-1", number, fix, "application", agent, "crashed"),
        FixEnded(at + 1.0, "inc-1", number, outcome, f"{fix} {outcome}"),
    )


def fleet(at: float = NOW - 3600.0) -> World:
    """Everything is well, and has been since `at`."""
    world = EMPTY
    for name, needs in (("cache", ()), ("api", ("cache",)), ("web", ("api",))):
        world = after(
            world,
            AgentDeclared(at, name, "process", "application", needs, ("http", "process"), True),
            started(name, at, 1, "first"),
            ready(name, at, 1),
        )
    site = AgentDeclared(at, "site", "service", "application", (), ("http",), False)
    return after(world, site, ready("site", at, 0))


def incident(world: World, number: int = 1) -> Incident:
    return world.incidents[f"inc-{number}"]


def vitals(world: World, at: float = NOW, **failing: str) -> Vitals:
    """Every check of every agent was asked at `at`, and is well but for those of `failing`, by agent."""
    seen = Vitals()
    for agent in world.agents.values():
        for check in agent.checks:
            good = failing.get(agent.name) != check
            last = Observation(agent.name, check, at, 0.01, "ok" if good else "failed")
            seen.put(agent.name, CheckRecord(check, good, good, 9, at, last))
    return seen
