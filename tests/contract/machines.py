"""The two machines that the contract of `supervise.launcher` is held against, and what a test does with either."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from selfheal.clock import Clock
from selfheal.kinds import Run
from selfheal.rehearse.machine import Program, SimulatedMachine
from selfheal.rehearse.virtual import VirtualClock, VirtualLoop
from selfheal.supervise import marks, proc
from selfheal.supervise.launcher import Exit, Launch, Launcher, Process
from selfheal.supervise.posix import PosixLauncher
from tests.real.processes import CLOCK, ENVIRONMENT

SLEEPS, ENDS, IGNORES_TERM, MISSING, RELOADS = "sleeps", "ends with 3", "ignores TERM", "is missing", "reloads"


class World(Protocol):
    """A machine to start processes on. An agent's name says how its program behaves: the words above."""

    @property
    def clock(self) -> Clock: ...

    @property
    def launcher(self) -> Launcher: ...

    def launch(self, agent: str) -> Launch: ...

    def orphan(self, agent: str, generation: int) -> Run:
        """A process as a dead daemon of the same state directory leaves it."""
        ...

    async def up(self, process: Process) -> None:
        """Wait until the program behaves as it shall."""
        ...

    async def halted(self, process: Process) -> None:
        """Wait until SIGSTOP has taken hold: until then, a signal of a lower number overtakes it."""
        ...

    def reloaded(self) -> bool:
        """Whether the program that reloads has done so."""
        ...

    def reap(self, process: Process) -> None:
        """Do for an ended child what its launcher, which is closed, no longer does."""
        ...


class Real:
    """Processes of this machine."""

    def __init__(self, folder: Path) -> None:
        self.scripts = {
            SLEEPS: "echo up; exec sleep 60",
            ENDS: "exit 3",
            IGNORES_TERM: "trap '' TERM; echo up; while :; do sleep 60; done",
            RELOADS: "trap 'touch reloaded' USR1; echo up; while :; do sleep 0.01; done",
        }
        self.clock = CLOCK
        self.folder = folder
        self.launcher = PosixLauncher(asyncio.get_running_loop(), CLOCK, str(folder))

    def launch(self, agent: str) -> Launch:
        argv = ("no-such-program",) if agent == MISSING else ("sh", "-c", self.scripts[agent])
        return Launch(agent, argv, self.folder, ENVIRONMENT, self.folder / "logs" / f"{agent}.log")

    def orphan(self, agent: str, generation: int) -> Run:
        start = "import subprocess,sys; print(subprocess.Popen(sys.argv[1:], start_new_session=True, stdout=2).pid)"
        environment = {**ENVIRONMENT, marks.VARIABLE: marks.mark(str(self.folder), agent, generation)}
        made = subprocess.run(
            [sys.executable, "-c", start, "sleep", "60"],
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            timeout=10,
        )
        return Run(int(made.stdout), generation, 0.0, *proc.identity(int(made.stdout)))

    async def up(self, process: Process) -> None:
        await until(self.clock, lambda: any("up" in log.read_text() for log in self.folder.glob("logs/*.log")))

    async def halted(self, process: Process) -> None:
        await until(self.clock, lambda: proc.state(process.run.pid) == "T")

    def reloaded(self) -> bool:
        return (self.folder / "reloaded").exists()

    def reap(self, process: Process) -> None:
        os.waitpid(process.run.pid, 0)


class Simulated:
    """Processes that are none."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = VirtualClock(loop)
        programs = {
            SLEEPS: Program(),
            ENDS: Program(dies_after_s=0.2, exit_code=3),
            IGNORES_TERM: Program(ignores_term=True),
            RELOADS: Program(handlers={signal.SIGUSR1: lambda: self.reloads.append(RELOADS)}),
            MISSING: Program(missing=True),
        }
        self.reloads: list[str] = []
        self.machine = SimulatedMachine(loop, self.clock, programs)
        self.launcher = self.machine.launcher()

    def launch(self, agent: str) -> Launch:
        return Launch(agent, (agent,), Path(), {}, Path("no.log"))

    def orphan(self, agent: str, generation: int) -> Run:
        earlier = self.machine.launcher()
        run = earlier.spawn(self.launch(agent), generation, lambda process, end: None).run
        earlier.sever()
        return run

    async def up(self, process: Process) -> None: ...

    async def halted(self, process: Process) -> None: ...

    def reloaded(self) -> bool:
        return bool(self.reloads)

    def reap(self, process: Process) -> None: ...


async def until(clock: Clock, condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await clock.sleep(0.002)


class Yard:
    """A world, and all that its launcher has told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.launcher = world.launcher
        self.told: list[tuple[Process, Exit]] = []

    def spawn(self, agent: str, generation: int = 1) -> Process:
        return self.launcher.spawn(self.world.launch(agent), generation, self.ended)

    def ended(self, process: Process, end: Exit) -> None:
        self.told.append((process, end))

    async def end_of(self, process: Process) -> Exit:
        await self.until(lambda: any(one is process for one, _ in self.told))
        (end,) = [end for one, end in self.told if one is process]
        return end

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(self.world.clock, condition)

    async def up(self, agent: str) -> Process:
        process = self.spawn(agent)
        await self.world.up(process)
        return process


@asynccontextmanager
async def cleared(yard: Yard) -> AsyncIterator[Yard]:
    """Leave nothing running."""
    try:
        yield yard
    finally:
        for agent, run in yard.launcher.leftovers():
            process = yard.launcher.adopt(run, agent, lambda process, end: None)
            if process is not None:
                process.signal_group(signal.SIGKILL)
        await yard.until(lambda: yard.launcher.leftovers() == [])
        yard.launcher.close()
