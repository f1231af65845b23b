"""What does the journal cost: to append, to keep short by snapshots, and to start from after a million events?

A thousand agents whose checks change and five hundred incidents that are kept, in a folder that is thrown away. The
start is that of a process of its own, and reads what the files of all these events have left to be read. How long the
loop is held up is how late a timer of a millisecond comes while a snapshot is written, and beside it without one.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from benchmarks.report import Goal, print_goals, print_table, quantile, run, save
from selfheal.clock import RealClock
from selfheal.compose.rollup import EVENTS, PAUSE_S, Rollup
from selfheal.compose.takeover import take_over
from selfheal.events import (
    AgentDeclared,
    Event,
    FixEnded,
    FixStarted,
    HealthChanged,
    Held,
    IncidentOpened,
    IncidentResolved,
    encode,
)
from selfheal.ledger import Ledger
from selfheal.store.snapshots import snapshots, write

BEGIN = 1_800_000_000.0
TICK_S = 0.001
APPENDS = 100_000
SNAPSHOTS = 20
STARTS = 5

_T = TypeVar("_T")

START = """
import asyncio, json, pathlib, sys, time
from selfheal.clock import RealClock
from selfheal.compose.takeover import take_over
began, worked = time.perf_counter(), time.process_time()
taken = take_over(pathlib.Path(sys.argv[1]), asyncio.to_thread, RealClock())
took, work = time.perf_counter() - began, time.process_time() - worked
print(json.dumps({"took_s": took, "work_s": work, "seq": taken.journal.last_seq, "damages": len(taken.damages)}))
"""


@dataclass(frozen=True)
class Beside:
    """The clock and the threads of this machine."""

    clock: RealClock

    def run_in_thread(self, work: Callable[[], _T], /) -> Awaitable[_T]:
        return asyncio.to_thread(work)


def happened(number: int, agents: int) -> Event:
    """Changes of health, and every tenth time a step of an incident with a story of eight."""
    at, agent = BEGIN + number, f"agent-{number % agents:04}"
    if number < agents:
        return AgentDeclared(at, agent, "process", "application", ("database",), ("http", "process"), True)
    step, incident = number % 100 // 10, f"inc-{number // 100}"
    match step if number % 10 == 0 else None:
        case None:
            return HealthChanged(at, agent, "http", number % 2 == 0, "failed", f"answered 50{number % 10}", at)
        case 0:
            return IncidentOpened(at, incident, agent, "check", "http: answered 503", at)
        case 1:
            return FixStarted(at, incident, 1, "restart", "application", agent, "crashed")
        case 2:
            return FixEnded(at, incident, 1, "succeeded", "restarted in 0.4 s")
        case 9:
            return IncidentResolved(at, incident, "three good checks", 12.0)
        case _:
            return Held(at, incident, f"the last fix is still settling, {number % 7} s left", at + 5)


async def live(place: Path, events: int, agents: int) -> Ledger:
    """Let a daemon's books grow, as fast as they take it, with a snapshot whenever one is due."""
    ports, woken = Beside(RealClock()), list[str]()
    taken = take_over(place, ports.run_in_thread, ports.clock)
    ledger = Ledger(taken.journal, taken.world, taken.journal.last_seq)
    rollup = Rollup(ledger, ports, taken, lambda: 10_000_000_000, woken.append)
    for number in range(events):
        ledger.record(happened(number, agents))
        if woken:
            await rollup.keep()
            woken.clear()
    taken.journal.close()
    return ledger


def append_us(place: Path) -> tuple[float, float]:
    """One append to the journal, and one event recorded in a small world."""
    taken = take_over(place, asyncio.to_thread, RealClock())
    payload = encode(happened(1234, 1000))
    began = time.perf_counter()
    for _ in range(APPENDS):
        taken.journal.append(payload)
    appended = time.perf_counter() - began
    taken.journal.close()
    return appended / APPENDS * 1e6, float(len(payload))


class Lateness:
    """How late a timer comes, again and again."""

    def __init__(self) -> None:
        self.found: list[float] = []

    async def watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            self.found.append(max(0.0, loop.time() - due))


