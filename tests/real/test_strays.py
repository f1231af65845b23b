"""Does nothing of an agent outlive it, wherever it went?"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from selfheal.supervise import proc
from selfheal.supervise.launcher import Exit, Process
from selfheal.supervise.tree import end_strays
from tests.real.processes import CLOCK, Yard, in_a_yard, until

# One helper in the group of the main process, one in a session of its own, one forked twice, and a child of that.
HELPERS = "sleep 61 & setsid sleep 62 & (setsid sh -c 'sleep 64 & exec sleep 63' &) ; echo up"
LIVES, ENDS = f"{HELPERS}; exec sleep 60", f"{HELPERS}; exit 3"
SLEEPS = 5


def sleeping(place: Yard, agent: str = "api") -> set[int]:
    """The processes of an agent that have come to their sleep."""
    return {one.run.pid for one in place.marked() if one.agent == agent and _name(one.run.pid) == "sleep"}


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


async def up(place: Yard, script: str = LIVES, agent: str = "api") -> Process:
    process = place.start("sh", "-c", script, agent=agent)
    await place.said("up", agent)
    return process


def test_what_a_dead_process_leaves_is_found_and_killed_in_one_pass(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        other = place.start("sleep", "60", agent="other")
        process = await up(place)
        await until(lambda: len(sleeping(place)) == SLEEPS)
        os.kill(process.run.pid, signal.SIGKILL)
        await place.exit_of(process)
        process.signal_group(signal.SIGKILL)
        assert process.signal_strays(signal.SIGKILL)
        await until(lambda: not sleeping(place))
        assert not process.signal_strays(0)
        assert other.group_alive()

    in_a_yard(tmp_path, story)


def test_the_strays_of_all_that_die_at_once_are_killed_in_the_answers_to_their_deaths(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        killed: list[bool] = []

        def answer(process: Process, _: Exit) -> None:
            killed.append(process.signal_strays(signal.SIGKILL))

        names = ("api", "web", "job")
        for name in names:
            launch = place.launch("sh", "-c", LIVES, agent=name)
            place.started.append(place.launcher.spawn(launch, 1, answer))
        await until(lambda: all(len(sleeping(place, name)) == SLEEPS for name in names))
        for process in place.started:  # while the loop looks elsewhere: it hears of all of them in one pass
            os.kill(process.run.pid, signal.SIGKILL)
        await until(lambda: len(killed) == len(names))
        assert killed == [True, True, True]
        for process in place.started:
            process.signal_group(signal.SIGKILL)
        await until(lambda: not any(sleeping(place, name) for name in names))

    in_a_yard(tmp_path, story)


def test_the_strays_of_a_live_process_are_its_whole_tree_but_for_its_group(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = await up(place)
        await until(lambda: len(sleeping(place)) == SLEEPS)
        assert process.signal_strays(signal.SIGKILL)
        await until(lambda: len(sleeping(place)) == 2)
        assert all(proc.stat(pid).group == process.run.pid for pid in sleeping(place))

    in_a_yard(tmp_path, story)


def test_strays_are_asked_before_they_are_killed(tmp_path: Path) -> None:
    farewell = "setsid sh -c 'trap \"echo farewell; exit\" TERM; echo up; while :; do sleep 0.01; done' & wait"

    async def story(place: Yard) -> None:
        process = await up(place, farewell)
        os.kill(process.run.pid, signal.SIGKILL)
        await place.exit_of(process)
        await end_strays(process, signal=signal.SIGTERM, timeout_s=5.0, clock=CLOCK)
        assert "farewell" in await place.said("farewell")
        assert not sleeping(place)

    in_a_yard(tmp_path, story)


def test_a_stray_that_is_deaf_is_killed_in_the_end(tmp_path: Path) -> None:
    deaf = "setsid sh -c 'trap \"\" TERM; echo up; while :; do sleep 0.01; done' & wait"

    async def story(place: Yard) -> None:
        process = await up(place, deaf)
        os.kill(process.run.pid, signal.SIGKILL)
        await place.exit_of(process)
        await end_strays(process, signal=signal.SIGTERM, timeout_s=0.1, clock=CLOCK)
        assert not process.signal_strays(0)

    in_a_yard(tmp_path, story)


def test_the_next_run_keeps_its_own_helpers(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        first = await up(place, ENDS)
        await place.exit_of(first)
        second = place.start("sh", "-c", LIVES, generation=2)
        await until(lambda: len(sleeping(place)) >= 2 * SLEEPS - 1)
        first.signal_group(signal.SIGKILL)
        assert first.signal_strays(signal.SIGKILL)
        await until(lambda: len(sleeping(place)) == SLEEPS)
        assert second.group_alive()
        assert second.signal_strays(0)

    in_a_yard(tmp_path, story)


def test_a_helper_that_hides_its_environment_is_known_by_its_session(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = await up(place, "set -m; env -i sleep 65 & echo up; exec sleep 60")
        await until(lambda: any(_name(pid) == "sleep" for pid in proc.children(process.run.pid)))
        hidden = proc.children(process.run.pid)
        os.kill(process.run.pid, signal.SIGKILL)
        await place.exit_of(process)
        assert process.signal_strays(signal.SIGKILL)
        await until(lambda: not any(_name(pid) for pid in hidden))

    in_a_yard(tmp_path, story)


def test_what_ends_by_itself_and_has_lost_its_parent_is_buried_and_ours_are_left_alone(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = place.start("sh", "-c", "(setsid sh -c 'echo $$; exit 4' &); sleep 0.1; echo up; exec sleep 60")
        said = await place.said("up")
        orphan = int(said.split()[0])
        await until(lambda: proc.state(orphan) == "Z")
        place.launcher.reap()
        assert proc.state(orphan) == "Z", "it may have a parent that is about to wait for it"
        place.launcher.reap()
        with pytest.raises(ProcessLookupError):
            proc.stat(orphan)
        assert process.group_alive()

    in_a_yard(tmp_path, story)
