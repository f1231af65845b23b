"""Do real processes begin as configured, and is every end of one seen?"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from selfheal.errors import SpawnFailed
from selfheal.kinds import Run
from selfheal.supervise import marks, proc
from selfheal.supervise.launcher import Exit, Launch, Process
from tests.real.processes import CLOCK, ENVIRONMENT, Yard, in_a_yard, open_files, until

NOBODY_MAY = "only root can become another user"


@pytest.mark.parametrize(
    ("script", "end", "words"),
    [
        ("exit 0", Exit(0, None), "exit code 0"),
        ("exit 3", Exit(3, None), "exit code 3"),
        ("kill -9 $$", Exit(None, signal.SIGKILL), "killed by SIGKILL"),
        ("kill -40 $$", Exit(None, 40), "killed by signal 40"),
    ],
)
def test_the_end_of_a_process_is_told_with_its_code_or_signal(
    tmp_path: Path, script: str, end: Exit, words: str
) -> None:
    async def story(place: Yard) -> None:
        told = await place.exit_of(place.start("sh", "-c", script))
        assert told == end
        assert str(told) == words
        assert told.clean == (script == "exit 0")

    in_a_yard(tmp_path, story)


def test_an_unknown_end_is_not_a_clean_one() -> None:
    assert not Exit(None, None).clean
    assert str(Exit(None, None)) == "ended in a way that is not known"


def test_a_process_runs_where_and_with_what_it_was_told(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        here = Path.cwd()
        script = "pwd; echo to-stderr >&2; echo mark=$SELFHEAL_ID x=$X; cat; ps -o sid= -p $$; echo end"
        launch = replace(place.launch("sh", "-c", script), environment={**ENVIRONMENT, "X": "a b"})
        process = place.spawn(launch, generation=7)
        said = (await place.said("end")).split("\n")
        assert said[0] == str(tmp_path)
        assert said[1] == "to-stderr"
        assert said[2] == f"mark={tmp_path}/api:7 x=a b"
        assert int(said[3]) == process.run.pid  # and `cat` has met the end of its input
        assert launch.log.stat().st_mode & 0o777 == 0o600
        assert Path.cwd() == here

    in_a_yard(tmp_path, story)


def test_what_a_run_wrote_stays_when_the_next_one_begins(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        await place.exit_of(place.start("echo", "first"))
        await place.exit_of(place.start("echo", "second"))
        assert await place.said("second") == "first\nsecond\n"

    in_a_yard(tmp_path, story)


def test_a_process_gets_no_signal_settings_of_the_daemon(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            assert await place.exit_of(place.start("grep", "^Sig[BI]", "/proc/self/status")) == Exit(0, None)
        finally:
            signal.signal(signal.SIGHUP, before)
        masks = [int(line.split()[1], 16) for line in (await place.said("SigIgn")).splitlines()]
        assert [mask & 0x7FFFFFFF for mask in masks] == [0, 0]  # 1 to 31; the C library ignores 32 and 33 for itself

    in_a_yard(tmp_path, story)


def test_a_process_gets_no_open_file_that_the_daemon_was_itself_given(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        await place.exit_of(place.start("ls", "/proc/self/fd"))
        assert (await place.said("3")).split() == ["0", "1", "2", "3"]  # 3 is the folder that `ls` reads

    inherited = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    in_a_yard(tmp_path, story)
    os.close(inherited)


def test_a_process_has_the_priority_and_the_umask_that_it_was_given(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        before = os.umask(0o022)
        try:
            launch = place.launch("sh", "-c", "umask; touch made; cut -d' ' -f19 /proc/self/stat; echo end")
            place.spawn(replace(launch, umask="027", nice=7))
            assert (await place.said("end")).split() == ["0027", "7", "end"]
            assert (tmp_path / "made").stat().st_mode & 0o777 == 0o640
            assert os.umask(0o022) == 0o022, "ours is as it was"
            assert os.getpriority(os.PRIO_PROCESS, 0) < 7
        finally:
            os.umask(before)

    in_a_yard(tmp_path, story)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may give any priority")
def test_a_priority_that_we_may_not_give_starts_nothing(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        with pytest.raises(SpawnFailed, match="with nice -20: this user may not go below") as failed:
            place.spawn(replace(place.launch("sleep", "60"), nice=-20))
        assert failed.value.cause == "permission"
        assert place.marked() == []

    in_a_yard(tmp_path, story)


def test_a_run_is_known_by_more_than_its_pid(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        before = CLOCK.now()
        for generation in range(50):  # some of them begin at the turn of a tick
            run = place.spawn(place.launch("sleep", "60"), generation).run
            assert (run.start_ticks, run.boot_id) == proc.identity(run.pid)
            assert run.generation == generation
            assert before <= run.started_at <= CLOCK.now()

    in_a_yard(tmp_path, story)


def test_the_next_run_can_begin_in_the_callback_that_tells_of_the_end(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        launch = place.launch("true")
        runs: list[Run] = []

        def again(process: Process, end: Exit) -> None:
            place.ended(process, end)
            runs.append(process.run)
            if len(runs) < 5:
                place.launcher.spawn(launch, len(runs) + 1, again)

        place.launcher.spawn(launch, 1, again)
        await until(lambda: len(runs) == 5)
        assert [run.generation for run in runs] == [1, 2, 3, 4, 5]

    in_a_yard(tmp_path, story)


def test_a_hundred_that_die_at_once_are_all_told(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        fleet = [place.start("sleep", "60", agent=f"a{index}") for index in range(100)]
        for process in fleet:
            process.signal_group(signal.SIGKILL)
        await until(lambda: len(place.exits) == 100)
        assert set(place.exits.values()) == {Exit(None, signal.SIGKILL)}

    in_a_yard(tmp_path, story)


def test_three_hundred_starts_cost_no_file_descriptor(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        launch = place.launch("true")
        await place.exit_of(place.spawn(launch))
        before = open_files()
        for generation in range(300):
            await place.exit_of(place.spawn(launch, generation))
        with pytest.raises(SpawnFailed):
            place.spawn(place.launch("no-such-program"))
        assert open_files() == before
        place.launcher.close()
        assert open_files() == before - 1  # the folder to come back to

    in_a_yard(tmp_path, story)


def test_asyncio_still_sees_the_ends_of_its_own_children(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        mine = place.start("sh", "-c", "exit 5")
        other = await asyncio.create_subprocess_exec("sh", "-c", "exit 6")
        assert await other.wait() == 6
        assert await place.exit_of(mine) == Exit(5, None)

    in_a_yard(tmp_path, story)


def refused(place: Yard, launch: Launch) -> SpawnFailed:
    with pytest.raises(SpawnFailed) as caught:
        place.spawn(launch)
    assert str(caught.value).startswith("cannot start ")
    return caught.value


def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    plain, script, binary, folder = (tmp_path / name for name in ("plain", "script", "binary", "folder"))
    plain.write_text("echo hello")
    script.write_text("#!/no/such/shell\n")
    binary.write_bytes(b"\x00\x01\x02")
    folder.mkdir()
    script.chmod(0o700)
    binary.chmod(0o700)

    async def story(place: Yard) -> None:
        good = place.launch("true")
        before = open_files()
        for broken, cause, words in (
            (place.launch("no-such-program"), "missing_program", "in no directory of PATH"),
            (place.launch("./nothing"), "missing_program", "there is no such file"),
            (place.launch("./plain"), "permission", "is not executable"),
            (place.launch("./folder"), "missing_program", "there is no such file"),
            (place.launch("./script"), "missing_program", "the interpreter that its first line names"),
            (place.launch("./binary"), "bad_configuration", "neither a program for this machine nor a script"),
            (place.launch("true", "a\0b"), "bad_configuration", "embedded null byte"),
            (place.launch("true", "x" * 3_000_000), "bad_configuration", "too long"),
            (place.launch("true", user="no-such-user"), "bad_configuration", "there is no user 'no-such-user'"),
            (replace(good, directory=tmp_path / "gone"), "bad_configuration", "does not exist"),
            (replace(good, directory=plain), "bad_configuration", "is not a directory"),
            (replace(good, log=plain / "api.log"), "bad_configuration", "its log"),
        ):
            error = refused(place, broken)
            assert (error.cause, words in str(error)) == (cause, True), str(error)
        assert open_files() == before
        assert place.exits == {}

    in_a_yard(tmp_path, story)


def test_the_program_is_looked_up_on_the_path_of_the_agent(tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho found $0\n")
    tool.chmod(0o700)

    async def story(place: Yard) -> None:
        relative = replace(place.launch("tool"), environment={"PATH": "bin:/usr/bin"})
        assert await place.exit_of(place.spawn(relative)) == Exit(0, None)
        assert await place.said("found") == f"found {tool}\n"

    in_a_yard(tmp_path, story)


def test_a_program_that_moved_since_the_last_start_is_found_again(tmp_path: Path) -> None:
    places = tmp_path / "new", tmp_path / "old"
    for folder in places:
        folder.mkdir()
    tool = places[1] / "tool"
    tool.write_text("#!/bin/sh\nexit 4\n")
    tool.chmod(0o700)

    async def story(place: Yard) -> None:
        launch = replace(place.launch("tool"), environment={"PATH": ":".join(map(str, places))})
        await place.exit_of(place.spawn(launch))
        tool.rename(places[0] / "tool")
        launch.log.unlink()
        launch.log.parent.rmdir()
        assert await place.exit_of(place.spawn(launch, 2)) == Exit(4, None)
        (places[0] / "tool").unlink()
        assert refused(place, launch).cause == "missing_program"

    in_a_yard(tmp_path, story)


def test_a_limit_of_open_files_is_set(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        # It waits for its limit, which is set right after the start.
        place.spawn(place.launch("sh", "-c", "while [ $(ulimit -n) != 77 ]; do :; done; echo limited", max_fds=77))
        await place.said("limited")
        place.spawn(place.launch("sleep", "60", agent="greedy", max_fds=1 << 40))

    in_a_yard(tmp_path, story)


@pytest.mark.skipif(os.geteuid() != 0, reason=NOBODY_MAY)
def test_a_process_runs_as_the_user_of_its_configuration(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        launch = replace(place.launch("sh", "-c", "id -un; echo $X", user="nobody"), directory=Path("/"))
        launch = replace(launch, environment={**ENVIRONMENT, "PATH": "/usr/bin:/bin", "X": "kept"})
        assert await place.exit_of(place.spawn(launch)) == Exit(0, None)
        assert await place.said("kept") == "nobody\nkept\n"
        as_ourselves = place.launch("id", "-un", agent="me", user="root")
        assert await place.exit_of(place.spawn(as_ourselves)) == Exit(0, None)

    in_a_yard(tmp_path, story)


@pytest.mark.skipif(os.geteuid() != 0, reason=NOBODY_MAY)
def test_a_limit_of_open_files_holds_for_another_user_however_soon_that_takes_over(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        launch = replace(
            place.launch("sh", "-c", "ulimit -n", user="nobody", max_fds=123),
            directory=Path("/"),
            environment={**ENVIRONMENT, "PATH": "/usr/bin:/bin"},
        )
        # In a container root may not set it any more once the user is another: with many at once some are so soon.
        processes = [place.spawn(replace(launch, agent=f"api{number}")) for number in range(60)]
        assert [await place.exit_of(process) for process in processes] == [Exit(0, None)] * 60
        assert launch.log.read_text().split() == ["123"] * 60

    in_a_yard(tmp_path, story)


def orphan(marker: str, *argv: str) -> Run:
    """A process as a dead daemon leaves it: its parent has ended."""
    start = "import subprocess,sys; print(subprocess.Popen(sys.argv[1:], start_new_session=True, stdout=2).pid)"
    environment = {**ENVIRONMENT, marks.VARIABLE: marks.mark(marker, "api:0", 3)}
    made = subprocess.run(
        [sys.executable, "-c", start, *argv], env=environment, check=True, stdout=subprocess.PIPE, timeout=10
    )
    return Run(int(made.stdout), 3, 0.0, *proc.identity(int(made.stdout)))


def test_an_orphan_is_adopted_and_its_end_is_told(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        run = orphan(str(tmp_path), "sleep", "60")
        process = place.launcher.adopt(run, "api:0", place.ended)
        assert process is not None
        assert process.run == run
        assert process.group_alive()
        process.signal_group(signal.SIGTERM)
        assert await place.exit_of(process) in (Exit(None, None), Exit(None, signal.SIGTERM))
        assert not process.group_alive()
        assert place.launcher.adopt(run, "api:0", place.ended) is None

    in_a_yard(tmp_path, story)


def test_only_the_very_same_process_is_adopted(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        run = place.start("sleep", "60").run
        before = open_files()
        assert place.launcher.adopt(replace(run, start_ticks=run.start_ticks + 1), "api", place.ended) is None
        assert place.launcher.adopt(replace(run, boot_id="another"), "api", place.ended) is None
        assert place.launcher.adopt(replace(run, pid=2**22), "api", place.ended) is None
        assert open_files() == before

    in_a_yard(tmp_path, story)


def test_what_an_earlier_daemon_left_is_found_by_its_mark(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        mine = place.start("sh", "-c", "sleep 60 & wait")
        left = orphan(str(tmp_path), "sleep", "60")
        stranger = orphan(f"{tmp_path}x", "sleep", "60")
        try:
            found = place.launcher.leftovers()
            assert [(agent, run.pid, run.generation) for agent, run in found] == [
                ("api", mine.run.pid, 1),
                ("api:0", left.pid, 3),
            ]
            assert found[1][1] == replace(left, started_at=found[1][1].started_at)
            assert abs(found[1][1].started_at - CLOCK.now()) < 30
        finally:
            os.kill(left.pid, signal.SIGKILL)
            os.kill(stranger.pid, signal.SIGKILL)

    in_a_yard(tmp_path, story)


def reap(process: Process) -> None:
    os.waitpid(process.run.pid, 0)


def test_processes_outlive_the_launcher(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = place.start("sleep", "60")
        place.launcher.close()
        assert process.group_alive()
        process.signal_group(signal.SIGKILL)
        await until(lambda: not process.group_alive())
        assert place.exits == {}
        reap(process)

    in_a_yard(tmp_path, story)


def test_a_child_that_cannot_be_watched_is_not_left_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(pid: int) -> int:
        raise OSError(24, "Too many open files")

    async def story(place: Yard) -> None:
        monkeypatch.setattr(os, "pidfd_open", no_more)
        assert refused(place, place.launch("sleep", "60")).cause == "out_of_fds"
        assert place.launcher.leftovers() == []

    in_a_yard(tmp_path, story)
