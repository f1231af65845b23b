"""Do the numbers of a process and of its tree agree with what it really does?"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from selfheal.kinds import Run
from selfheal.supervise import proc
from tests.real.processes import CLOCK, Yard, in_a_yard, until

BUSY = "sum(range(10**7))"  # about a third of a second


def ourselves() -> Run:
    return Run(os.getpid(), 1, 0.0, *proc.identity(os.getpid()))


def status(pid: int, name: str) -> int:
    """A number of /proc/PID/status, which is written by another part of the kernel than those that are read here."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def test_the_numbers_of_one_process_are_those_that_the_system_tells_elsewhere() -> None:
    own = proc.stat(os.getpid())
    times = os.times()
    assert own.cpu_s == pytest.approx(times.user + times.system, abs=0.05)
    assert own.reaped_cpu_s == pytest.approx(times.children_user + times.children_system, abs=0.02)
    assert (own.parent, own.group, own.session) == (os.getppid(), os.getpgrp(), os.getsid(0))
    assert own.threads == len(list(Path("/proc/self/task").iterdir()))
    assert own.state == "R"


def test_what_a_process_does_with_signals_is_told_of_each(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = place.start("sh", "-c", "trap '' HUP; trap : USR1; echo up; while :; do sleep 0.01; done")
        await place.said("up")
        does = proc.dispositions(process.run.pid)
        assert signal.SIGUSR1 in does.caught
        assert signal.SIGHUP in does.ignored
        assert not {signal.SIGUSR2, signal.SIGTERM} & (does.caught | does.ignored)
        assert process.signal_main(signal.SIGHUP) == "it ignores SIGHUP"

    in_a_yard(tmp_path, story)
    with pytest.raises(ProcessLookupError):
        proc.dispositions(2**22 + 1)


def test_memory_files_and_threads_of_a_run(tmp_path: Path) -> None:
    program = "import threading; f = [open('/dev/null') for _ in range(20)]; x = bytearray(50_000_000)"
    program += "; threading.Thread(target=threading.Event().wait).start(); print('up', flush=True)"

    async def story(place: Yard) -> None:
        process = place.start(sys.executable, "-c", program)
        await place.said("up")
        seen = proc.sample_tree(process.run)
        assert seen is not None
        assert seen.fds == 23
        assert seen.threads == 2
        assert seen.children == 0
        assert seen.rss_bytes == pytest.approx(status(process.run.pid, "VmRSS") * 1024, rel=0.05)
        assert seen.rss_bytes > 50_000_000

    in_a_yard(tmp_path, story)


def test_a_tree_is_summed_and_keeps_the_time_of_children_that_ended(tmp_path: Path) -> None:
    script = f'"{sys.executable}" -c "{BUSY}"; setsid sleep 60 & sleep 60 & echo up; wait'

    async def story(place: Yard) -> None:
        process = place.start("sh", "-c", script)
        other = place.start("sleep", "60", agent="other")
        await place.said("up")

        def tree() -> proc.ProcSample:
            seen = proc.sample_tree(process.run)
            assert seen is not None
            return seen

        await until(lambda: tree().children == 2)  # of which one leads a session of its own
        assert tree().threads == 3
        assert tree().cpu_s > 0.05
        both = proc.sample_all([process.run, other.run])
        assert both[process.run.pid].children == 2
        assert both[other.run.pid].children == 0

    in_a_yard(tmp_path, story)


def test_what_outlives_the_first_process_of_a_run_is_still_counted(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = place.start("sh", "-c", "sleep 60 & echo up")
        await place.exit_of(process)
        seen = proc.sample_tree(process.run)
        assert seen is not None
        assert (seen.state, seen.children) == ("X", 1)

    in_a_yard(tmp_path, story)


def test_a_run_that_is_gone_has_no_numbers(tmp_path: Path) -> None:
    async def story(place: Yard) -> None:
        process = place.start("true")
        await place.exit_of(process)
        assert proc.sample_tree(process.run) is None
        with pytest.raises(ProcessLookupError):
            proc.state(process.run.pid)
        alive = place.start("sleep", "60").run
        assert proc.sample_tree(replace(alive, start_ticks=alive.start_ticks - 1)) is None

    in_a_yard(tmp_path, story)


def test_a_name_with_blanks_and_parentheses_does_not_confuse(tmp_path: Path) -> None:
    program = tmp_path / "a) R (b"
    program.symlink_to("/bin/sleep")

    async def story(place: Yard) -> None:
        run = place.start("./a) R (b", "60").run
        await until(lambda: Path(f"/proc/{run.pid}/comm").read_text() == "a) R (b\n")
        assert proc.stat(run.pid).parent == os.getpid()

    in_a_yard(tmp_path, story)


def test_the_start_of_a_process_is_told_in_wall_time() -> None:
    began = proc.started_at(ourselves().start_ticks, CLOCK.now())
    assert 0 < CLOCK.now() - began < 3600
    assert proc.started_at(proc.boot_ticks(), 5000.0) == pytest.approx(5000.0, abs=0.02)


def test_the_environment_of_a_program_that_is_just_being_set_up_is_waited_for() -> None:
    """On one processor, a start returns before the new program has its environment: it used to pass for nobody's."""
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(processors)})
    try:
        for _ in range(20):
            pid = os.posix_spawn("/bin/sleep", ["sleep", "60"], {"WHOSE": "ours"})
            seen = proc.environment(pid)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            assert seen[0] == b"WHOSE=ours"
    finally:
        os.sched_setaffinity(0, processors)


def test_a_process_without_an_environment_has_none() -> None:
    pid = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
    try:
        assert not any(proc.environment(pid))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    assert proc.environment(pid) == []
