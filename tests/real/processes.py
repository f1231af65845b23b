"""How does a test start real processes, wait for what they do, and leave none behind?"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from selfheal.clock import RealClock
from selfheal.kinds import Run
from selfheal.supervise.launcher import Exit, Launch, Process
from selfheal.supervise.marks import Marked, find_marked
from selfheal.supervise.posix import PosixLauncher
from selfheal.supervise.standby import PREPARE_S
from selfheal.supervise.tree import kill_leftovers

ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
CLOCK = RealClock()


async def until(condition: Callable[[], bool], limit_s: float = 30.0) -> None:
    """Return as soon as the condition holds; fail where it does not within the limit."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await CLOCK.sleep(0.002)


@dataclass
class Yard:
    """A launcher, a folder for logs, and every exit that was told so far, by pid."""

    launcher: PosixLauncher
    folder: Path
    exits: dict[int, Exit] = field(default_factory=dict)
    started: list[Process] = field(default_factory=list)

    def launch(self, *argv: str, agent: str = "api", max_fds: int | None = None, user: str | None = None) -> Launch:
        log = self.folder / "logs" / f"{agent}.log"
        return Launch(agent, argv, self.folder, ENVIRONMENT, log, user=user, max_fds=max_fds)

    def start(self, *argv: str, agent: str = "api", generation: int = 1) -> Process:
        return self.spawn(self.launch(*argv, agent=agent), generation)

    def spawn(self, launch: Launch, generation: int = 1) -> Process:
        process = self.launcher.spawn(launch, generation, self.ended)
        self.started.append(process)
        return process

    def ended(self, process: Process, end: Exit) -> None:
        self.exits[process.run.pid] = end

    def marked(self) -> list[Marked]:
        """Every live process that was started here, or by what was."""
        return find_marked(str(self.folder), CLOCK.now())

    async def exit_of(self, process: Process) -> Exit:
        await until(lambda: process.run.pid in self.exits)
        return self.exits[process.run.pid]

    async def said(self, text: str, agent: str = "api") -> str:
        """Wait until the agent has written `text`, and return all that it wrote."""
        log = self.folder / "logs" / f"{agent}.log"
        await until(lambda: text in log.read_text())
        return log.read_text()


@asynccontextmanager
async def yard(folder: Path, standby_limit_s: float = PREPARE_S) -> AsyncIterator[Yard]:
    """A yard whose processes are all killed at the end."""
    place = Yard(PosixLauncher(asyncio.get_running_loop(), CLOCK, str(folder), standby_limit_s), folder)

    async def left() -> list[Run]:
        return [marked.run for marked in place.marked()]

    try:
        yield place
    finally:
        await kill_leftovers(left, timeout_s=0, clock=CLOCK)
        await until(lambda: not any(process.group_alive() for process in place.started))
        place.launcher.close()


def in_a_yard(folder: Path, story: Callable[[Yard], Awaitable[None]], standby_limit_s: float = PREPARE_S) -> None:
    """Let a story happen in a yard."""

    async def run() -> None:
        async with yard(folder, standby_limit_s) as place:
            await story(place)

    asyncio.run(run())


def open_files() -> int:
    """How many file descriptors this process holds, but for those of a name that is still being looked up."""
    for thread in threading.enumerate():
        if thread.name.startswith("resolve "):
            thread.join(10.0)
    return len(list(Path("/proc/self/fd").iterdir()))
