"""Which rules of the guard did a trace break? Pure: it judges what happened by nothing but the events themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selfheal.events import AgentStarted, Event, FixEnded, FixStarted
from selfheal.world import EMPTY, Agent, World, fold

# Starts that are somebody's order, or none at all.
ORDERED = frozenset({"person", "adopted", "reload"})


@dataclass(frozen=True, slots=True)
class Moment:
    """An event, and who at that moment really was well but for what it depends on."""

    event: Event
    bystanders: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Limits:
    """What the configuration allows."""

    at_once: int
    attempts_per_hour: int


def broken_rules(trace: Sequence[Moment], limits: Limits) -> list[str]:
    """Say what was done that should not have been, in the order of the trace; empty where all was as it should be."""
    world = EMPTY
    acting: dict[tuple[str, int], str] = {}
    broken: list[str] = []
    for number, moment in enumerate(trace):
        event = moment.event
        broken.extend(f"#{number} at {event.at:.3f}: {why}" for why in _judge(moment, world, acting, limits))
        if isinstance(event, FixStarted) and not event.reflex:
            acting[event.incident, event.attempt] = event.agent
        if isinstance(event, FixEnded):
            acting.pop((event.incident, event.attempt), None)
        world = fold(world, event)
    broken.extend(f"the fix of {agent} in {incident} never ended" for (incident, _), agent in acting.items())
    broken.extend(
        f"{incident.id} of {incident.agent} is neither over nor escalated"
        for incident in world.open_incidents()
        if incident.state != "escalated"
    )
    return broken


def _judge(moment: Moment, world: World, acting: dict[tuple[str, int], str], limits: Limits) -> Iterator[str]:
    match moment.event:
        case AgentStarted(agent=name, reason=reason, at=at) if reason not in ORDERED:
            yield from _start(world, world.agents[name], reason, at, limits)
        case FixStarted(agent=name, reflex=False, fix=fix):
            yield from (f"{fix}: {why}" for why in _held(world, world.agents[name]))
            breaker = world.agents[name].breakers.get(fix)
            if breaker is not None and breaker.state == "open":
                yield f"{fix} on {name} although its breaker is open"
            if name in acting.values():
                yield f"{fix} on {name} while another act on it is under way"
            others = [one for one in acting.values() if name not in world.dependencies(one)]  # those wait for this one
            if len(others) >= limits.at_once:
                yield f"{fix} on {name} while {len(others)} others are under way"
            if name in moment.bystanders:
                yield f"{fix} on {name}, which only suffers from what it depends on"
        case _:
            pass


def _start(world: World, agent: Agent, reason: str, at: float, limits: Limits) -> Iterator[str]:
    died = agent.last_exit is not None and not agent.last_exit.expected
    # A daemon that is started starts its fleet, whatever holds the healer; and a fix that stopped an agent has to start
    # it again, whatever was said meanwhile: that it began is judged.
    if reason in ("reflex", "backoff", "trial") or (reason == "first" and died):
        yield from (f"a start of {agent.name} ({reason}): {why}" for why in _held(world, agent))
    if not agent.wanted:
        yield f"a start of {agent.name} ({reason}), which a person stopped"
    if agent.run is not None:
        yield f"a second process of {agent.name} ({reason})"
    if agent.breaker.state == "open" and reason in ("reflex", "backoff", "dependency"):
        yield f"a start of {agent.name} ({reason}) although its breaker is open"
    hour = sum(start > at - 3600.0 for start in agent.recent_starts)
    on_trial = agent.breaker.state == "half_open"
    if (
        reason in ("reflex", "backoff", "fix")
        and not on_trial
        and limits.attempts_per_hour
        and hour >= limits.attempts_per_hour
    ):
        yield f"start {hour + 1} of {agent.name} within an hour ({reason})"


def _held(world: World, agent: Agent) -> Iterator[str]:
    if world.paused or agent.paused:
        yield f"{agent.name} is paused"
    if agent.maintenance_until is not None:
        yield f"{agent.name} is in maintenance"
    if not agent.wanted:
        yield f"{agent.name} was stopped by a person"
