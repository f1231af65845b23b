"""Is what is read of a process what psutil says of it, and is nothing left open?"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from selfheal.observe.process_files import ProcessFiles
from tests.real.daemon_process import until

BUSY = """
import os, threading, time
held = [open(os.devnull) for _ in range(7)]
go = threading.Event()
for _ in range(5):
    threading.Thread(target=go.wait, daemon=True).start()
memory = bytearray(30_000_000)
begin = time.process_time()
while time.process_time() - begin < 0.2:
    pass
print("ready", flush=True)
go.wait()
"""


@pytest.fixture(scope="module")
def busy() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        until(lambda: psutil.Process(process.pid).status() == "sleeping")
        yield process.pid
        process.kill()


def test_the_values_are_those_of_psutil(busy: int) -> None:
    files, known = ProcessFiles(busy), psutil.Process(busy)
    reading, times = files.read(), known.cpu_times()
    assert reading.cpu_s == pytest.approx(times.user + times.system)
    assert reading.children_cpu_s == pytest.approx(times.children_user + times.children_system)
    assert reading.rss_bytes == known.memory_info().rss
    assert reading.fds == known.num_fds()
    assert reading.threads == known.num_threads() == 6
    assert reading.io == (known.io_counters().read_bytes, known.io_counters().write_bytes)
    assert reading.state == "S"
    files.close()


def test_what_is_kept_open_goes_on_to_tell_the_truth(busy: int) -> None:
    files = ProcessFiles(busy)
    first = files.read()
    os.kill(busy, 19)
    try:
        os.waitid(os.P_PID, busy, os.WSTOPPED)
        assert files.read().state == "T"
    finally:
        os.kill(busy, 18)
        os.waitid(os.P_PID, busy, os.WCONTINUED)
    assert files.read().start_ticks == first.start_ticks
    files.close()


def test_of_a_process_that_has_ended_and_was_buried_nothing_is_told() -> None:
    process = subprocess.Popen(["true"])
    kept = ProcessFiles(process.pid)
    assert kept.read().threads == 1
    process.wait()
    for files in (kept, ProcessFiles(process.pid)):
        with pytest.raises((ProcessLookupError, FileNotFoundError)):
            files.read()
        files.close()


def test_half_of_the_descriptors_are_left_to_others(busy: int) -> None:
    before = _open_files()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * (before + 5), hard))
    try:
        many = [ProcessFiles(busy) for _ in range(before + 10)]
        assert len({files.read().threads for files in many}) == 1
        assert _open_files() <= before + 9
        for files in many:
            files.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert _open_files() == before


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
