"""How is selfheal extended?

The protocols behind which checks, agent kinds, fixes and notifiers stand, and what they are given to work with. Each
room's `__init__` holds its registry, an explicit ordered tuple; `daemon.py` joins them. A new kind is one file there
and one line in the tuple.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from selfheal.clock import Clock
from selfheal.config.models import AgentConfig, CheckConfig, Section
from selfheal.data.asset import Health
from selfheal.events import Run as Run
from selfheal.hands import CallHttp as CallHttp
from selfheal.hands import Hands as Hands
from selfheal.hands import HttpAnswer as HttpAnswer
from selfheal.hands import HttpCall as HttpCall
from selfheal.vocabulary import CheckResult, Layer, Mode, ServiceState, StartReason, Tier
from selfheal.world import Agent, World

if TYPE_CHECKING:
    from selfheal.net import Dialer


@dataclass(frozen=True, slots=True)
class AgentKind:
    """A kind of agent: its configuration, its layer, and the built-in fixes that fit it, in order of preference."""

    name: str
    model: type[AgentConfig]
    layer: Layer
    fixes: tuple[str, ...]


# --- checks --------------------------------------------------------------------------------------------------------


class Observation(msgspec.Struct, frozen=True):
    """What one run of a check saw. `at` is wall time of its start, `took_s` how long it ran.

    `cause` is a slug of the vocabulary where the check that failed knows it. There are thousands a second of them, and
    a struct is made in a fifth of the time that a dataclass takes.
    """

    agent: str
    check: str
    at: float
    took_s: float
    result: CheckResult
    reason: str = ""
    signals: Mapping[str, float] = {}
    cause: str = ""

    @property
    def ok(self) -> bool:
        return self.result == "ok"


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended: exit code (negative: the signal), output and errors together, at most 64 KiB."""

    code: int
    output: str
    took_s: float


