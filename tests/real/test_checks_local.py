"""Do the checks of commands, heartbeats, files and processes see what is really there?"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from selfheal.clock import RealClock
from selfheal.errors import CheckFailed
from selfheal.kinds import CheckContext, CheckKind, Completed, Run
from selfheal.observe.command import COMMAND
from selfheal.observe.files import FILE
from selfheal.observe.heartbeat import HEARTBEAT
from selfheal.observe.process import PROCESS
from tests.real.counterparts import program
from tests.real.servers import CLOCK, build, cause, context, outcome


class Standing(RealClock):
    """A clock that stands still, so that ages are exact."""

    def __init__(self) -> None:
        self._now = CLOCK.now()

    def now(self) -> float:
        return self._now


NOON = Standing()


async def run_command(
    argv: tuple[str, ...], *, directory: Path, environment: Mapping[str, str], timeout_s: float
) -> Completed:
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    async with asyncio.timeout(timeout_s):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return Completed(process.returncode, output.decode(), 0.25)


def seen(check: str, table: Mapping[str, object], within: CheckContext) -> tuple[str, Mapping[str, float]]:
    kinds = {kind.name: kind for kind in (COMMAND, HEARTBEAT, FILE, PROCESS)}
    return asyncio.run(outcome(build(kinds[check], table, within)))


def named(check: CheckKind, table: Mapping[str, object], within: CheckContext) -> str | None:
    return asyncio.run(cause(build(check, table, within)))


# --- command ---


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo all is well", ""),
        ("echo 'WARNING - disk 91% full'; echo details; exit 1", "exit 1: WARNING - disk 91% full"),
        ("echo; echo 'CRITICAL - down'; exit 2", "exit 2: CRITICAL - down"),
        ("echo to stderr >&2; exit 3", "exit 3: to stderr"),
        ("exit 4", "exit 4"),
        ("kill -9 $$", "killed by SIGKILL"),
        ("test -f here && test $GREETING = hello", ""),
    ],
)
def test_a_command_is_run_where_the_agent_is_and_its_first_line_is_the_reason(
    tmp_path: Path, script: str, reason: str
) -> None:
    (tmp_path / "here").touch()
    within = context(tmp_path, run_command=run_command)
    assert seen("command", {"command": ["sh", "-c", script]}, within) == (reason, {"duration": 0.25})


def test_of_a_traceback_the_last_line_is_the_reason(tmp_path: Path) -> None:
    within = context(tmp_path, run_command=run_command)
    reason, _ = seen("command", {"command": [sys.executable, "-c", "raise KeyError('stock')"]}, within)
    assert reason == "exit 1: KeyError: 'stock'"


def plugin(tmp_path: Path, argv: list[str], **table: object) -> tuple[str, str, Mapping[str, float]]:
    """What a plugin comes to: the result, the reason and the signals but for the duration."""

    async def story() -> tuple[str, str, Mapping[str, float]]:
        check = build(COMMAND, {"command": argv, "nagios": True, **table}, context(tmp_path, run_command=run_command))
        try:
            found = await check.run()
        except CheckFailed as why:
            return why.result, why.reason, without(getattr(why, "signals", {}))
        return "ok", "", without(found)

    def without(signals: Mapping[str, float]) -> Mapping[str, float]:
        return {name: value for name, value in signals.items() if name != "duration"}

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'OK | a=1 b=20ms'", ("ok", "", {"a": 1.0, "b": 0.02})),
        ("echo 'SLOW | took=3s;2;5'; exit 1", ("failed", "exit 1: SLOW", {"took": 3.0})),
        ("echo 'DOWN|x=0'; exit 2", ("failed", "exit 2: DOWN", {"x": 0.0})),
        ("echo 'no idea|x=0'; exit 3", ("error", "exit 3: no idea", {})),
        ("echo odd; exit 4", ("failed", "exit 4: odd", {})),
        ("kill -9 $$", ("failed", "killed by SIGKILL", {})),
    ],
)
def test_a_plugin_of_nagios_is_understood_with_its_numbers(tmp_path: Path, script: str, expected: object) -> None:
    assert plugin(tmp_path, ["sh", "-c", script]) == expected


def test_a_warning_can_be_well_enough(tmp_path: Path) -> None:
    warning = ["sh", "-c", "echo 'SLOW | took=3s'; exit 1"]
    assert plugin(tmp_path, warning, warning="ok") == ("ok", "", {"took": 3.0})
    with pytest.raises(ValidationError, match="add nagios = true, or take 'warning' out"):
        COMMAND.model.model_validate({"command": "true", "warning": "ok"})


def test_real_plugins_are_understood(tmp_path: Path) -> None:
    dummy = program("check_dummy", "monitoring-plugins-basic")
    assert [plugin(tmp_path, [dummy, str(code), "so"])[:2] for code in range(4)] == [
        ("ok", ""), ("failed", "exit 1: WARNING: so"), ("failed", "exit 2: CRITICAL: so"),
        ("error", "exit 3: UNKNOWN: so"),
    ]  # fmt: skip
    load = program("check_load", "monitoring-plugins-basic")
    result, _, found = plugin(tmp_path, [load, "-w", "9999", "-c", "9999"])
    assert (result, set(found)) == ("ok", {"load1", "load5", "load15"})


# --- heartbeat ---


def run_of(pid: int, started_ago_s: float, start_ticks: int = 0) -> Run:
    return Run(pid, 1, NOON.now() - started_ago_s, start_ticks, "boot")


@pytest.mark.parametrize(
    ("started_ago_s", "beat_ago_s", "reason"),
    [
        (100.0, 3.0, ""),
        (100.0, 14.0, ""),
        (100.0, 17.0, "no heartbeat for 17 s, expected one every 10 s"),
        (14.0, None, ""),
        (17.0, None, "no heartbeat in the 17 s since it was started, expected one every 10 s"),
        (3.0, 60.0, ""),
        (17.0, 60.0, "no heartbeat in the 17 s since it was started, expected one every 10 s"),
    ],
)
def test_a_heartbeat_counts_from_the_last_beat_or_the_start_with_half_a_period_of_grace(
    tmp_path: Path, started_ago_s: float, beat_ago_s: float | None, reason: str
) -> None:
    beat = None if beat_ago_s is None else NOON.now() - beat_ago_s
    said, signals = seen(
        "heartbeat", {"heartbeat": "10s"}, context(tmp_path, run_of(1, started_ago_s), beat, clock=NOON)
    )
    assert said == reason
    assert signals["age"] == pytest.approx(min(started_ago_s, beat_ago_s or started_ago_s), abs=1e-3)


def test_a_heartbeat_that_is_left_out_is_named_as_a_hang(tmp_path: Path) -> None:
    assert named(HEARTBEAT, {"heartbeat": 10}, context(tmp_path, run_of(1, 60.0), clock=NOON)) == "hung"


def test_the_grace_of_a_heartbeat_can_be_set(tmp_path: Path) -> None:
    within = context(tmp_path, run_of(1, 100.0), NOON.now() - 14.0, clock=NOON)
    assert seen("heartbeat", {"heartbeat": 10, "grace": 0}, within)[0].startswith("no heartbeat for 14 s")
    assert seen("heartbeat", {"heartbeat": 10, "grace": "1m"}, within)[0] == ""


@pytest.mark.parametrize(("check", "value"), [("heartbeat", "10s"), ("process", True)])
def test_without_a_process_there_is_nothing_to_be_well(tmp_path: Path, check: str, value: object) -> None:
    assert seen(check, {check: value}, context(tmp_path)) == ("no process", {})


@pytest.mark.parametrize(
    ("watched_ago_s", "beat_ago_s", "reason"),
    [
        (14.0, None, ""),
        (17.0, None, "no heartbeat in the 17 s since it is watched, expected one every 10 s"),
        (100.0, 3.0, ""),
        (100.0, 17.0, "no heartbeat for 17 s, expected one every 10 s"),
        (3.0, 60.0, ""),
    ],
)
def test_without_a_process_of_ours_a_heartbeat_counts_from_the_begin_of_the_watch(
    tmp_path: Path, watched_ago_s: float, beat_ago_s: float | None, reason: str
) -> None:
    beat = None if beat_ago_s is None else NOON.now() - beat_ago_s
    within = replace(context(tmp_path, None, beat, clock=NOON), watched_since=NOON.now() - watched_ago_s)
    assert seen("heartbeat", {"heartbeat": "10s"}, within)[0] == reason


# --- file ---


def test_a_file_is_found_from_the_directory_of_the_agent_and_measured(tmp_path: Path) -> None:
    file = tmp_path / "out" / "report.txt"
    file.parent.mkdir()
    file.write_bytes(b"x" * 1234)
    os.utime(file, (0, NOON.now() - 50))
    reason, signals = seen("file", {"file": "out/report.txt"}, context(tmp_path, clock=NOON))
    assert reason == ""
    assert signals == {"age": pytest.approx(50, abs=1e-3), "size": 1234.0}
    assert seen("file", {"file": str(file)}, context(Path("/")))[0] == ""


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"max_age": "1m"}, ""),
        ({"max_age": 30}, "was last written 50 s ago, expected within 30 s"),
        ({"min_size": "1KB", "max_size": "2KB"}, ""),
        ({"min_size": "2KB"}, "has 1.234 KB, expected at least 2 KB"),
        ({"max_size": "1KB"}, "has 1.234 KB, expected at most 1 KB"),
        ({"contains": "done"}, ""),
        ({"contains": "/d.ne$/"}, ""),
        ({"contains": "failed"}, "does not contain 'failed' in its last 64 KiB"),
    ],
)
def test_age_size_and_content_of_a_file_are_judged(tmp_path: Path, table: dict[str, object], reason: str) -> None:
    file = tmp_path / "report.txt"
    file.write_bytes(b"x" * 1230 + b"done")
    os.utime(file, (0, NOON.now() - 50))
    said, signals = seen("file", {"file": "report.txt", **table}, context(tmp_path, clock=NOON))
    assert said == (f"'{file}' {reason}" if reason else "")
    assert signals["size"] == 1234.0


def test_a_file_that_is_old_or_missing_is_stale_and_any_other_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_bytes(b"x" * 1234)
    os.utime(tmp_path / "report.txt", (0, NOON.now() - 50))
    causes = [
        named(FILE, {"file": "report.txt", **table}, context(tmp_path, clock=NOON))
        for table in (
            {"max_age": 30, "max_size": "1KB"},
            {"max_size": "1KB"},
            {"min_size": "2KB"},
            {"contains": "y"},
            {},
        )
    ]
    assert causes == ["stale", "wrong_answer", "wrong_answer", "wrong_answer", None]
    assert named(FILE, {"file": "nothing"}, context(tmp_path)) == "stale"


def test_only_the_end_of_a_long_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"early" + b"x" * 1_000_000 + b"late")
    assert seen("file", {"file": "log", "contains": "late"}, context(tmp_path))[0] == ""
    assert "does not contain 'early'" in seen("file", {"file": "log", "contains": "early"}, context(tmp_path))[0]


def test_a_file_that_is_not_there_fails_and_so_does_one_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("nothing", "file/below"):
        assert seen("file", {"file": name}, context(tmp_path)) == (f"'{tmp_path / name}' does not exist", {})


def test_a_pipe_is_not_opened_to_look_into_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reason, _ = seen("file", {"file": "pipe", "contains": "x"}, context(tmp_path))
    assert reason.endswith("is not a regular file, so there is nothing to read")


def test_sizes_that_no_file_can_have_are_refused() -> None:
    with pytest.raises(ValidationError, match="min_size is larger than max_size"):
        FILE.model.model_validate({"file": "x", "min_size": 2, "max_size": 1})


# --- process ---

# Holds 60 MB and three more threads, says so, and waits until its input ends.
HUNGRY = """
import sys, threading
held = b"x" * 60_000_000
done = threading.Event()
for _ in range(3):
    threading.Thread(target=done.wait).start()
