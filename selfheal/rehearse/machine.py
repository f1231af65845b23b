"""What does a simulated machine do? It runs programs that fail when they are told to.

A program is alive or dead, answers or hangs, and answers well only while what it needs does. `SimulatedMachine` is
what stays when a daemon dies: processes, programs and what befalls them. `launcher()` gives each daemon its own hold
on it, kept to the same contract as the launcher of real processes; checks and the rest of the ports stand over it.
"""

from __future__ import annotations

import asyncio
import signal as signals
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from selfheal.clock import Clock
from selfheal.errors import CheckFailed, SpawnFailed
from selfheal.kinds import CheckKind, Completed, Run
from selfheal.rehearse.calls import SimulatedCalls
from selfheal.rehearse.checks import REFUSED, checks_of
from selfheal.rehearse.checks import SLOW as SLOW
from selfheal.rehearse.data import SimulatedData
from selfheal.rehearse.program import Program as Program
from selfheal.supervise.launcher import Exit, Hear, Launch, OnExit, OnStandby, Process
from selfheal.vocabulary import StartWay

_T = TypeVar("_T")
BOOT_ID = "simulated"
# Greater than any pid that Linux gives (2**22): what is signalled by mistake is nobody's process.
FIRST_PID = 2**22 + 1
# A process takes a moment to die; the reader of its end hears of it in a later turn of the loop.
DEATH_S = 0.0005
# How long an agent works on an answer, and what that takes of a processor, where nothing else is said.
ANSWER_S, CORES = 0.01, 0.01
# How long a user's command runs.
COMMAND_S = 1.0


@dataclass(slots=True, eq=False)
class SimulatedProcess:
    """One run of a program. `parent` hears how it ended; an adopter only that it did."""

    loop: asyncio.AbstractEventLoop
    agent: str
    program: Program
    run: Run
    parent: SimulatedLauncher
    stopped: bool = False
    end: Exit | None = None
    pending: list[int] = field(default_factory=list)
    watchers: list[_Watched] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return self.end is None

    def signal(self, signal: int) -> None:
        """Take a signal as Linux has it: a stopped process takes no other but KILL until it is continued."""
        if not self.alive or signal == 0:
            return
        if signal == signals.SIGKILL:
            self.die(Exit(None, int(signal)))
        elif signal == signals.SIGSTOP:
            self.stopped = True
        elif signal == signals.SIGCONT:
            self.stopped = False
            while self.pending and self.alive:
                self.signal(self.pending.pop(0))
        elif self.stopped:
            self.pending.append(int(signal))
        elif signal in self.program.handlers:
            self.program.handlers[signal]()
        elif signal != signals.SIGTERM or not self.program.ignores_term:
            self.die(Exit(None, int(signal)))

    def die(self, end: Exit) -> None:
        """End now; who watches hears of it a moment later."""
        if self.alive:
            self.end = end
            self.loop.call_later(DEATH_S, self._tell)

    def _tell(self) -> None:
        for watched in tuple(self.watchers):
            watched.ended()


@dataclass(slots=True, eq=False)
class _Watched:
    """A process as one launcher holds it: the `Process` of the contract."""

    launcher: SimulatedLauncher
    process: SimulatedProcess
    run: Run
    on_exit: OnExit

    def signal_group(self, signal: int) -> None:
        if not self.launcher.severed:
            self.process.signal(signal)
        elif signal not in (0, signals.SIGCONT, signals.SIGSTOP):
            self.process.loop.call_soon(self.on_exit, self, Exit(None, int(signal)))

    def group_alive(self) -> bool:
        return self.process.alive and not self.launcher.severed

    @property
    def adopted(self) -> bool:
        return self.process.parent is not self.launcher

    @property
    def how(self) -> StartWay:
        return "cold"

    def signal_strays(self, signal: int) -> bool:
        return False

    def signal_main(self, signal: int) -> str:
        if not self.group_alive():
            return "its process is gone"
        if signal not in self.process.program.handlers:
            return f"it does not catch {signals.Signals(signal).name}, which would end it"
        self.process.signal(signal)
        return ""

    def allow_files(self, count: int) -> tuple[int, int]:
        now, anew = self.process.program.most_files
        return min(count, now), min(count, anew)

    def helpers(self) -> Sequence[int]:
        return ()

    async def find_strays(self) -> list[Run]:
        return []

    def ended(self) -> None:
        """Tell whoever waits for it, once."""
        end = self.process.end
        if end is not None and self in self.process.watchers:
            self.process.watchers.remove(self)
            self.on_exit(self, end if not self.adopted else Exit(None, None))


