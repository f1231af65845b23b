"""Does a command end in time, with what it said, and leave nothing behind when it is given up?"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from selfheal.errors import SpawnFailed
from selfheal.kinds import Completed, RunCommand
from selfheal.supervise import proc
from selfheal.supervise.oneshot import CommandRunner
from tests.real.processes import CLOCK, ENVIRONMENT, open_files, until

RUN: RunCommand = CommandRunner(CLOCK)


def completed(
    folder: Path,
    *argv: str,
    timeout_s: float = 10.0,
    environment: Mapping[str, str] = ENVIRONMENT,
    run: RunCommand = RUN,
) -> Completed:
    return asyncio.run(run(argv, directory=folder, environment=environment, timeout_s=timeout_s))


def shell(folder: Path, script: str, timeout_s: float = 10.0) -> Completed:
    return completed(folder, "sh", "-c", script, timeout_s=timeout_s)


def written(path: Path) -> Callable[[], bool]:
    return lambda: path.exists() and path.read_text().endswith("\n")


def ended(pid: int) -> bool:
    try:
        return not proc.stat(pid).alive
    except ProcessLookupError:
        return True


def test_a_command_gives_its_code_and_all_that_it_said(tmp_path: Path) -> None:
    done = shell(tmp_path, "pwd; echo oops >&2; cat; exit 3")
    assert (done.code, done.output) == (3, f"{tmp_path}\noops\n")
    assert 0 < done.took_s < 10


def test_a_command_that_was_killed_gives_the_signal(tmp_path: Path) -> None:
    assert shell(tmp_path, "kill -9 $$").code == -9


def test_a_command_has_the_environment_that_it_was_given_and_no_other(tmp_path: Path) -> None:
    done = completed(tmp_path, "env", environment={"PATH": "/usr/bin:/bin", "X": "a b"})
    assert sorted(done.output.splitlines()) == ["PATH=/usr/bin:/bin", "X=a b"]


def test_of_a_long_output_the_end_is_kept(tmp_path: Path) -> None:
    done = shell(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end")
    assert len(done.output) == 64 * 1024
    assert done.output.endswith("x\nthe end\n")


def test_output_that_is_no_text_does_no_harm(tmp_path: Path) -> None:
    assert shell(tmp_path, r"printf 'a\377b'").output == "a\ufffdb"


def test_at_its_timeout_the_whole_group_is_killed(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError, match=r"cannot wait longer for 'sh': it did not end within 0\.3 s"):
        shell(tmp_path, "trap '' TERM; sh -c 'echo $$ > pid; sleep 60' & echo $$ > own; wait", timeout_s=0.3)
    pids = [int((tmp_path / name).read_text()) for name in ("pid", "own")]
    asyncio.run(until(lambda: all(map(ended, pids))))


def test_a_command_that_is_cancelled_is_killed_and_the_cancellation_goes_on(tmp_path: Path) -> None:
    async def story() -> None:
        work = RUN(("sh", "-c", "echo $$ > pid; sleep 60"), directory=tmp_path, environment=ENVIRONMENT, timeout_s=60)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work)
            await until(written(tmp_path / "pid"))
            task.cancel()
        assert task.cancelled()
        assert ended(int((tmp_path / "pid").read_text()))

    asyncio.run(story())


HELPER = "sleep 60 & echo $! > pid; echo started"


def test_what_a_command_puts_into_the_background_ends_with_it_and_delays_nothing(tmp_path: Path) -> None:
    done = shell(tmp_path, HELPER)
    assert (done.code, done.output) == (0, "started\n")
    assert done.took_s < 5
    helper = int((tmp_path / "pid").read_text())
    asyncio.run(until(lambda: ended(helper)))


def test_what_a_fix_puts_into_the_background_is_to_stay(tmp_path: Path) -> None:
    done = completed(tmp_path, "sh", "-c", HELPER, run=CommandRunner(CLOCK, leaves_helpers=True))
    helper = int((tmp_path / "pid").read_text())
    try:
        assert (done.code, done.output) == (0, "started\n")
        assert done.took_s < 5
        assert not ended(helper)
    finally:
        os.kill(helper, signal.SIGKILL)


OWN_GROUP = """
import subprocess
helper = subprocess.Popen(["sleep", "60"], process_group=0)
open("pid", "w").write(str(helper.pid))
helper.wait()
"""


@pytest.mark.parametrize("whole", [True, False])
def test_one_that_is_given_up_ends_with_the_other_groups_of_its_session_where_that_is_wanted(
    tmp_path: Path, whole: bool
) -> None:
    with pytest.raises(TimeoutError):
        completed(
            tmp_path, sys.executable, "-c", OWN_GROUP, run=CommandRunner(CLOCK, whole_session=whole), timeout_s=2.0
        )
    helper = int((tmp_path / "pid").read_text())
    if whole:
        asyncio.run(until(lambda: ended(helper)))
    else:
        assert not ended(helper)
        os.kill(helper, signal.SIGKILL)


def test_a_command_that_cannot_be_started_says_why(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    (tmp_path / "script").write_text("#!/no/such/shell\n")
    (tmp_path / "script").chmod(0o700)
    for argv, folder, cause in (
        (("no-such-program",), tmp_path, "missing_program"),
        (("./plain",), tmp_path, "permission"),
        (("./script",), tmp_path, "missing_program"),
        (("true",), tmp_path / "gone", "bad_configuration"),
        (("true", "a\0b"), tmp_path, "bad_configuration"),
    ):
        with pytest.raises(SpawnFailed, match="cannot start ") as caught:
            completed(folder, *argv)
        assert caught.value.cause == cause


def test_many_commands_at_once_leave_no_file_open(tmp_path: Path) -> None:
    async def story() -> None:
        async def one(number: int) -> int:
            argv = ("sh", "-c", f"exit {number}")
            return (await RUN(argv, directory=tmp_path, environment=ENVIRONMENT, timeout_s=20)).code

        assert await one(1) == 1
        before = open_files()
        assert await asyncio.gather(*map(one, range(30))) == list(range(30))
        assert open_files() == before

    asyncio.run(story())
