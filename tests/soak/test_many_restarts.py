"""Does a daemon that has restarted its agents ten thousand times hold no more than after the first thousand?

The fleet is that of the benchmarks: tiny programs that say when they begin, under the whole daemon.
"""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks.fleet import Fleet, Run
from benchmarks.gauges import memory
from benchmarks.peers import SELFHEAL, ready_s
from benchmarks.programs import build
from selfheal.world.agents import SHORT_RUN_S
from tests.real.daemon_process import CLOCK, until

FLEET = 500
RESTARTS = 10_000
WINDOW = 1_000
BATCH = 50
# Each agent dies again only when its run was no short one: what is tested is not the back-off.
PACE_S = SHORT_RUN_S * 1.05 * BATCH / FLEET
# The first saving of the views and the first sweeps have made what they keep.
SETTLE_S = 5.0
BACK_S = 30.0
RSS_MAY_GROW = 1.10
# asyncio's pool is filled one by one, when all of its threads happen to be busy; beside it the loop and the log.
THREADS = min(32, (os.cpu_count() or 1) + 4) + 2


class Held(NamedTuple):
    """What the daemon holds: MB, descriptors, threads."""

    rss_mb: float
    fds: int
    threads: int


@pytest.mark.timeout(3600)
def test_ten_thousand_restarts_leave_memory_and_descriptors_as_they_were_and_no_thread_too_many(tmp_path: Path) -> None:
    with Fleet(SELFHEAL, build(tmp_path), Run(FLEET)) as fleet:
        fleet.all_up()
        ready_s(fleet)
        pause(SETTLE_S)
        turn = deque(sorted(fleet.alive))
        held = [restart(fleet, turn, WINDOW) for _ in range(RESTARTS // WINDOW)]
        first, last = held[0], held[-1]
        told = "\n".join(f"{(number + 1) * WINDOW}: {one}" for number, one in enumerate(held))
        print(f"\n{told}")
        assert len(fleet.alive) == FLEET
        assert last.rss_mb <= first.rss_mb * RSS_MAY_GROW, told
        assert last.fds == first.fds, told
        assert last.threads <= THREADS, told


def restart(fleet: Fleet, turn: deque[int], count: int) -> Held:
    """Kill as many programs in turn, those first that have run the longest; returns what the daemon holds then."""
    for _ in range(count // BATCH):
        victims = [turn.popleft() for _ in range(BATCH)]
        before = fleet.alive
        fleet.kill(*victims)
        turn.extend(sorted(fleet.alive - before))
        pause(PACE_S)
    return least(fleet)


def least(fleet: Fleet) -> Held:
    """The least of some looks: a check or a saving that goes on at one of them holds a file."""
    looks: list[Held] = []
    for _ in range(20):
        pause(0.05)
        looks.append(look(fleet.supervisor.pid))
    return Held(min(one.rss_mb for one in looks), min(one.fds for one in looks), min(one.threads for one in looks))


def look(pid: int) -> Held:
    process = Path(f"/proc/{pid}")
    fds, threads = (len(list((process / name).iterdir())) for name in ("fd", "task"))
    return Held(memory([pid]).rss, fds, threads)


def pause(seconds: float) -> None:
    end = CLOCK.monotonic() + seconds
    until(lambda: CLOCK.monotonic() >= end, limit_s=seconds + BACK_S)
