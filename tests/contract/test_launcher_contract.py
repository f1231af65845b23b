"""Do real and simulated processes keep the one contract of `supervise.launcher`?

What a rehearsal proves holds on a real machine only as far as both behave alike.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from selfheal.errors import SpawnFailed
from selfheal.kinds import Run
from selfheal.rehearse.virtual import VirtualLoop, in_virtual_time
from selfheal.supervise.launcher import Exit, Process
from tests.contract.machines import (
    ENDS,
    IGNORES_TERM,
    MISSING,
    RELOADS,
    SLEEPS,
    Real,
    Simulated,
    World,
    Yard,
    cleared,
)

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
