"""Do real and simulated processes keep the one contract of `supervise.launcher`?

What a rehearsal proves holds on a real machine only as far as both behave alike.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from selfheal.clock import Clock
from selfheal.errors import SpawnFailed
from selfheal.kinds import Run
from selfheal.rehearse.machine import Program, SimulatedMachine
from selfheal.rehearse.virtual import VirtualClock, VirtualLoop, in_virtual_time
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


Story = Callable[[Yard], Awaitable[None]]
Play = Callable[[Story], None]


@pytest.fixture(params=["real", "simulated"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Tells a story in either world."""

    async def tell(story: Story, opened: Callable[[], World]) -> None:
        place: AbstractAsyncContextManager[Yard] = cleared(Yard(opened()))
        async with place as yard:
            await story(yard)

    def real(story: Story) -> None:
        asyncio.run(tell(story, lambda: Real(tmp_path)))

    def simulated(story: Story) -> None:
        loop = VirtualLoop()
        in_virtual_time(tell(story, lambda: Simulated(loop)), loop)

    return real if request.param == "real" else simulated


def test_a_run_has_a_pid_of_its_own_its_generation_and_a_start(play: Play) -> None:
    async def story(yard: Yard) -> None:
        before = yard.world.clock.now()
        first, second = yard.spawn(SLEEPS, 4).run, yard.spawn(SLEEPS, 5).run
        assert (first.generation, second.generation) == (4, 5)
        assert first.pid != second.pid
        assert before <= first.started_at <= second.started_at <= yard.world.clock.now()

    play(story)


def test_the_end_of_a_child_is_told_once_with_its_code(play: Play) -> None:
    async def story(yard: Yard) -> None:
        process = yard.spawn(ENDS)
        assert yard.told == []  # never before the call returns
        assert await yard.end_of(process) == Exit(3, None)
        assert not process.group_alive()
        await yard.end_of(yard.spawn(ENDS, 2))
        assert len(yard.told) == 2

    play(story)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_the_end_by_a_signal_is_told_with_the_signal(play: Play, number: signal.Signals) -> None:
    async def story(yard: Yard) -> None:
        process = yard.spawn(SLEEPS)
        assert process.group_alive()
        process.signal_group(number)
        assert yard.told == []
        assert await yard.end_of(process) == Exit(None, number)

    play(story)


def test_what_ignores_term_ends_by_kill(play: Play) -> None:
    async def story(yard: Yard) -> None:
        process = await yard.up(IGNORES_TERM)
        process.signal_group(signal.SIGTERM)
        await yard.end_of(yard.spawn(ENDS, 2))  # time in which it might have ended
        assert process.group_alive()
        process.signal_group(signal.SIGKILL)
        assert await yard.end_of(process) == Exit(None, signal.SIGKILL)

    play(story)


def test_a_stopped_process_takes_term_only_when_it_is_continued(play: Play) -> None:
    async def story(yard: Yard) -> None:
        process = await yard.up(SLEEPS)
        process.signal_group(signal.SIGSTOP)
        await yard.world.halted(process)
        process.signal_group(signal.SIGTERM)
        await yard.end_of(yard.spawn(ENDS, 2))
        assert process.group_alive()
        process.signal_group(signal.SIGCONT)
        assert await yard.end_of(process) == Exit(None, signal.SIGTERM)

    play(story)


def test_a_stopped_process_ends_by_kill(play: Play) -> None:
    async def story(yard: Yard) -> None:
        process = await yard.up(SLEEPS)
        process.signal_group(signal.SIGSTOP)
        await yard.world.halted(process)
        process.signal_group(signal.SIGKILL)
        assert await yard.end_of(process) == Exit(None, signal.SIGKILL)

    play(story)


def test_a_signal_to_what_has_ended_is_no_error(play: Play) -> None:
    async def story(yard: Yard) -> None:
        process = yard.spawn(ENDS)
        await yard.end_of(process)
        process.signal_group(signal.SIGTERM)
        process.signal_group(signal.SIGKILL)
        assert len(yard.told) == 1

    play(story)


def test_a_process_is_sent_the_signal_that_it_catches_and_goes_on(play: Play) -> None:
    async def story(yard: Yard) -> None:
        process = await yard.up(RELOADS)
        assert process.signal_main(signal.SIGUSR1) == ""
        await yard.until(yard.world.reloaded)
        assert process.group_alive()
        assert yard.told == []

    play(story)


