"""Which rules of the guard does a trace break? Judged by the events alone, and by when they were durable.

Every rule has a name, so that a violation that was planted can be told from any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from selfheal.events import (
    ActStarted,
    ApprovalAnswered,
    BreakerClosed,
    BreakerOpened,
    BreakerTried,
    Event,
    FixEnded,
    FixStarted,
    HealingPaused,
    UndoStarted,
    Verified,
)
from selfheal.vocabulary import Mode, Tier
from selfheal.world import EMPTY, Agent, Attempt, Incident, World, fold

SURE: Mapping[Tier, float] = {0: 0.0, 1: 0.4, 2: 0.7, 3: 0.85}
TEN_MINUTES_S, HALF_AN_HOUR_S, HOUR_S = 600.0, 1800.0, 3600.0
STORM_S = 180.0


@dataclass(frozen=True, slots=True)
class Known:
    """A fix as the rules have to know it; `meant` are the causes that it may be tried against."""

    tier: Tier
    mode: Mode
    meant: frozenset[str]
    stoppable: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What the configuration of the schedules allows."""

    at_once: int
    acts_per_agent: int
    acts_per_fix: int
    acts_per_hour: int
    cooldown_s: float
    storm_share: float
    storm_floor: int
    fixes: Mapping[str, Known]


@dataclass(frozen=True, slots=True)
class Begun:
    """An act that touched something, once it was: what was durable by then, and the number of its intent."""

    fix: str
    repeatable: bool
    synced: int
    intent: int


# So long what an agent depends on is waited for, where that is likelier the cause than the agent itself.
BLAMED_S = 60.0