class SimulatedLauncher:
    """The `Launcher` of one daemon over a simulated machine."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self._machine = machine
        self.severed = False

    def listen(self, hear: Hear) -> None:
        self._machine.hear = hear

    def spawn(self, launch: Launch, generation: int, on_exit: OnExit) -> Process:
        if self.severed:
            raise SpawnFailed(f"cannot start {launch.agent!r}: this daemon is dead", "unknown")
        process = self._machine.begin(launch.agent, generation, self)
        return self._watch(process, process.run, on_exit)

    def stand_by(self, launch: Launch, on_change: OnStandby) -> None:
        """Nothing has imports here, and everything begins at once: that it was asked for is all."""
        if launch.standby is not None and launch.agent not in self._machine.standbys:
            self._machine.standbys[launch.agent] = on_change

    def stand_down(self, agent: str) -> None:
        self._machine.standbys.pop(agent, None)

    def adopt(self, run: Run, agent: str, on_exit: OnExit) -> Process | None:
        for process in self._machine.processes.values():
            same = (process.run.pid, process.run.start_ticks, process.run.boot_id)
            if process.alive and same == (run.pid, run.start_ticks, run.boot_id):
                return self._watch(process, run, on_exit)
        return None

    def leftovers(self) -> list[tuple[str, Run]]:
        return [(process.agent, process.run) for process in self._machine.processes.values() if process.alive]

    async def strays(self) -> list[tuple[str, Run]]:
        return []

    def owner(self, pid: int) -> tuple[str, int] | None:
        process = self._machine.processes.get(pid)
        return (process.agent, process.run.generation) if process is not None and process.alive else None

    def limit(self, run: Run, launch: Launch) -> None:
        self._machine.limits[run.pid] = launch.limits

    def reap(self) -> None:
        pass

    def close(self) -> None:
        self._machine.standbys.clear()
        for process in self._machine.processes.values():
            process.watchers = [watched for watched in process.watchers if watched.launcher is not self]

    def sever(self) -> None:
        """Let the daemon die as by `kill -9`: from now on it reaches nothing here.

        What it still does on its way out meets ghosts, which are gone at the first signal.
        """
        self.severed = True
        self.close()

    def _watch(self, process: SimulatedProcess, run: Run, on_exit: OnExit) -> Process:
        watched = _Watched(self, process, run, on_exit)
        process.watchers.append(watched)
        return watched


class SimulatedMachine:
    """Processes that are none, what they run, and what befalls them.

    `outages` are agents that are of no use whatever their process does, with the reason; `raising` those whose check
    itself is broken; `commands` what a user's commands end with, by program, 0 where it is not listed. `standbys` are
    the agents for which something shall stand by, with who is to be told what becomes of it; `limits` are the latest
    for runs that went on, by pid. `own_s` is how long an agent works on an answer by itself, `cores` what it uses of
    processors, and `jitter` by what either is multiplied each time.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, programs: Mapping[str, Program]) -> None:
        self.clock = clock
        self.programs = dict(programs)
        self.processes: dict[int, SimulatedProcess] = {}
        self.outages: dict[str, str] = {}
        self.raising: set[str] = set()
        self.commands: dict[str, Callable[[], int]] = {}
        self.commands_run: list[tuple[str, ...]] = []
        self.standbys: dict[str, OnStandby] = {}
        self.data = SimulatedData(clock)
        self.calls = SimulatedCalls(clock)
        self.limits: dict[int, tuple[int | None, float | None]] = {}
        self.own_s: dict[str, float] = {}
        self.cores: dict[str, float] = {}
        self.jitter: Callable[[str], float] = lambda agent: 1.0
        self.hear: Hear = lambda agent, generation, said: None
        self.spawned = 0
        self._loop = loop
        self._latest: dict[str, SimulatedProcess] = {}

    def launcher(self) -> SimulatedLauncher:
        """A hold on this machine for one daemon."""
        return SimulatedLauncher(self)

    def begin(self, agent: str, generation: int, parent: SimulatedLauncher) -> SimulatedProcess:
        """Run the program of an agent. Raises SpawnFailed."""
        program = self.program(agent)
        if program.missing:
            raise SpawnFailed(f"cannot start {agent!r}: no such program; install it", "missing_program")
        pid = FIRST_PID + self.spawned
        self.spawned += 1
        run = Run(pid, generation, self.clock.now(), self.spawned, BOOT_ID)
        process = SimulatedProcess(self._loop, agent, program, run, parent)
        self.processes = {pid: old for pid, old in self.processes.items() if old.alive or old.watchers}
        self.processes[pid] = self._latest[agent] = process
        if program.dies_after_s is not None:
            self._loop.call_later(program.dies_after_s, process.die, Exit(program.exit_code, None))
        return process

    def program(self, agent: str) -> Program:
        """What the next run of an agent will be of: change it to break or mend the agent."""
        return self.programs.setdefault(agent, Program())

    # --- what befalls it ---

    def kill(self, agent: str, signal: int = signals.SIGKILL) -> bool:
        """End the process of an agent; returns whether there was one."""
        process = self.process_of(agent)
        if process is not None:
            process.die(Exit(None, signal))
        return process is not None

    def hang(self, agent: str) -> bool:
        """Stop the process of an agent in its tracks; returns whether there was one."""
        process = self.process_of(agent)
        if process is not None:
            process.signal(signals.SIGSTOP)
        return process is not None

    def say(self, agent: str, **said: str) -> None:
        """Let the process of an agent speak by systemd's protocol."""
        process = self.process_of(agent)
        if process is not None:
            self.hear(agent, process.run.generation, said)

    # --- how it is ---

    def process_of(self, agent: str) -> SimulatedProcess | None:
        """The live process of an agent, the latest where there are several."""
        process = self._latest.get(agent)
        return process if process is not None and process.alive else None

    def alive(self, agent: str) -> int:
        """How many live processes an agent has: one, if all is well."""
        return sum(process.agent == agent and process.alive for process in self.processes.values())

    def answers(self, agent: str) -> str | None:
        """Why an agent is of no use at the moment; None where it serves."""
        why = self.ails(agent)
        if why is not None:
            return why
        return next((f"{need} is down" for need in self.program(agent).needs if self.answers(need) is not None), None)

    def ails(self, agent: str) -> str | None:
        """What is wrong with an agent itself, whatever it needs; None where nothing is."""
        program = self.program(agent)
        if not program.remote:
            process = self.process_of(agent)
            if process is None:
                return REFUSED
            if process.stopped:
                return "hung"
            if self.clock.now() - process.run.started_at < process.program.starts_in_s:
                return REFUSED
        return self.outages.get(agent)

    def took_s(self, agent: str) -> float:
        """How long an agent takes to answer, with all that it asks for that."""
        own_s = self.own_s.get(agent, ANSWER_S) * self.jitter(agent)
        return own_s + sum(self.took_s(need) for need in self.program(agent).needs)

    def used_cores(self, agent: str) -> float:
        return self.cores.get(agent, CORES) * self.jitter(agent)

    def rss(self, agent: str) -> float:
        """Resident bytes of the agent's process."""
        process = self.process_of(agent)
        if process is None:
            return 0.0
        age_s = self.clock.now() - process.run.started_at
        return process.program.rss_bytes + process.program.leak_bytes_per_s * age_s

    # --- the rest of the ports ---

    async def run_command(
        self, argv: tuple[str, ...], *, directory: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Completed:
        """A user's command: does what `commands` says, and works where that says nothing."""
        self.commands_run.append(argv)
        await self.clock.sleep(min(COMMAND_S, timeout_s))
        code = self.commands.get(argv[0], lambda: 0)()
        return Completed(code, f"{argv[0]} done" if code == 0 else f"{argv[0]} did not work", COMMAND_S)

    async def probe(self, address: str, timeout_s: float) -> None:
        """Readiness: the address is the agent's name."""
        why = self.answers(address)
        if why is not None:
            raise CheckFailed(why)

    def checks(self) -> tuple[CheckKind, ...]:
        """The kinds of check of this machine."""
        return checks_of(self)


def inline(work: Callable[[], _T], /) -> Awaitable[_T]:
    """Blocking work, done in the loop itself: in virtual time it takes none."""

    async def done() -> _T:
        return work()

    return done()
