"""Does all of an agent's tree end, whatever its members make of being asked to?"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from selfheal.kinds import Run
from selfheal.supervise import proc
from selfheal.supervise.launcher import Exit
from selfheal.supervise.tree import kill_leftovers, stop_group
from tests.real.processes import CLOCK, Yard, in_a_yard, until

DEAF = "trap '' TERM; echo deaf; while :; do sleep 60; done"


def members(group: int) -> list[int]:
    return [entry.pid for entry in proc.processes() if entry.group == group and entry.alive]


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def test_a_process_that_ends_when_asked_is_not_killed(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = place.start("sleep", "60")
        assert not await stop_group(process, signal=signal.SIGTERM, timeout_s=10, clock=CLOCK)
        assert await place.exit_of(process) == Exit(None, signal.SIGTERM)
        process.signal_group(signal.SIGKILL)  # which is no error
        assert not await stop_group(process, signal=signal.SIGTERM, timeout_s=10, clock=CLOCK)

    in_a_yard(tmp_path, story)


def test_the_signal_is_the_one_that_was_chosen(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = place.start("sh", "-c", "trap 'exit 7' INT; echo ready; while :; do sleep 0.01; done")
        await place.said("ready")
        assert not await stop_group(process, signal=signal.SIGINT, timeout_s=10, clock=CLOCK)
        assert await place.exit_of(process) == Exit(7, None)

    in_a_yard(tmp_path, story)


def test_a_process_that_ignores_the_signal_is_killed_after_its_time(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = place.start("sh", "-c", DEAF)
        await place.said("deaf")
        began = CLOCK.monotonic()
        assert await stop_group(process, signal=signal.SIGTERM, timeout_s=0.2, clock=CLOCK)
        assert 0.2 <= CLOCK.monotonic() - began < 2
        assert await place.exit_of(process) == Exit(None, signal.SIGKILL)
        assert members(process.run.pid) == []

    in_a_yard(tmp_path, story)


def test_a_stopped_process_is_woken_to_end(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = place.start("sh", "-c", "trap 'exit 7' TERM; sleep 60 & echo ready; wait")
        await place.said("ready")
        # Until it is `sleep`, its child is a shell that loses the signal between the trap and the program.
        await until(lambda: [name_of(pid) for pid in proc.children(process.run.pid)] == ["sleep"])
        process.signal_group(signal.SIGSTOP)
        await until(lambda: proc.state(process.run.pid) == "T")
        assert not await stop_group(process, signal=signal.SIGTERM, timeout_s=10, clock=CLOCK)
        assert await place.exit_of(process) == Exit(7, None)

    in_a_yard(tmp_path, story)


def test_grandchildren_in_the_group_end_too(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = place.start("sh", "-c", "sh -c 'sleep 60 & echo $!; wait' & wait")
        await place.said("\n")
        assert len(members(process.run.pid)) == 3
        assert not await stop_group(process, signal=signal.SIGTERM, timeout_s=10, clock=CLOCK)
        assert members(process.run.pid) == []

    in_a_yard(tmp_path, story)


def test_a_deaf_grandchild_is_killed_though_its_parent_has_ended(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = place.start("sh", "-c", f'sh -c "{DEAF}" & read line < /dev/zero')
        await place.said("deaf")
        os.kill(process.run.pid, signal.SIGKILL)
        assert await place.exit_of(process) == Exit(None, signal.SIGKILL)
        assert process.group_alive()
        assert await stop_group(process, signal=signal.SIGTERM, timeout_s=0.1, clock=CLOCK)
        assert not process.group_alive()

    in_a_yard(tmp_path, story)


def test_a_group_of_which_only_zombies_are_left_is_not_alive(tmp_path: Path) -> None:
    """A child's zombie stays as long as its parent, which here is in another group, does not look at it."""
    parent = "import os,time; pid = os.spawnlp(os.P_NOWAIT, 'setsid', 'setsid', 'true'); print(pid, flush=True)"

    async def story(place: Yard) -> None:
        place.start(sys.executable, "-c", f"{parent}; time.sleep(60)")
        pid = int(await place.said("\n"))
        await until(lambda: proc.state(pid) == "Z")
        os.killpg(pid, 0)  # for the kernel the group is there
        run = Run(pid, 1, 0.0, *proc.identity(pid))
        assert not proc.group_alive(run)
        assert proc.has_group(run)  # and may be signalled without a look at every process there is

    in_a_yard(tmp_path, story)


def test_a_group_of_the_same_number_is_not_taken_for_ours(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        run = place.start("sleep", "60").run
        assert proc.group_alive(run)
        other = Run(run.pid, 1, 0.0, run.start_ticks - 1, run.boot_id)
        assert not proc.group_alive(other)
        assert not proc.has_group(other)

    in_a_yard(tmp_path, story)


def test_what_slipped_out_of_the_group_is_found_by_its_mark_and_ended(tmp_path: Path) -> None:
    escape = f'setsid sh -c "{DEAF}" & setsid -f sleep 60; sleep 0.1 & wait'

    async def story(place: Yard) -> None:
        def left() -> list[Run]:
            return [marked.run for marked in place.marked() if marked.agent == "api"]

        async def find() -> list[Run]:
            return left()

        process = place.start("sh", "-c", escape)
        other = place.start("sleep", "60", agent="other")
        await place.said("deaf")
        await until(lambda: len(left()) >= 4)
        await stop_group(process, signal=signal.SIGTERM, timeout_s=1, clock=CLOCK)
        assert len(left()) >= 2
        assert await kill_leftovers(find, timeout_s=0.1, clock=CLOCK) >= 2
        assert left() == []
        assert await kill_leftovers(find, timeout_s=0.1, clock=CLOCK) == 0
        assert other.group_alive()

    in_a_yard(tmp_path, story)


def test_no_process_is_ended_for_the_pid_that_another_one_had(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = place.start("sleep", "60")
        run = process.run
        wrong = [Run(run.pid, 1, 0.0, run.start_ticks - 1, run.boot_id)]
        looks = iter([wrong, wrong, []])

        async def find() -> list[Run]:
            return next(looks)

        assert await kill_leftovers(find, timeout_s=0, clock=CLOCK) == 1
        assert process.group_alive()

    in_a_yard(tmp_path, story)