@dataclass
class Judge:
    """Goes through a trace and keeps what it must remember."""

    limits: Limits
    world: World = EMPTY
    acting: dict[tuple[str, int], FixStarted] = field(default_factory=dict)
    helped: dict[str, float] = field(default_factory=dict)
    done: list[FixStarted] = field(default_factory=list)
    to_end_by: dict[tuple[str, int], float] = field(default_factory=dict)
    on_trial: dict[tuple[str, str], int] = field(default_factory=dict)
    due: dict[tuple[str, str], float] = field(default_factory=dict)

    def judge(self, event: Event) -> Iterator[str]:
        """The names of the rules that this event breaks, each with why."""
        match event:
            case FixStarted(reflex=False):
                yield from self._begin(event)
            case ActStarted() | UndoStarted():
                yield from self._paused(self.world.incidents[event.incident].attempts[-1].agent)
            case ApprovalAnswered(incident=name):
                asked = self.world.incidents[name].approval
                if asked is not None and asked.approved is not None:
                    yield f"single approval: {name} was decided twice"
            case FixEnded():
                due = self.to_end_by.pop((event.incident, event.attempt), None)
                if due is not None and event.at > due:
                    yield f"kill switch: an act that may be cut short went on for {event.at - due:.1f} s too long"
            case _:
                pass
        self._remember(event)
        self.world = fold(self.world, event)

    def _begin(self, event: FixStarted) -> Iterator[str]:
        world, limits, at = self.world, self.limits, event.at
        agent, incident = world.agents.get(event.agent), world.incidents[event.incident]
        if agent is None:
            yield f"target: {event.fix} on {event.agent!r}, which is not there"
            return
        yield from self._paused(event.agent)
        if agent.maintenance_until is not None:
            yield f"maintenance: {event.fix} on {event.agent}"
        if any(one.agent == event.agent for one in self.acting.values()):
            yield f"duplicate: {event.fix} on {event.agent} while another act on it is under way"
        others = [one for one in self.acting.values() if event.agent not in world.dependencies(one.agent)]
        if len(others) >= min(limits.at_once, max(1, len(world.agents) // 3)):
            yield f"concurrency: {event.fix} on {event.agent} while {len(others)} others are under way"
        yield from self._budgets(event)
        local = _is_local(agent)
        if not local and at < self.helped.get(event.agent, -HOUR_S) + limits.cooldown_s:
            yield f"cooldown: {event.fix} on {event.agent}"
        if not local and any(_is_down(world, name) for name in world.dependencies(event.agent)):
            yield f"dependency: {event.fix} on {event.agent}, which depends on what is down"
        blamed = incident.causes[0].agent if incident.causes and "ranking" in incident.causes[0].channels else ""
        if not local and blamed in world.dependencies(event.agent) and at < incident.diagnosed_at + BLAMED_S:
            yield f"dependency: {event.fix} on {event.agent}, and {blamed} is likelier the cause"
        if not local:
            yield from self._storm(incident, agent, at)
        yield from self._of_the_fix(event, agent, incident)

    def _of_the_fix(self, event: FixStarted, agent: Agent, incident: Incident) -> Iterator[str]:
        fix, breaker = self.limits.fixes[event.fix], agent.breakers.get(event.fix)
        if breaker is not None and breaker.state == "open":
            yield f"breaker: {event.fix} on {agent.name} although it is open"
        if event.at < self.due.pop((agent.name, event.fix), 0.0):
            yield f"breaker: a trial of {event.fix} on {agent.name} before its time"
        trial = breaker is not None and breaker.state == "half_open"
        if trial and self.on_trial.get((agent.name, event.fix), 0) > 0:
            yield f"breaker: a second trial of {event.fix} on {agent.name}"
        against = event.cause or incident.cause  # of one that a ranking blames in vain, what is seen of itself
        if not trial and event.at < _failed_until(self.world, incident, agent.name, event.fix, against):
            yield f"repeated: {event.fix} on {agent.name} against {against}"
        sure = sum(cause.probability for cause in incident.causes if cause.slug in fix.meant)
        if sure < SURE[fix.tier] - 1e-9:
            yield f"confidence: {event.fix} of tier {fix.tier} at {sure:.2f}"
        if fix.mode in ("off", "suggest"):
            yield f"mode: {event.fix} is {fix.mode}"
        answer = incident.approval
        allowed = answer is not None and (answer.fix, answer.agent, answer.approved) == (event.fix, agent.name, True)
        if fix.mode == "ask" and not allowed:
            yield f"single approval: {event.fix} on {agent.name} without a yes"

    def _budgets(self, event: FixStarted) -> Iterator[str]:
        limits, at = self.limits, event.at
        lately = [one for one in self.done if one.at > at - HOUR_S]
        if sum(one.agent == event.agent and one.at > at - TEN_MINUTES_S for one in lately) >= limits.acts_per_agent:
            yield f"agent budget: {event.fix} on {event.agent}"
        if sum(one.fix == event.fix for one in lately) >= limits.acts_per_fix:
            yield f"fix budget: {event.fix} on {event.agent}"
        if len(lately) >= limits.acts_per_hour:
            yield f"fleet budget: {event.fix} on {event.agent}"

    def _storm(self, incident: Incident, agent: Agent, at: float) -> Iterator[str]:
        """Of many that failed at once one is tried first, and nobody after it where that was in vain.

        Who suffers in this very incident is the same trouble, whatever else of its own it has.
        """
        began = max([incident.onset, *(one.since for one in agent.failing.values())])
        together = [
            one for one in self.world.open_incidents()
            if one.trigger == "check" and abs(one.onset - began) <= STORM_S and one.agent in self.world.agents
            and not self.world.agents[one.agent].well and not _is_local(self.world.agents[one.agent])
            and (one.id == incident.id or one.agent not in incident.agents)
        ]  # fmt: skip
        if len(together) <= max(self.limits.storm_floor, self.limits.storm_share * len(self.world.agents)):
            return
        same = (one for one in self.world.incidents.values() if abs(one.onset - began) <= STORM_S)
        trials = [one for other in same for one in other.attempts if not one.reflex and one.started_at >= began]
        latest = max(trials, key=lambda one: one.started_at, default=None)
        if latest is None or (latest.verified and not latest.in_vain):
            return
        if not latest.verified or at < (latest.verified_at or 0.0) + HALF_AN_HOUR_S:
            yield f"storm: {agent.name} although {latest.fix} of {latest.agent} has not helped yet"

    def _paused(self, name: str) -> Iterator[str]:
        agent = self.world.agents.get(name)
        if self.world.paused or (agent is not None and agent.paused):
            yield f"kill switch: something is begun on {name}"

    def _remember(self, event: Event) -> None:
        match event:
            case FixStarted(reflex=False):
                self.acting[event.incident, event.attempt] = event
                self.done.append(event)
                key = event.agent, event.fix
                if key in self.on_trial:
                    self.on_trial[key] += 1
            case FixEnded():
                begun = self.acting.pop((event.incident, event.attempt), None)
                if begun is not None and event.outcome == "interrupted":  # what was cut short has tried nothing
                    self.on_trial[begun.agent, begun.fix] = 0
            case BreakerTried():
                then = self.world.agents[event.agent].breakers.get(event.fix)
                self.due[event.agent, event.fix] = then.retry_at if then is not None else 0.0
                self.on_trial[event.agent, event.fix] = 0
            case BreakerClosed() | BreakerOpened():
                self.due.pop((event.agent, event.fix), None)
            case Verified(outcome=outcome) if (attempt := self._attempt(event)) is not None:
                self.on_trial.pop((attempt.agent, attempt.fix), None)
                if outcome == "succeeded" and not attempt.reflex:
                    self.helped[attempt.agent] = event.at
            case HealingPaused(agent=scope):
                for place, one in self.acting.items():
                    if scope in (None, one.agent) and self.limits.fixes[one.fix].stoppable:
                        self.to_end_by.setdefault(place, event.at + 1.0)
            case _:
                pass

    def _attempt(self, event: Verified) -> Attempt | None:
        attempts = self.world.incidents[event.incident].attempts
        return next((one for one in attempts if one.number == event.attempt), None)


def broken_rules(trace: Sequence[Event], begun: Sequence[Begun], limits: Limits) -> list[str]:
    """Say what was done that should not have been; empty where all was as it should be."""
    judge = Judge(limits)
    broken = [f"{why} (event {number})" for number, event in enumerate(trace) for why in judge.judge(event)]
    broken += [
        f"durable intent: {one.fix} was begun with {one.synced} durable, and its intent is {one.intent}"
        for one in begun
        if not one.repeatable and one.synced < one.intent
    ]
    return broken


def _is_local(agent: Agent) -> bool:
    return (agent.has_process and agent.run is None) or any(one.local for one in agent.failing.values())


def _is_down(world: World, name: str) -> bool:
    known = world.agents.get(name)
    return known is not None and not known.at_rest and not known.well


def _failed_until(world: World, incident: Incident, agent: str, fix: str, cause: str) -> float:
    """Until when a fix is not to be repeated on an agent against what is the cause now."""
    until = 0.0
    for other in world.incidents.values():
        for one in other.attempts:
            same = (one.agent, one.fix, one.cause or other.cause) == (agent, fix, cause)
            lasting = one.outcome != "relapsed" or other.id == incident.id
            if same and one.in_vain and lasting and one.verified_at is not None:
                until = max(until, one.verified_at + HALF_AN_HOUR_S)
    return until
