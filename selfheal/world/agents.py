"""What is known of each agent, and how does an event about it change that?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from selfheal.events import (
    AgentDeclared,
    AgentEvent,
    AgentExited,
    AgentFinished,
    AgentHeld,
    AgentReady,
    AgentReleased,
    AgentRemoved,
    AgentStarted,
    AgentStartFailed,
    BreakerClosed,
    BreakerOpened,
    BreakerTried,
    CheckBroke,
    CheckMended,
    FailedOver,
    FilesChanged,
    FlappingBegan,
    FlappingOver,
    HealthChanged,
    LimitLowered,
    LimitRaised,
    MaintenanceBegan,
    MaintenanceOver,
    RestartDelayed,
    Run,
    RunScheduled,
    StandbyFailed,
    StartAsked,
    StopAsked,
)
from selfheal.vocabulary import AgentState, CheckResult, Layer, Limit, StartReason
from selfheal.world.breakers import Breaker, Spell, spells, turned
from selfheal.world.deaths import Deaths
from selfheal.world.limits import Raised, limited
from selfheal.world.uptime import Uptime

HOUR_S = 3600.0
# Enough to see any budget of attempts per hour that makes sense, and bounded where the budget is off.
RECENT_STARTS = 64
# A run shorter than this counts towards a crash loop.
SHORT_RUN_S = 10.0
CRASH_REASONS: frozenset[StartReason] = frozenset({"reflex", "backoff", "trial", "fix"})
# Starts that say nothing about the agent: they do not count as restarts of it.
ORDERED_REASONS: frozenset[StartReason] = frozenset({"first", "adopted", "person", "schedule", "reload"})


@dataclass(frozen=True, slots=True)
class Failing:
    """A check that has settled on failure, as in `HealthChanged`."""

    check: str
    result: CheckResult
    reason: str
    since: float
    local: bool = False
    cause: str = ""


@dataclass(frozen=True, slots=True)
class LastExit:
    """How the latest run ended. What it wrote is its log from `log_begin` to `log_end`, while nothing is cut off."""

    at: float
    code: int | None
    signal: int | None
    ran_s: float
    expected: bool
    log_end: int
    log_begin: int = 0


@dataclass(frozen=True, slots=True)
class Agent:
    """Everything known of one agent. `state` is derived from the rest, and `since` is when it last changed.

    `ordered_by` is the person whose word made it `wanted`, or not, at `ordered_at`; nobody's where it is empty.
    `failing` are the checks that have settled on failure, `broken` those that cannot run, with the reason, `unsure`
    those of them whose failure may be our own, `flapping` those that keep changing sides. `next_run`
    is when the next run is due of an agent that has a `schedule`. `held_for` is the data agent whose data are put
    right while this one must not write them. `memory_limit` and `fds_limit` are in force; where they were `raised`, the
    file says less. `spells` are when breakers were not closed, for who foresees.
    """

    name: str
    kind: str = "process"
    layer: Layer = "application"
    depends_on: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    implicit: tuple[str, ...] = ()
    has_process: bool = True
    memory_limit: int | None = None
    fds_limit: int | None = None
    ends: bool = False
    schedule: str = ""
    hosts: tuple[str, ...] = ()
    version: str = ""
    signal_limits: tuple[tuple[str, float], ...] = ()
    changed: tuple[str, ...] = ()
    stand_in: str = ""
    next_run: float | None = None
    state: AgentState = "stopped"
    since: float = 0.0
    wanted: bool = True
    ordered_by: str = ""
    ordered_at: float = 0.0
    finished: bool = False
    run: Run | None = None
    generation: int = 0
    log_begin: int = 0
    ready: bool = False
    restarts: int = 0
    start_error: str = ""
    start_cause: str = ""
    last_exit: LastExit | None = None
    failing: Mapping[str, Failing] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    unsure: frozenset[str] = frozenset()
    flapping: frozenset[str] = frozenset()
    delayed_until: float | None = None
    recent_starts: tuple[float, ...] = ()
    short_runs: int = 0
    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    spells: tuple[Spell, ...] = ()
    fixing: bool = False
    paused: bool = False
    maintenance_until: float | None = None
    held_for: str = ""
    raised: Mapping[Limit, Raised] = field(default_factory=dict)
    uptime: Uptime = Uptime()
    deaths: Deaths = Deaths()

    @property
    def breaker(self) -> Breaker:
        """The breaker of its restart."""
        return self.breakers.get("restart", Breaker())

    @property
    def well(self) -> bool:
        return self.state in ("healthy", "degraded") and not self.failing

    @property
    def telling(self) -> tuple[str, ...]:
        """The checks by which it can be known how it is: those that are not broken, unless all are."""
        return tuple(check for check in self.checks if check not in self.broken) or self.checks

    @property
    def died(self) -> bool:
        """Whether its latest run has ended, and not because we ended it."""
        return self.run is None and self.last_exit is not None and not self.last_exit.expected

    @property
    def touchable(self) -> bool:
        """Whether it runs, and may be restarted without a look at its own troubles."""
        held = self.paused or self.fixing or bool(self.held_for) or self.maintenance_until is not None
        return self.wanted and self.run is not None and not held and self.breaker.state == "closed"

    @property
    def at_rest(self) -> bool:
        """Whether nothing of it shall run now: its work is done, or its time has not come. A failed run is no rest."""
        failed = self.died or bool(self.start_error)
        return self.finished or (bool(self.schedule) and self.run is None and not failed)

    @property
    def down(self) -> bool:
        """It is wanted, and it is not there for those who depend on it."""
        return self.wanted and not self.at_rest and not self.well


def fold_agent(agent: Agent, event: AgentEvent) -> Agent:
    """Return the agent after `event`; its state is derived anew."""
    deaths = agent.deaths.after(event, agent.run, ends=agent.ends)
    now = replace(settled(_changed(agent, event), event.at), deaths=deaths)
    if isinstance(event, HealthChanged) and not event.ok:
        return replace(now, uptime=now.uptime.taken_back(event.since))
    return now


def settled(agent: Agent, at: float) -> Agent:
    """Return the agent with the state that follows from its facts, its uptime counted up to `at`."""
    uptime = uptime_until(agent, at)
    state = _state(agent)
    if state == agent.state:
        return replace(agent, uptime=uptime)
    return replace(agent, uptime=uptime, state=state, since=at)


def _state(agent: Agent) -> AgentState:
    if not agent.wanted or agent.finished:
        return "stopped"
    if agent.maintenance_until is not None:
        return "maintenance"
    if agent.breaker.state == "open":
        return "quarantined"
    if agent.fixing or agent.held_for or agent.delayed_until is not None:
        return "recovering"
    if agent.has_process and agent.run is None:
        return _without_process(agent)
    if agent.start_error:
        return "unhealthy"
    if agent.failing:
        return _by_failing(agent)
    if not agent.ready:
        return "starting"
    return "degraded" if agent.broken else "healthy"


def _by_failing(agent: Agent) -> AgentState:
    """Its own process is wrong, or every check that was configured has fallen: else it serves in part."""
    configured = set(agent.checks) - set(agent.implicit)
    local = any(failing.local for failing in agent.failing.values())
    return "unhealthy" if local or configured <= agent.failing.keys() else "degraded"


def _without_process(agent: Agent) -> AgentState:
    if agent.schedule:
        return "stopped"  # between two runs, however the last one went: nobody wants it up then
    if agent.start_error:
        return "unhealthy"
    if agent.last_exit is None:
        return "starting"
    return "stopped" if agent.last_exit.expected else "unhealthy"


def uptime_until(agent: Agent, at: float) -> Uptime:
    """Count the time since the last event into uptime, by the state that held until now."""
    wanted = agent.state not in ("stopped", "maintenance")
    return agent.uptime.counted(at, wanted=wanted, healthy=agent.state == "healthy")


def _changed(agent: Agent, event: AgentEvent) -> Agent:
    match event:
        case AgentDeclared():
            return _declared(agent, event)
        case AgentRemoved() | StandbyFailed():
            return agent
        case StopAsked(by=by, at=at):
            return replace(agent, wanted=False, ordered_by=by, ordered_at=at, delayed_until=None)
        case FailedOver(to=to, at=at):
            word = f"selfheal, since {to} stands in"
            return replace(agent, wanted=False, stand_in=to, ordered_by=word, ordered_at=at, delayed_until=None)
        case StartAsked(by=by, at=at):
            ordered = replace(agent, wanted=True, ordered_by=by, ordered_at=at, finished=False, stand_in="")
            return replace(_barred(ordered, {}, at), recent_starts=(), short_runs=0)
        case AgentStarted():
            return _started(agent, event)
        case AgentStartFailed(error=error, cause=cause):
            return replace(agent, start_error=error, start_cause=cause, delayed_until=None)
        case AgentReady(generation=generation):
            return replace(agent, ready=True) if generation == agent.generation else agent
        case AgentExited():
            return _exited(agent, event)
        case AgentFinished():
            return replace(agent, finished=True, delayed_until=None, failing={})
        case RunScheduled(due_at=due_at):
            return replace(agent, next_run=due_at)
        case RestartDelayed(due_at=due_at):
            return replace(agent, delayed_until=due_at)
        case BreakerOpened() | BreakerTried() | BreakerClosed():
            return _broken(agent, event)
        case MaintenanceBegan(until=until):
            return replace(agent, maintenance_until=until)
        case MaintenanceOver():
            return replace(agent, maintenance_until=None)
        case AgentHeld(data=data):
            return replace(agent, held_for=data, delayed_until=None)
        case AgentReleased():
            return replace(agent, held_for="")
        case LimitRaised() | LimitLowered():
            return _limited(agent, event)
        case HealthChanged():
            return _health(agent, event)
        case CheckBroke(check=check, reason=reason):
            unsure = agent.unsure | {check} if event.unsure else agent.unsure - {check}
            return replace(agent, broken={**agent.broken, check: reason}, unsure=unsure)
        case CheckMended(check=check):
            broken = {name: why for name, why in agent.broken.items() if name != check}
            return replace(agent, broken=broken, unsure=agent.unsure - {check})
        case FlappingBegan(check=check):
            return replace(agent, flapping=agent.flapping | {check})
        case FilesChanged(files=files):
            return replace(agent, changed=files)
        case FlappingOver(check=check):
            return replace(agent, flapping=agent.flapping - {check})
        case _:
            assert_never(event)


def _declared(agent: Agent, event: AgentDeclared) -> Agent:
    return replace(
        agent,
        kind=event.kind,
        layer=event.layer,
        depends_on=event.depends_on,
        checks=event.checks,
        implicit=event.implicit,
        has_process=event.has_process,
        memory_limit=event.memory_limit,
        fds_limit=event.fds_limit,
        ends=event.ends,
        schedule=event.schedule,
        hosts=event.hosts,
        version=event.version,
        signal_limits=event.signal_limits,
        next_run=agent.next_run if event.schedule == agent.schedule else None,
        ready=agent.ready or not (event.has_process or event.checks),
        failing={name: failing for name, failing in agent.failing.items() if name in event.checks},
        broken={name: why for name, why in agent.broken.items() if name in event.checks},
        unsure=agent.unsure & set(event.checks),
        flapping=agent.flapping & set(event.checks),
    )


def _started(agent: Agent, event: AgentStarted) -> Agent:
    recent = agent.recent_starts
    if event.reason in CRASH_REASONS:
        recent = (*(at for at in recent if at > event.at - HOUR_S), event.at)[-RECENT_STARTS:]
    # Where it is not told, between two runs nobody writes: a log begins where that of the run before ended. What is
    # adopted goes on.
    begin = event.log_begin
    if begin is None:
        begin = agent.last_exit.log_end if agent.last_exit else 0
    return replace(
        agent,
        run=event.run,
        generation=event.run.generation,
        log_begin=agent.log_begin if event.reason == "adopted" else begin,
        ready=False,
        finished=False,
        start_error="",
        start_cause="",
        failing={},
        delayed_until=None,
        recent_starts=recent,
        restarts=agent.restarts + (event.reason not in ORDERED_REASONS),
    )


def _exited(agent: Agent, event: AgentExited) -> Agent:
    if event.generation != agent.generation:
        return agent
    ended = LastExit(event.at, event.code, event.signal, event.ran_s, event.expected, event.log_end, agent.log_begin)
    short = agent.short_runs + 1 if event.ran_s < SHORT_RUN_S and not event.expected else 0
    return replace(agent, run=None, ready=False, last_exit=ended, short_runs=short)


def _broken(agent: Agent, event: BreakerOpened | BreakerTried | BreakerClosed) -> Agent:
    now = _barred(agent, turned(agent.breakers, event), event.at)
    if isinstance(event, BreakerClosed):
        return replace(now, recent_starts=(), short_runs=0)
    return replace(now, delayed_until=None)


def _barred(agent: Agent, breakers: Mapping[str, Breaker], at: float) -> Agent:
    return replace(agent, breakers=breakers, spells=spells(agent.spells, breakers, at))


def _limited(agent: Agent, event: LimitRaised | LimitLowered) -> Agent:
    agent = replace(agent, raised=limited(agent.raised, event))
    if event.limit == "memory":
        return replace(agent, memory_limit=event.value)
    return replace(agent, fds_limit=event.value)


def _health(agent: Agent, event: HealthChanged) -> Agent:
    others = {name: failing for name, failing in agent.failing.items() if name != event.check}
    if event.ok:
        return replace(agent, failing=others)
    seen = Failing(event.check, event.result, event.reason, event.since, event.local, event.cause)
    return replace(agent, failing={**others, event.check: seen})