@pytest.mark.parametrize("agent", [SLEEPS, RELOADS])
def test_a_signal_that_would_end_a_process_is_not_sent_to_it(play: Play, agent: str) -> None:
    async def story(yard: Yard) -> None:
        process = await yard.up(agent)
        assert process.signal_main(signal.SIGHUP) == "it does not catch SIGHUP, which would end it"
        await yard.end_of(yard.spawn(ENDS, 2))  # time in which it might have ended
        assert process.group_alive()

    play(story)


def test_no_signal_is_sent_in_the_place_of_a_process_that_is_gone(play: Play) -> None:
    async def story(yard: Yard) -> None:
        process = yard.spawn(ENDS)
        await yard.end_of(process)
        assert process.signal_main(signal.SIGUSR1) == "its process is gone"

    play(story)


def test_a_process_may_open_more_files_as_it_runs_where_room_was_kept_and_fewer_again(play: Play) -> None:
    async def story(yard: Yard) -> None:
        launch = replace(yard.world.launch(SLEEPS), max_fds=64, most_fds=128)
        process = yard.launcher.spawn(launch, 1, yard.ended)
        for count in (96, 128, 64, 128):
            assert process.allow_files(count) == (count, count)
        assert process.group_alive()

    play(story)


def test_the_next_run_may_begin_in_the_callback_that_tells_of_the_end(play: Play) -> None:
    async def story(yard: Yard) -> None:
        runs: list[Run] = []

        def again(process: Process, end: Exit) -> None:
            runs.append(process.run)
            if len(runs) < 3:
                yard.launcher.spawn(yard.world.launch(ENDS), len(runs) + 1, again)

        yard.launcher.spawn(yard.world.launch(ENDS), 1, again)
        await yard.until(lambda: len(runs) == 3)
        assert [run.generation for run in runs] == [1, 2, 3]

    play(story)


def test_what_cannot_be_started_raises_and_says_why(play: Play) -> None:
    async def story(yard: Yard) -> None:
        with pytest.raises(SpawnFailed, match=r"^cannot start ") as caught:
            yard.spawn(MISSING)
        assert caught.value.cause == "missing_program"
        assert yard.launcher.leftovers() == []
        assert yard.told == []

    play(story)


def test_an_orphan_is_found_adopted_and_its_end_is_told(play: Play) -> None:
    async def story(yard: Yard) -> None:
        run = yard.world.orphan(SLEEPS, 7)
        ((agent, found),) = yard.launcher.leftovers()
        assert (agent, found.pid, found.generation) == (SLEEPS, run.pid, 7)
        process = yard.launcher.adopt(run, agent, yard.ended)
        assert process is not None
        assert process.run == run
        assert process.group_alive()
        process.signal_group(signal.SIGTERM)
        # How it ended is known only where we happen to have become its parent.
        assert await yard.end_of(process) in (Exit(None, None), Exit(None, signal.SIGTERM))
        assert process.adopted
        assert not process.group_alive()
        assert yard.launcher.adopt(run, agent, yard.ended) is None
        assert yard.launcher.leftovers() == []

    play(story)


def test_leftovers_are_all_that_live_oldest_first(play: Play) -> None:
    async def story(yard: Yard) -> None:
        first, gone, last = yard.spawn(SLEEPS, 1), yard.spawn(ENDS, 1), yard.spawn(SLEEPS, 2)
        await yard.end_of(gone)
        assert [(agent, run.pid) for agent, run in yard.launcher.leftovers()] == [
            (SLEEPS, first.run.pid),
            (SLEEPS, last.run.pid),
        ]

    play(story)


def test_only_the_very_same_process_is_adopted(play: Play) -> None:
    async def story(yard: Yard) -> None:
        run = yard.spawn(SLEEPS).run
        strangers = (
            replace(run, start_ticks=run.start_ticks + 1),
            replace(run, boot_id="another"),
            replace(run, pid=2**23),
        )
        assert [yard.launcher.adopt(stranger, SLEEPS, yard.ended) for stranger in strangers] == [None, None, None]

    play(story)


def test_processes_outlive_the_launcher_and_it_tells_nothing_more(play: Play) -> None:
    async def story(yard: Yard) -> None:
        process = await yard.up(SLEEPS)
        yard.launcher.close()
        yard.launcher.close()
        assert process.group_alive()
        process.signal_group(signal.SIGKILL)
        await yard.until(lambda: not process.group_alive())
        assert yard.told == []
        yard.world.reap(process)

    play(story)