class RunCommand(Protocol):
    """Run a program to its end without a shell. Its whole process group is killed at the timeout or on cancellation."""

    async def __call__(
        self, argv: tuple[str, ...], *, directory: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Completed:
        """Raises SpawnFailed where it cannot be started, TimeoutError where it did not end in time."""
        ...


class Condition(msgspec.Struct, frozen=True):
    """How who runs a service says it is. `reason` and `cause`, a slug, are empty of one that is well."""

    state: ServiceState
    reason: str = ""
    cause: str = ""
    signals: Mapping[str, float] = {}


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What a check may use besides its configuration."""

    agent: str
    clock: Clock
    directory: Path
    environment: Mapping[str, str]
    dialer: Dialer
    run: Callable[[], Run | None]
    """The agent's process as it is now; None where there is none."""
    last_beat: Callable[[], float | None]
    """Wall time of the last sign of life that the agent gave by itself."""
    run_command: RunCommand
    helpers: Callable[[], Sequence[int]] = tuple
    """The pids of what that process has started and that still runs."""
    watched_since: float | None = None
    """For an agent that has no process of ours: wall time since when it is watched."""
    examine: Callable[[float, float, float], Awaitable[Health]] | None = None
    """For an agent that is data: how they are, by a quick look. Takes how often every byte is read beside that, how
    long that may take, and how long the quick look may. Raises DataFailed.
    """
    look_at_service: Callable[[float], Awaitable[Condition]] | None = None
    """For an agent that Render runs: how it says that the service is, within so many seconds. Raises RenderFailed."""


class Check(Protocol):
    """One check of one agent."""

    async def run(self) -> Mapping[str, float]:
        """Ask once. Returns the signals seen, by name; raises CheckFailed where the agent is not well,
        with the cause where the check knows it: nobody reads it out of the words of the reason.

        The caller bounds the time and turns anything else that is raised into the result `error`.
        """
        ...


Tell = Callable[[Mapping[str, float], Exception | None], None]
"""Gets the signals, and what `run` would have raised, None where all is well."""


class Probe(Check, Protocol):
    """A check that is driven by callbacks: for what is asked thousands of times a second, without a task for each."""

    def ask(self, tell: Tell) -> None:
        """Ask once. `tell` is called exactly once, perhaps before this returns, unless it is given up.

        Never called while it is asked already.
        """
        ...

    def give_up(self) -> None:
        """Tell nothing of what is asked, and leave nothing open."""
        ...


@dataclass(frozen=True, slots=True)
class CheckKind:
    """A kind of check. `name` is its key in the configuration; its model has a field of that name.

    `local` says that it looks at the agent's own process: no trouble of a dependency explains its failure. `again_s`
    says by what a good answer has measured when it could no longer be good: it is asked again then, if not before.
    `signals` are the names of what it measures: of two checks of an agent that share one, the later has its own name
    before them.
    """

    name: str
    model: type[CheckConfig]
    build: Callable[[CheckConfig, CheckContext], Check]
    local: bool = False
    again_s: Callable[[CheckConfig, Mapping[str, float]], float] | None = None
    signals: tuple[str, ...] = ()


# --- fixes ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """What a fix is applied to, and against what. `dependents` depend on `agent` and suffer too, nearest first.

    `incident` is the same for each attempt: what an act makes under a name of it is found again by the next attempt.
    `settings` is what the fix is told about this agent, in its table under `healing`. `ahead` says that nothing has
    failed yet: there is time for what is gentle.
    """

    agent: str
    cause: str = "unknown"
    dependents: tuple[str, ...] = ()
    incident: str = ""
    settings: Section | None = None
    ahead: bool = False

    @property
    def reason(self) -> StartReason:
        """Why an agent is started by it: what is planned says nothing against the agent."""
        return "maintenance" if self.ahead else "fix"


Apply = Callable[[Hands, Target], Awaitable[str]]
"""Do something to a target; returns what was done, in words. Raises FixFailed where it does not work."""


@dataclass(frozen=True, slots=True)
class Act:
    """One of the acts that a fix consists of, in their order; `name` reads as what is done ("stop the writers").

    Each is written down before it is done. `repeatable` says that doing it twice, or in vain, does no harm: after a
    crash in its midst it is gone on with, while any other waits for a person. `approval` asks a person before it.
    `stoppable` says that it may be cut short in its midst where healing is paused: half of it does no harm.
    """

    name: str
    apply: Apply
    repeatable: bool = True
    approval: bool = False
    stoppable: bool = False


Unfit = Callable[[World, Agent], str]
Fits = Callable[[AgentConfig], bool]


@dataclass(frozen=True, slots=True)
class Fix:
    """Something that can be done to an agent.

    `cost_s` is how long it takes as a rule, verification apart; `risk_s` what it may cost beside that, in seconds of
    outage, and `tier` how bad the worst is that it may do: the more, the surer the cause has to be. `causes` are those
    that it helps against; empty means any. `only_its_causes` says that it is of no use, or does harm, against any
    other. `mode` is how far it goes by itself where nobody has said. `at_last` is done after the acts, however they
    ended; not after a crash, for then they are gone on with. `undo` takes back what they did, where it did not help;
    it may be done twice. `settings` is the model of what it has to be told: it fits the agents that have such a table.
    `fits` says which agents it fits besides, by their configuration, whatever their kind.
    `unfit` says why it cannot be applied as the fleet is at the moment, empty where it can. `useful_from` is, by those
    settings, the share of what is used up from which on there is anything for it to do.
    """

    name: str
    layer: Layer
    causes: frozenset[str]
    cost_s: float
    risk_s: float
    timeout_s: float
    acts: tuple[Act, ...]
    tier: Tier = 1
    mode: Mode = "auto"
    for_any_cause: bool = False
    only_its_causes: bool = False
    at_last: Act | None = None
    undo: Act | None = None
    settings: type[Section] | None = None
    fits: Fits = lambda agent: False
    unfit: Unfit = lambda world, agent: ""
    useful_from: Callable[[Section | None], float] = lambda settings: 0.0

    def repeats(self, act: str) -> bool:
        """Whether a fix that was interrupted in this act may be gone on with; with no act, in any of them."""
        return all(one.repeatable for one in self.acts if act in ("", one.name))


# --- notifiers -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should know. `key` is the same for the alert and its resolution.

    `asks` is the fix that a person is asked to allow or refuse, on the alert's agent and in its incident, since
    `asked_at`. `suspects` are causes, likeliest first, of which a person may say which one it was.
    """

    key: str
    at: float
    severity: str
    title: str
    text: str
    agent: str
    incident: str | None
    resolved: bool = False
    asks: str = ""
    asked_at: float = 0.0
    suspects: tuple[str, ...] = ()


class Notifier(Protocol):
    """A way to reach a person. `one_by_one` says that what is sent is read by a program: nothing is told together."""

    @property
    def name(self) -> str: ...

    @property
    def one_by_one(self) -> bool: ...

    async def send(self, alert: Alert, earlier: str) -> str:
        """Deliver, or raise: NotifyFailed says whether trying again can help.

        Returns what it calls what it has sent, empty where that can never be changed. `earlier` is what it called what
        it has sent last under this key: that may be changed instead of sending another.
        """
        ...


class NotifyFailed(Exception):
    """An alert was not delivered. `permanent` means that trying again cannot help."""

    def __init__(self, reason: str, *, permanent: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.retry_after_s = retry_after_s
