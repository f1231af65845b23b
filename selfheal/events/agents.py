"""What can happen to an agent?"""

from __future__ import annotations

from dataclasses import dataclass

from selfheal.vocabulary import CheckResult, Layer, Limit, StandbyKind, StartReason, StartWay


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an agent's process. `started_at` is wall time; `start_ticks` and `boot_id` tell it from any later
    process that was given the same pid.
    """

    pid: int
    generation: int
    started_at: float
    start_ticks: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class AgentDeclared:
    """An agent stands in the configuration, new or changed. `memory_limit` is bytes. `ends` says that its runs come to
    an end by themselves, and `schedule` when they begin, in words of cron and a time zone.

    `implicit` are those of its checks that nobody configured: they are asked, and alone do not make it well.
    `signal_limits` are what the user's own signals may reach.
    """

    at: float
    agent: str
    kind: str
    layer: Layer
    depends_on: tuple[str, ...]
    checks: tuple[str, ...]
    has_process: bool
    memory_limit: int | None = None
    fds_limit: int | None = None
    implicit: tuple[str, ...] = ()
    ends: bool = False
    schedule: str = ""
    hosts: tuple[str, ...] = ()
    version: str = ""
    signal_limits: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class AgentRemoved:
    at: float
    agent: str


@dataclass(frozen=True, slots=True)
class StopAsked:
    """A person wants the agent to be stopped, until a person wants it started."""

    at: float
    agent: str
    by: str


@dataclass(frozen=True, slots=True)
class StartAsked:
    at: float
    agent: str
    by: str


@dataclass(frozen=True, slots=True)
class AgentStarted:
    """A run began. `log_begin` is the size of its log before it; None where that is not known.

    `how` says whether it began anew or in a process that had waited for it.
    """

    at: float
    agent: str
    run: Run
    reason: StartReason
    log_begin: int | None = None
    how: StartWay = "cold"


@dataclass(frozen=True, slots=True)
class AgentStartFailed:
    """The program could not be started, or was not ready in time. `cause` is a slug of the vocabulary."""

    at: float
    agent: str
    error: str
    cause: str


@dataclass(frozen=True, slots=True)
class StandbyFailed:
    """No standby can be had of an agent for now, and why: it starts anew, as those do that have none."""

    at: float
    agent: str
    standby: StandbyKind
    why: str


@dataclass(frozen=True, slots=True)
class AgentReady:
    """A run is ready for work; of an agent without a process, each check that works has found it well once."""

    at: float
    agent: str
    generation: int
    took_s: float


@dataclass(frozen=True, slots=True)
class AgentExited:
    """A run ended. Code and signal are both None where they cannot be known. `expected` means that we stopped it;
    `log_end` is the size of its log at that moment, so that evidence ends where the run did.
    """

    at: float
    agent: str
    generation: int
    pid: int
    code: int | None
    signal: int | None
    ran_s: float
    expected: bool
    log_end: int = 0


@dataclass(frozen=True, slots=True)
class AgentFinished:
    """A run ended and none shall follow, as its restart policy says."""

    at: float
    agent: str


@dataclass(frozen=True, slots=True)
class RunScheduled:
    """The next run begins at `due_at`. `left_out` says why the one that was due was not begun; empty where it was."""

    at: float
    agent: str
    due_at: float
    left_out: str = ""


@dataclass(frozen=True, slots=True)
class RestartDelayed:
    """The reflex waits: the next run begins at `due_at`."""

    at: float
    agent: str
    due_at: float
    why: str


@dataclass(frozen=True, slots=True)
class BreakerOpened:
    """What was tried does not help: `fix` is not repeated on this agent before `retry_at`."""

    at: float
    agent: str
    fix: str
    retry_at: float
    why: str


@dataclass(frozen=True, slots=True)
class BreakerTried:
    """An open breaker lets one trial through."""

    at: float
    agent: str
    fix: str


@dataclass(frozen=True, slots=True)
class BreakerClosed:
    at: float
    agent: str
    fix: str
    why: str


@dataclass(frozen=True, slots=True)
class MaintenanceBegan:
    at: float
    agent: str
    until: float


@dataclass(frozen=True, slots=True)
class MaintenanceOver:
    at: float
    agent: str


@dataclass(frozen=True, slots=True)
class AgentHeld:
    """It is stopped, and stays so, while the data of `data` are put right; written down before it is stopped."""

    at: float
    agent: str
    data: str


@dataclass(frozen=True, slots=True)
class AgentReleased:
    """Nothing is done to the data that it writes any more: it may run."""

    at: float
    agent: str
    data: str


@dataclass(frozen=True, slots=True)
class LimitRaised:
    """From its next start on, and now where that can be, the agent may use as much as `value`, whatever the file says.

    `configured` is what that says; where it says something else, this is over.
    """

    at: float
    agent: str
    limit: Limit
    value: int
    configured: int
    incident: str = ""


@dataclass(frozen=True, slots=True)
class LimitLowered:
    """A limit that was raised is `value` again; None where there is none any more.

    `undone` says that it was taken back, else the file has overruled it; `in_vain` that it was in force and did not
    help: the next one goes further.
    """

    at: float
    agent: str
    limit: Limit
    value: int | None
    undone: bool
    in_vain: bool
    why: str


@dataclass(frozen=True, slots=True)
class FailedOver:
    """Another agent has its place, until a person starts it again."""

    at: float
    agent: str
    to: str


@dataclass(frozen=True, slots=True)
class FilesChanged:
    """These files of its configuration are not what they were when it was last well; none where all are."""

    at: float
    agent: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """A check of an agent settled on the other side. `since` is when the first of the observations was made.

    `local` says that the check looks at the agent's own process: no trouble of a dependency explains its failure.
    `cause` is what the check itself takes for the cause, a slug of the vocabulary, where it knows.
    """

    at: float
    agent: str
    check: str
    ok: bool
    result: CheckResult
    reason: str
    since: float
    local: bool = False
    cause: str = ""


@dataclass(frozen=True, slots=True)
class CheckBroke:
    """A check cannot run, again and again: nothing is known by it any more, and nothing is done because of that.

    `unsure` says that it does run, and that what it finds may be our own failure.
    """

    at: float
    agent: str
    check: str
    reason: str
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class CheckMended:
    """A check that was broken has given a real answer, good or bad."""

    at: float
    agent: str
    check: str


@dataclass(frozen=True, slots=True)
class FlappingBegan:
    """A check keeps changing between well and failed. `share` is how much of its latest results were such changes."""

    at: float
    agent: str
    check: str
    share: float


@dataclass(frozen=True, slots=True)
class FlappingOver:
    """A check that was flapping stays on one side."""

    at: float
    agent: str
    check: str


AgentEvent = (
    AgentDeclared
    | AgentRemoved
    | StopAsked
    | StartAsked
    | AgentStarted
    | AgentStartFailed
    | StandbyFailed
    | AgentReady
    | AgentExited
    | AgentFinished
    | RunScheduled
    | RestartDelayed
    | BreakerOpened
    | BreakerTried
    | BreakerClosed
    | MaintenanceBegan
    | MaintenanceOver
    | AgentHeld
    | AgentReleased
    | LimitRaised
    | LimitLowered
    | FailedOver
    | FilesChanged
    | HealthChanged
    | CheckBroke
    | CheckMended
    | FlappingBegan
    | FlappingOver
)
