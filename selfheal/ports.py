"""What does the daemon touch of the outside?

One value for all of it, so that the whole daemon runs over a simulated machine in virtual time with nothing changed.
"""

from __future__ import annotations

from array import array
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol, TypeVar

from selfheal.clock import Clock
from selfheal.config.models import Config
from selfheal.data.jobs import AnyJob
from selfheal.kinds import CallHttp, CheckKind, Notifier, RunCommand
from selfheal.ml.wire import (
    Fit,
    Fitted,
    Foretell,
    Foretold,
    NotFitted,
)
from selfheal.model.wire import Answer, Question
from selfheal.net import Dialer
from selfheal.render.api import RenderApi
from selfheal.supervise.launcher import Launcher
from selfheal.supervise.listeners import Listener
from selfheal.telemetry.systemd import ServiceManager

_T = TypeVar("_T")


class RunJob(Protocol):
    """Does jobs on data, beside the daemon."""

    async def __call__(self, job: AnyJob, answer: type[_T], environment: Mapping[str, str], timeout_s: float) -> _T:
        """Do a job and return its answer. Raises DataFailed where it cannot be done, or not in time."""
        ...


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """How language models are asked: `doors` are key and address of each provider for which there is a key."""

    ask: Callable[[Question], Awaitable[Answer]]
    doors: Mapping[str, tuple[str, str]]


class Learner(Protocol):
    """Learns what is usual of an agent, and what comes before a failure, beside the daemon."""

    async def fit(self, order: Fit) -> Fitted | NotFitted:
        """Do one order. Raises ChildFailed where it was not answered, Garbage where it cannot be sent."""
        ...

    async def foretell(self, order: Foretell) -> Foretold | NotFitted:
        """Have all that foretells failures learned, from simulated fleets and this one. Raises as `fit` does."""
        ...

    async def close(self) -> None:
        """End whatever it is done by."""
        ...


class RecallPoints(Protocol):
    """Every signal of an agent between two times, as finely as it is still kept."""

    def __call__(
        self, agent: str, since: float, until: float, /
    ) -> Awaitable[Mapping[str, tuple[array[float], array[float]]]]: ...


class RunInThread(Protocol):
    """Run blocking work beside the loop; in virtual time, in the loop itself."""

    def __call__(self, work: Callable[[], _T], /) -> Awaitable[_T]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The machine as the daemon sees it. `pid` and `environment` are the daemon's own.

    `agent_variables` says what a process of an agent, by name, finds in its environment besides its configuration.
    `stolen` gives the seconds of processor time that the machine took from its guests, and all seconds, since boot.
    `listeners` are the processes that listen on a port. `renewed` lets the outside follow a configuration that was read
    again; it returns the notifiers of that. `render` is Render's API and `model` the way to language models, None where
    there is no key for it; `learner` grows forests, None where nothing does.
    """

    pid: int
    clock: Clock
    chance: Random
    environment: Mapping[str, str]
    agent_variables: Callable[[str], Mapping[str, str]]
    checks: tuple[CheckKind, ...]
    launcher: Launcher
    dialer: Dialer
    run_command: RunCommand
    run_fix: RunCommand
    call_http: CallHttp
    run_job: RunJob
    probe_http: Callable[[str, float], Awaitable[None]]
    probe_tcp: Callable[[str, float], Awaitable[None]]
    run_in_thread: RunInThread
    disk_used: Callable[[Path], float]
    stolen: Callable[[], tuple[float, float]]
    listeners: Callable[[int], Sequence[Listener]]
    notifiers: tuple[Notifier, ...]
    renewed: Callable[[Config], tuple[Notifier, ...]]
    render: RenderApi | None = None
    model: ModelAccess | None = None
    learner: Learner | None = None
    manager: ServiceManager = field(default_factory=ServiceManager)
    inodes_used: Callable[[Path], float | None] = lambda path: None