print("ready", flush=True)
sys.stdin.read()
done.set()
"""

BUSY = "print('ready', flush=True)\nwhile True: pass"


@dataclass(frozen=True)
class Child:
    pid: int
    run: Run


def start_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@contextmanager
def child(script: str) -> Iterator[Child]:
    argv = [sys.executable, "-c", script]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield Child(process.pid, run_of(process.pid, 10.0, start_ticks(process.pid)))
        finally:
            process.kill()


def test_a_process_is_measured_and_held_to_its_limits(tmp_path: Path) -> None:
    with child(HUNGRY) as hungry:
        within = context(tmp_path, hungry.run)
        reason, signals = seen("process", {"process": True, "max_rss": "1GB", "max_threads": 4, "max_cpu": 8}, within)
        assert reason == ""
        assert set(signals) == {"rss", "threads", "fds", "cpu"}
        assert 60e6 < signals["rss"] < 200e6
        assert signals["threads"] == 4.0
        assert signals["fds"] == float(len(list(Path(f"/proc/{hungry.pid}/fd").iterdir())))
        for limit, value, said in [
            ("max_rss", "50MB", " MB is over 50 MB"),
            ("max_threads", 3, "4 threads are over 3"),
            ("max_fds", 2, "3 open files are over 2"),
        ]:
            reason, measured = seen("process", {"process": True, limit: value}, within)
            assert said in reason
            assert measured["rss"] > 60e6
        limits = ({"max_rss": "50MB"}, {"max_fds": 2}, {"max_threads": 3})
        named_causes = [named(PROCESS, {"process": True, **limit}, within) for limit in limits]
        assert named_causes == ["out_of_memory", "out_of_fds", ""]


def test_what_a_process_has_started_is_measured_with_it(tmp_path: Path) -> None:
    with child(HUNGRY) as main, child(HUNGRY) as helper:
        alone = seen("process", {"process": True}, context(tmp_path, main.run))[1]
        within = replace(context(tmp_path, main.run), helpers=lambda: (helper.pid, 2**22 + 5))  # one has ended
        reason, signals = seen("process", {"process": True, "max_rss": "110MB"}, within)
        assert "is over 110 MB" in reason
        assert signals["rss"] > alone["rss"] + 50e6
        assert (signals["threads"], signals["fds"]) == (8.0, alone["fds"])


def test_cpu_is_counted_in_cores_from_check_to_check(tmp_path: Path) -> None:
    with child(BUSY) as busy:
        run = replace(busy.run, started_at=CLOCK.now() - 1e6)
        check = build(PROCESS, {"process": True, "max_cpu": 0.1}, context(tmp_path, run))

        async def story() -> None:
            reason, signals = await outcome(check)
            assert reason == ""
            assert signals["cpu"] < 0.01
            async with asyncio.timeout(20.0):
                while reason == "":
                    await CLOCK.sleep(0.1)
                    reason, signals = await outcome(check)
            assert reason == f"cpu {signals['cpu']:.2f} cores is over 0.1"
            assert 0.1 < signals["cpu"] < 1.2

        asyncio.run(story())


def test_a_process_younger_than_its_ticks_can_tell_has_no_cpu_share_yet(tmp_path: Path) -> None:
    with child(BUSY) as busy:
        run = replace(busy.run, started_at=CLOCK.now())
        assert "cpu" not in seen("process", {"process": True, "max_cpu": 0.01}, context(tmp_path, run))[1]


def test_a_stopped_process_is_not_well(tmp_path: Path) -> None:
    with child(HUNGRY) as hungry:
        os.kill(hungry.pid, signal.SIGSTOP)
        while state(hungry.pid) != "T":
            pass
        assert (
            seen("process", {"process": True}, context(tmp_path, hungry.run))[0] == "the process is stopped (SIGSTOP)"
        )
        assert named(PROCESS, {"process": True}, context(tmp_path, hungry.run)) == "hung"
        os.kill(hungry.pid, signal.SIGCONT)


def test_a_process_that_has_ended_is_not_well_reaped_or_not(tmp_path: Path) -> None:
    with child(HUNGRY) as hungry:
        within = context(tmp_path, hungry.run)
        os.kill(hungry.pid, signal.SIGKILL)
        os.waitid(os.P_PID, hungry.pid, os.WEXITED | os.WNOWAIT)
        assert seen("process", {"process": True}, within)[0] == "the process has ended and waits to be reaped"
    assert seen("process", {"process": True}, within)[0] == "the process is gone"


def test_another_process_of_the_same_pid_is_not_taken_for_it(tmp_path: Path) -> None:
    with child(HUNGRY) as hungry:
        earlier = replace(hungry.run, start_ticks=hungry.run.start_ticks - 1)
        assert seen("process", {"process": True}, context(tmp_path, earlier))[0] == (
            "the process is gone, and another one has its pid"
        )
