"""What does the supervisor need to know about starting processes, and about their ends?

The contract between the two. `posix.py` keeps it with the processes of this machine, the rehearsal with simulated ones.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from selfheal.kinds import Run
from selfheal.vitals import Standing
from selfheal.vocabulary import StandbyKind, StartWay


@dataclass(frozen=True, slots=True)
class Standby:
    """What shall wait to be the next run, and which modules it imports before; none named, it finds that out."""

    kind: StandbyKind
    imports: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that a start needs, built once per configuration. Paths are absolute, `environment` is complete.

    The process appends its output and its errors to `log` itself: a pipe would die with us. `max_fds` is held to our
    own hard limit where we may not raise it. `umask` is octal text. `memory` in bytes and `cores` are held where this
    machine lets us; `limits` of a launcher says what is. `most_fds` is what `max_fds` may be raised to as it runs: room
    that only root could give later.
    """

    agent: str
    argv: tuple[str, ...]
    directory: Path
    environment: Mapping[str, str]
    log: Path
    user: str | None = None
    max_fds: int | None = None
    dies_with_daemon: bool = False
    nice: int | None = None
    umask: str | None = None
    memory: int | None = None
    cores: float | None = None
    standby: Standby | None = None
    most_fds: int | None = None

    @property
    def limits(self) -> tuple[int | None, float | None]:
        """What a run that goes on can be held within: all else of a launch is for its start alone."""
        return self.memory, self.cores

    def starts_as(self, other: Launch) -> bool:
        """Whether the two start a process in the same way, whatever it may use and whatever waits beside it."""
        alike = replace(self, memory=other.memory, cores=other.cores, standby=other.standby, most_fds=other.most_fds)
        return alike == other


@dataclass(frozen=True, slots=True)
class Exit:
    """How a run ended. Both are None where that is unknown: an adopted process is no child of ours."""

    code: int | None
    signal: int | None

    @property
    def clean(self) -> bool:
        return self.code == 0

    def __str__(self) -> str:
        if self.code is not None:
            return f"exit code {self.code}"
        if self.signal is None:
            return "ended in a way that is not known"
        try:
            return f"killed by {signal.Signals(self.signal).name}"
        except ValueError:  # the real-time signals have no names
            return f"killed by signal {self.signal}"


class Process(Protocol):
    """A running agent, its process group, and what has left that."""

    @property
    def run(self) -> Run: ...

    @property
    def how(self) -> StartWay:
        """How it came to its first line."""
        ...

    def signal_group(self, signal: int) -> None:
        """Send `signal` to the whole process group. One that has vanished is no error."""
        ...

    def group_alive(self) -> bool:
        """Whether any process of the group still runs code."""
        ...

    @property
    def adopted(self) -> bool:
        """Whether an earlier daemon started it: then its strays are no children of ours."""
        ...

    def signal_strays(self, signal: int) -> bool:
        """Send `signal` to all that it started and that left its group; returns whether there was any.

        Quick, and blind where it is adopted: then `find_strays` sees them. What they start meanwhile is found by the
        next call.
        """
        ...

    def signal_main(self, signal: int) -> str:
        """Send `signal` to the process itself, and to nobody that it has started, where it catches that.

        Returns why it was not sent; empty where it was.
        """
        ...

    def allow_files(self, count: int) -> tuple[int, int]:
        """Let it and all that it has started open so many files each, as it runs, where this machine lets us.

        Returns how many it may open now, and how many one that is started with this limit could.
        """
        ...

    def helpers(self) -> Sequence[int]:
        """The pids of all that it has started, in its group or not: quick, and so blind to an adopted one's orphans."""
        ...

    async def find_strays(self) -> list[Run]:
        """All that it, or an earlier run of its agent, started, in its group or not: a look at the whole machine."""
        ...


OnExit = Callable[[Process, Exit], None]
OnStandby = Callable[[Standing], None]
"""Takes a standby as it is now, whenever one is on its way, becomes ready or fails."""
Hear = Callable[[str, int, Mapping[str, str]], None]
"""Takes an agent, the generation of its run, and what that said by systemd's protocol, by name."""


class Launcher(Protocol):
    """Starts and adopts processes. `on_exit` is called once, in the event loop, never before the call returns."""

    def listen(self, hear: Hear) -> None:
        """Hear what agents say by sd_notify. What is started from now on finds NOTIFY_SOCKET in its environment."""
        ...

    def spawn(self, launch: Launch, generation: int, on_exit: OnExit) -> Process:
        """Start a process, or let one that stands by for just this launch begin. Raises SpawnFailed."""
        ...

    def stand_by(self, launch: Launch, on_change: OnStandby) -> None:
        """Have the next run of an agent wait with its imports done, if it shall and does not already."""
        ...

    def stand_down(self, agent: str) -> None:
        """End what stands by for an agent. It is told no more of."""
        ...

    def limit(self, run: Run, launch: Launch) -> None:
        """Hold a run that goes on within the memory and the cores of another `launch`, where this machine lets us."""
        ...

    def adopt(self, run: Run, agent: str, on_exit: OnExit) -> Process | None:
        """Watch a process of an earlier daemon; None where it is gone, or the pid is another's by now."""
        ...

    def leftovers(self) -> list[tuple[str, Run]]:
        """Live session leaders that daemons of this state directory started, with their agents, oldest first."""
        ...

    async def strays(self) -> list[tuple[str, Run]]:
        """Every live process that an agent of this state directory is or has started, in whatever group.

        A look at the whole machine.
        """
        ...

    def owner(self, pid: int) -> tuple[str, int] | None:
        """The agent, and the generation, that a process belongs to; None where it is none of ours."""
        ...

    def reap(self) -> None:
        """Bury what has ended and nobody waits for. To be called now and then."""
        ...

    def close(self) -> None:
        """Stop watching. The processes live on."""
        ...
