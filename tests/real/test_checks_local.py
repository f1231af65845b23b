"""Do the checks of heartbeats and processes see what is really there?"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from selfheal.kinds import Run
from selfheal.observe.heartbeat import HEARTBEAT
from selfheal.observe.process import PROCESS
from tests.real.asking import NOON, Standing, named, run_of, seen
from tests.real.servers import CLOCK, build, context, outcome

# --- heartbeat ---


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


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


NIGHTLY = {"heartbeat": "0 3 * * *", "timezone": "Europe/Berlin", "grace": "30m"}


@pytest.mark.parametrize(
    ("beat", "now", "left_h"),
    [
        ("2026-06-10T03:05+02:00", "2026-06-10T12:00+02:00", 15.5),
        ("2026-06-10T03:05+02:00", "2026-06-11T03:29+02:00", 1 / 60),
        ("2026-06-10T03:05+02:00", "2026-06-11T03:31+02:00", -1 / 60),
        ("2026-06-10T02:55+02:00", "2026-06-10T12:00+02:00", -8.5),  # it came before its time
        ("2026-10-24T03:05+02:00", "2026-10-25T03:29+01:00", 1 / 60),  # summer time has ended in between
        ("2026-03-28T03:05+01:00", "2026-03-29T03:29+02:00", 1 / 60),
    ],
)
def test_a_heartbeat_by_cron_is_due_once_for_each_of_its_times(
    tmp_path: Path, beat: str, now: str, left_h: float
) -> None:
    clock = Standing(at(now))
    within = replace(context(tmp_path, None, at(beat), clock=clock), watched_since=at(now) - 60.0)
    reason, signals = seen("heartbeat", NIGHTLY, within)
    assert signals == pytest.approx({"age": at(now) - at(beat), "left": left_h * 3600.0})
    assert reason.startswith("no heartbeat for ") is (left_h < 0)
    assert not reason or reason.endswith(" h, expected one for each time of '0 3 * * *' (Europe/Berlin)")


def test_a_heartbeat_by_cron_that_never_came_is_due_after_the_first_of_its_times(tmp_path: Path) -> None:
    def left(began: str, now: str, beat: str | None = None) -> float:
        run = Run(1, 1, at(began), 0, "boot")
        last = None if beat is None else at(beat)
        table = {"heartbeat": "0 3 * * *"}
        return seen("heartbeat", table, context(tmp_path, run, last, clock=Standing(at(now))))[1]["left"]

    assert left("2026-06-10T04:00Z", "2026-06-11T03:09Z") == 60.0
    assert left("2026-06-10T04:00Z", "2026-06-11T03:11Z") == -60.0
    # A process that was started since is asked for nothing that was due before.
    assert left("2026-06-11T03:11Z", "2026-06-11T03:20Z", beat="2026-06-10T03:05Z") == 23 * 3600 + 50 * 60


def test_a_heartbeat_is_looked_at_when_it_gets_too_old(tmp_path: Path) -> None:
    assert HEARTBEAT.again_s is not None
    period = HEARTBEAT.model.model_validate({"heartbeat": 10})
    assert HEARTBEAT.again_s(period, {"age": 4.0}) == pytest.approx(11.0, abs=0.1)
    cron = HEARTBEAT.model.model_validate(NIGHTLY)
    assert HEARTBEAT.again_s(cron, {"age": 4.0, "left": 30.0}) == pytest.approx(30.0, abs=0.1)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"heartbeat": "0 25 * * *"}, "is not a cron expression"),
        ({"heartbeat": "0 3 * *"}, "has not 5 fields"),
        ({"heartbeat": "often"}, "is not a duration; write seconds"),
        ({"heartbeat": 0}, "greater than 0"),
        ({"heartbeat": "10s", "timezone": "Europe/Berlin"}, "a period is the same in every time zone"),
        ({"heartbeat": "0 3 * * *", "timezone": "Berlin"}, "is no time zone known here"),
    ],
)
def test_a_rhythm_that_none_can_keep_is_refused(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        HEARTBEAT.model.model_validate(table)


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
def child(script: str, *arguments: str) -> Iterator[Child]:
    argv = [sys.executable, "-c", script, *arguments]
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
        assert set(signals) == {"rss", "threads", "fds", "cpu", "children", "io_read", "io_write"}
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
        assert (signals["children"], alone["children"]) == (1.0, 0.0)
        assert seen("process", {"process": True, "max_children": 1}, within)[0] == ""
        assert seen("process", {"process": True, "max_children": 0}, within)[0] == "children: 1, expected at most 0"


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


WRITES = """
import os, sys
with open(sys.argv[1], "wb") as file:
    file.write(bytes(3_000_000))
    file.flush()
    os.fsync(file.fileno())
print("ready", flush=True)
sys.stdin.read()
"""


def test_what_the_disks_have_to_do_for_a_tree_is_counted_a_second(tmp_path: Path) -> None:
    def counted(pid: int) -> int:
        lines = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
        return int(lines["write_bytes"])

    with child(WRITES, str(tmp_path / "one")) as one, child(WRITES, str(tmp_path / "two")) as two:
        within = replace(context(tmp_path, one.run, clock=NOON), helpers=lambda: (two.pid,))
        _, signals = seen("process", {"process": True}, within)
        # Nothing where it is a file system in memory.
        assert signals["io_write"] == pytest.approx((counted(one.pid) + counted(two.pid)) / 10.0)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may see everything")
def test_what_belongs_to_another_user_is_measured_as_far_as_it_can_be_seen(tmp_path: Path) -> None:
    run = run_of(1, 10.0, start_ticks(1))
    _, signals = seen("process", {"process": True}, context(tmp_path, run))
    assert {"rss", "threads", "cpu", "children"} <= set(signals)
    assert not {"io_read", "io_write"} & set(signals)


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
