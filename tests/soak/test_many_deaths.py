"""Does a daemon that dies a thousand times, on a busy machine, lose nothing and start nothing twice?"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.real.daemon_process import CLOCK
from tests.real.test_daemon_crash import kill_again_and_again

KILLS, HOUSES = 1000, 2  # two fleets at a time: most of a life is waiting
NICE = 10


@contextmanager
def load() -> Iterator[None]:
    """A niced process that computes on each processor."""
    command = ["nice", "-n", str(NICE), sys.executable, "-ISc", "while True: pass"]
    busy = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


@pytest.mark.timeout(3600)
def test_a_thousand_kills_under_load_lose_nothing_that_was_shown_and_start_nothing_twice() -> None:
    begin = CLOCK.monotonic()
    with load(), ThreadPoolExecutor(HOUSES) as at_a_time:
        list(at_a_time.map(kill_again_and_again, [KILLS // HOUSES] * HOUSES, range(HOUSES)))
    print(f"\n{KILLS} deaths of the daemon in {CLOCK.monotonic() - begin:.0f} s")