async def held_up(work: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Seconds of each of some pieces of work in a thread, and how late the loop was meanwhile."""
    lateness, times = Lateness(), list[float]()
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(lateness.watch())
        for _ in range(SNAPSHOTS):
            began = time.perf_counter()
            await asyncio.to_thread(work)
            times.append(time.perf_counter() - began)
        watching.cancel()
    return times, lateness.found


class Pauses:
    """What a thread does between two pauses, in seconds of processor: so long it may keep the loop waiting."""

    def __init__(self) -> None:
        self._wait = partial(threading.Event().wait, PAUSE_S)
        self._since = 0.0
        self.worked: list[float] = []

    def begin(self) -> None:
        self._since = time.thread_time()

    def __call__(self) -> None:
        self.worked.append(time.thread_time() - self._since)
        self._wait()
        self.begin()

    def written(self, folder: Path, ledger: Ledger) -> None:
        self.begin()
        write(folder, ledger.seq, ledger.world, self)


def started_s(place: Path) -> tuple[float, float]:
    """A start in a process of its own: how long it took, and seconds of processor."""
    ended = subprocess.run([sys.executable, "-c", START, str(place)], capture_output=True, text=True, check=True)
    told = json.loads(ended.stdout)
    assert told["damages"] == 0, told
    return float(told["took_s"]), float(told["work_s"])


def size(folder: Path, suffix: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(f"*{suffix}"))


def measure(events: int, agents: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        append, payload = append_us(place / "appends")
        began = time.perf_counter()
        ledger = asyncio.run(live(place / "state", events, agents))
        took = time.perf_counter() - began
        folder = place / "state" / "journal"
        starts, works = zip(*(started_s(place / "state") for _ in range(STARTS)), strict=True)
        journal, count = size(folder, ".log"), len(snapshots(folder))
        room, pauses = place / "room", Pauses()
        room.mkdir()
        _, quiet = asyncio.run(held_up(lambda: threading.Event().wait(0.2)))
        times, late = asyncio.run(held_up(lambda: pauses.written(room, ledger)))
        snapshot = size(room, ".snapshot")
    return {
        "append_us": append,
        "payload_bytes": payload,
        "recorded_a_second": events / took,
        "start_s": quantile(starts, 0.5),
        "start_worst_s": max(starts),
        "start_processor_s": quantile(works, 0.5),
        "snapshot_s": quantile(times, 0.5),
        "snapshot_mb": snapshot / 1e6,
        "snapshots": count,
        "between_pauses_ms": quantile(pauses.worked, 0.99) * 1e3,
        "between_pauses_worst_ms": max(pauses.worked) * 1e3,
        "loop_late_p99_ms": quantile(late, 0.99) * 1e3,
        "loop_late_worst_ms": max(late) * 1e3,
        "loop_late_without_p99_ms": quantile(quiet, 0.99) * 1e3,
        "loop_late_without_worst_ms": max(quiet) * 1e3,
        "journal_mb": journal / 1e6,
        "incidents_kept": float(len(ledger.world.incidents)),
    }


ROWS = {
    "append_us": "one append to the journal, µs",
    "recorded_a_second": "events recorded and folded a second, with all snapshots",
    "start_s": "journal and replay at a start, s",
    "start_worst_s": "the slowest of five starts, s",
    "start_processor_s": "a start, s of processor",
    "snapshot_s": "one snapshot, s, in a thread",
    "snapshot_mb": "its size, MB",
    "between_pauses_ms": "its thread works between two pauses, p99, ms of processor",
    "between_pauses_worst_ms": "at worst, ms of processor",
    "loop_late_p99_ms": "the loop is late meanwhile, p99, ms",
    "loop_late_worst_ms": "at worst, ms",
    "loop_late_without_p99_ms": "without a snapshot, p99, ms",
    "loop_late_without_worst_ms": "at worst, ms",
    "journal_mb": "the journal on the disk, MB",
}


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.journal", description=__doc__)
    parser.add_argument(
        "--events",
        type=int,
        default=999_999,
        help="in the history; one less than a multiple of 10,000 leaves a start the most to fold",
    )
    parser.add_argument("--agents", type=int, default=1000)
    chosen = parser.parse_args()
    found = measure(chosen.events, chosen.agents)
    title = f"A journal of {chosen.events} events of {chosen.agents} agents"
    print_table(title, ("", "measured"), [(what, found[key]) for key, what in ROWS.items()])
    goals = [
        Goal("journal and replay at a start", found["start_s"], 1.0, "s"),
        Goal("a snapshot's work between two pauses", found["between_pauses_worst_ms"], 5.0, "ms"),
    ]
    print_goals(goals)
    save("journal", {"events": chosen.events, "agents": chosen.agents, "every": EVENTS}, found, goals)


if __name__ == "__main__":
    run(main)
