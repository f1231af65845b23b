"""What does a simulated machine do? It runs programs that fail when they are told to.

A `Launcher` and checks over it, held to the same contract as the real ones. A program is alive or dead, answers or
hangs, and answers well only while what it needs does.
"""

from __future__ import annotations

import asyncio
import signal as signals
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from selfheal.clock import Clock
from selfheal.config.models import CheckConfig
from selfheal.errors import CheckFailed, SpawnFailed
from selfheal.kinds import CheckContext, CheckKind, Completed, Run
from selfheal.observe.process import ProcessCheckConfig
from selfheal.supervise.launcher import Exit, Launch, OnExit, Process

_T = TypeVar("_T")
BOOT_ID = "simulated"
# A process takes a moment to die; the reader of its end hears of it in a later turn of the loop.
DEATH_S = 0.0005


@dataclass(slots=True)
class Program:
    """How the program of an agent behaves. `starts_in_s` is until it answers; `needs` are agents it is no use without;
    `leak_bytes_per_s` grows its memory from `rss_bytes`; `missing` keeps it from being started at all.
    """

    starts_in_s: float = 0.1
    needs: tuple[str, ...] = ()
    rss_bytes: float = 20e6
    leak_bytes_per_s: float = 0.0
    ignores_term: bool = False
    missing: bool = False
    dies_after_s: float | None = None
    exit_code: int = 1


@dataclass(slots=True, eq=False)
class SimulatedProcess:
    """One run of a program."""

    machine: SimulatedMachine
    agent: str
    program: Program
    run: Run
    on_exit: OnExit
    alive: bool = True
    stopped: bool = False
    end: Exit | None = None
    timers: list[asyncio.TimerHandle] = field(default_factory=list)

    def signal_group(self, signal: int) -> None:
        if not self.alive:
            return
        if signal == signals.SIGSTOP:
            self.stopped = True
        elif signal == signals.SIGCONT:
            self.stopped = False
        elif signal == signals.SIGKILL or (not self.program.ignores_term and signal != 0):
            self.die(Exit(None, int(signal)))

    def group_alive(self) -> bool:
        return self.alive

    def die(self, end: Exit) -> None:
        """End now; the supervisor hears of it a moment later."""
        if self.alive:
            self.alive = False
            self.end = end
            self.machine.loop.call_later(DEATH_S, self._tell)

    def _tell(self) -> None:
        if self.end is not None and self.machine.watching:
            self.on_exit(self, self.end)


class SimulatedMachine:
    """Processes that are none. The `Launcher` of a rehearsal."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, programs: Mapping[str, Program]) -> None:
        self.loop = loop
        self.clock = clock
        self.programs = dict(programs)
        self.processes: dict[str, SimulatedProcess] = {}
        self.spawned = 0
        self.watching = True
        self._pid = 1000

    # --- the launcher ---

    def spawn(self, launch: Launch, generation: int, on_exit: OnExit) -> Process:
        program = self.programs.setdefault(launch.agent, Program())
        if program.missing:
            raise SpawnFailed(f"cannot start {launch.agent!r}: no such program; install it", "missing_program")
        self._pid += 1
        self.spawned += 1
        run = Run(self._pid, generation, self.clock.now(), self._pid, BOOT_ID)
        process = SimulatedProcess(self, launch.agent, program, run, on_exit)
        self.processes[launch.agent] = process
        if program.dies_after_s is not None:
            self.loop.call_later(program.dies_after_s, process.die, Exit(program.exit_code, None))
        return process

    def adopt(self, run: Run, agent: str, on_exit: OnExit) -> Process | None:
        process = self.processes.get(agent)
        if process is None or not process.alive or process.run != run:
            return None
        process.on_exit = on_exit
        return process

    def leftovers(self) -> list[tuple[str, Run]]:
        return [(name, process.run) for name, process in self.processes.items() if process.alive]

    def close(self) -> None:
        self.watching = False

    # --- what befalls it ---

    def kill(self, agent: str, signal: int = signals.SIGKILL) -> bool:
        """End the process of an agent; returns whether there was one."""
        process = self.processes.get(agent)
        if process is None or not process.alive:
            return False
        process.die(Exit(None, signal))
        return True

    def hang(self, agent: str) -> bool:
        """Stop the process of an agent in its tracks; returns whether there was one."""
        process = self.processes.get(agent)
        if process is None or not process.alive:
            return False
        process.stopped = True
        return True

    def answers(self, agent: str) -> str | None:
        """Why an agent is of no use at the moment; None where it serves."""
        process = self.processes.get(agent)
        if process is None or not process.alive:
            return "connection refused"
        if process.stopped:
            return "hung"
        if self.clock.now() - process.run.started_at < process.program.starts_in_s:
            return "connection refused"
        for need in process.program.needs:
            if self.answers(need) is not None:
                return f"{need} is down"
        return None

    def rss(self, agent: str) -> float:
        """Resident bytes of the agent's process."""
        process = self.processes[agent]
        return process.program.rss_bytes + process.program.leak_bytes_per_s * (
            self.clock.now() - process.run.started_at
        )

    # --- the rest of the ports ---

    async def run_command(
        self, argv: tuple[str, ...], *, directory: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Completed:
        """A user's fix: whatever it is, it works."""
        await self.clock.sleep(min(1.0, timeout_s))
        return Completed(0, f"{argv[0]} done", 1.0)

    async def probe(self, address: str, timeout_s: float) -> None:
        """Readiness: the address is the agent's name."""
        why = self.answers(address)
        if why is not None:
            raise CheckFailed(why)

    def checks(self) -> tuple[CheckKind, ...]:
        """The kinds of check of this machine: `sim = "agent"`, and the look at the process."""
        return (
            CheckKind("sim", SimCheckConfig, lambda config, context: _Answer(self, context)),
            CheckKind("process", ProcessCheckConfig, lambda config, context: _Look(self, config, context), local=True),
        )


class SimCheckConfig(CheckConfig):
    """Asks the agent's program; the value is only a name."""

    sim: str


@dataclass(frozen=True, slots=True)
class _Answer:
    machine: SimulatedMachine
    context: CheckContext

    async def run(self) -> Mapping[str, float]:
        why = self.machine.answers(self.context.agent)
        if why == "hung":
            await self.machine.clock.sleep(3600.0)
        if why is not None:
            raise CheckFailed(why)
        return {"latency": 0.01}


@dataclass(frozen=True, slots=True)
class _Look:
    machine: SimulatedMachine
    config: CheckConfig
    context: CheckContext

    async def run(self) -> Mapping[str, float]:
        if self.context.run() is None:
            raise CheckFailed("no process")
        if self.machine.processes[self.context.agent].stopped:
            raise CheckFailed("the process is stopped (SIGSTOP)")
        rss = self.machine.rss(self.context.agent)
        limit = self.config.max_rss if isinstance(self.config, ProcessCheckConfig) else None
        if limit is not None and rss > limit:
            raise CheckFailed(f"rss {rss / 1e6:.0f} MB is over {limit / 1e6:.0f} MB")
        return {"rss": rss, "cpu": 0.01}


def inline(work: Callable[[], _T], /) -> Awaitable[_T]:
    """Blocking work, done in the loop itself: in virtual time it takes none."""

    async def done() -> _T:
        return work()

    return done()
