"""How does a daemon live where all outside of it is simulated? With ports over one machine, and without views."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

from selfheal.daemon import Daemon
from selfheal.kinds import Notifier
from selfheal.loops import Loop
from selfheal.net import Dialer
from selfheal.ports import Ports
from selfheal.rehearse.machine import SimulatedLauncher, SimulatedMachine, inline
from selfheal.rehearse.virtual import VirtualClock

_T = TypeVar("_T")


def outside(
    machine: SimulatedMachine,
    launcher: SimulatedLauncher,
    clock: VirtualClock,
    chance: Random,
    pid: int = 1,
    notifiers: tuple[Notifier, ...] = (),
    disk: Callable[[], float] = lambda: 0.5,
) -> Ports:
    """The ports of a daemon that holds `machine` by `launcher`; `disk` gives how full each disk is, from 0 to 1."""

    def work_of_the_living(work: Callable[[], _T], /) -> Awaitable[_T]:
        if launcher.severed:
            raise OSError("this daemon is dead")
        return inline(work)

    return Ports(
        pid=pid,
        clock=clock,
        chance=chance,
        environment=machine.calls.environment,
        agent_variables=lambda agent: {},
        checks=machine.checks(),
        launcher=launcher,
        dialer=Dialer(),
        run_command=machine.run_command,
        run_fix=machine.run_command,
        call_http=machine.calls.call_http,
        run_job=machine.data.run_job,
        probe_http=machine.probe,
        probe_tcp=machine.probe,
        run_in_thread=work_of_the_living,
        disk_used=lambda path: disk(),
        stolen=lambda: (0.0, 0.0),
        listeners=lambda port: (),
        notifiers=notifiers,
        renewed=lambda config: notifiers,
        render=machine.calls.render,
        model=machine.calls.model,
        learner=machine.calls.learner,
    )


class NoViews(Daemon):
    """A daemon that writes no views and no history, and rotates no logs: nothing that is decided follows from them."""

    def loops(self) -> tuple[Loop, ...]:
        return tuple(loop for loop in super().loops() if loop.name not in ("save", "logs", "history"))


class Silent:
    """A log that keeps nothing."""

    def debug(self, event: str, /, **facts: object) -> None: ...
    def info(self, event: str, /, **facts: object) -> None: ...
    def warning(self, event: str, /, **facts: object) -> None: ...
    def error(self, event: str, /, **facts: object) -> None: ...
