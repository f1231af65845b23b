"""What does the history of signals cost: in memory, on the disk, to write and to read?

Ten thousand agents with latency and status, asked every ten seconds for some minutes of made-up time, written every
fifteen seconds as the daemon does it, in a folder that is thrown away.
"""

from __future__ import annotations

import random
import tempfile
import time
from argparse import ArgumentParser
from array import array
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Goal, print_goals, print_table, quantile, run, save
from selfheal.compose.archive import AT_ONCE, TAIL_POINTS
from selfheal.compose.condense import condense, points_of_tail, seal, tables_of
from selfheal.history.batches import key_of, pack
from selfheal.history.rings import History, Series
from selfheal.store.shelf import Shelf

BEGIN = 1_800_000_000.0
EVERY_S, FLUSH_S = 10.0, 15.0
SIGNALS = ("latency", "status")
READS = 20


def rss_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


class Fleet:
    """Agents whose signals look like those of real ones: answers take as long as they do, statuses are 200."""

    def __init__(self, agents: int) -> None:
        self.names = [f"agent-{number:05}" for number in range(agents)]
        self.history = History()
        handles = [[self.history.series(name, signal) for signal in SIGNALS] for name in self.names]
        self.handles: list[tuple[Series, Series]] = [(one[0], one[1]) for one in handles if one[0] and one[1]]
        self.chance = random.Random(1)
        self.points = 0

    def ask(self, at: float) -> None:
        """One round of checks, spread over the period."""
        step, draw = EVERY_S / len(self.handles), self.chance.lognormvariate
        for place, (latency, status) in enumerate(self.handles):
            latency.append(at + place * step, draw(-4.0, 0.4))
            status.append(at + place * step, 200.0)
        self.points += 2 * len(self.handles)


def append_ns() -> float:
    """One point by a handle, in a ring that is full."""
    series = History().series("api", "latency")
    assert series is not None
    count = 500_000
    times = [BEGIN + place for place in range(count)]

    def fill() -> None:
        append = series.append
        for at in times:
            append(at, 0.25)

    return timed(fill) / count * 1e9


def memory_mb(agents: int) -> float:
    """What the points of a fleet take that has been watched for long: before anything else has taken memory."""
    before = rss_bytes()
    fleet = Fleet(agents)
    for turn in range(80):
        fleet.ask(BEGIN + turn * EVERY_S)
    return (rss_bytes() - before) / 1e6


class Written:
    """A fleet's history, as it gets to the disk."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.fleet = fleet
        self.shelf = Shelf(folder / "history", lambda: 2_000_000_000)
        self.shelf.open()
        self.flushes: list[float] = []
        self.gathered: list[float] = []
        self.seals: list[float] = []
        self.tail_points = 0

    def flush(self) -> None:
        history, spent = self.fleet.history, 0.0
        began = time.perf_counter()
        agents = history.agents()
        for place in range(0, len(agents), AT_ONCE):
            gathering = time.process_time()
            taken = history.take(agents[place : place + AT_ONCE])
            spent = max(spent, time.process_time() - gathering)
            if taken:
                self.shelf.append(pack(taken))
                self.tail_points += sum(len(points) // 2 for _, _, points in taken)
        self.flushes.append(time.perf_counter() - began)
        self.gathered.append(spent)
        if self.tail_points >= TAIL_POINTS:
            self.seal()

    def seal(self) -> None:
        self.seals.append(timed(lambda: seal(self.shelf, lambda: False)))
        self.tail_points = 0

    def read(self) -> float:
        """All points of one signal, from the volumes and the tail."""
        key = key_of(self.fleet.chance.choice(self.fleet.names), "latency")
        times = array("d")

        def look() -> None:
            for table in tables_of(self.shelf.find("raw", key, 0.0, BEGIN * 2)):
                times.extend(table[0])
            for _, more, _ in points_of_tail(self.shelf, key):
                times.extend(more)

        took = timed(look)
        assert len(times) == self.fleet.points // len(self.fleet.names) // 2
        return took


def measure(agents: int, minutes: int) -> dict[str, float]:
    append, memory = append_ns(), memory_mb(agents)
    fleet = Fleet(agents)
    with tempfile.TemporaryDirectory() as folder:
        written, flushed = Written(fleet, Path(folder)), BEGIN
        for turn in range(int(minutes * 60 / EVERY_S)):
            fleet.ask(BEGIN + turn * EVERY_S)
            if BEGIN + (turn + 1) * EVERY_S >= flushed + FLUSH_S:
                flushed = BEGIN + (turn + 1) * EVERY_S
                written.flush()
        tail = [written.read() for _ in range(READS)]
        written.flush()
        written.seal()
        reads = [written.read() for _ in range(READS)]
        size = sum(volume.size for volume in written.shelf.volumes("raw"))
        hour = timed(lambda: condense(written.shelf, BEGIN // 3600 * 3600, lambda: False))
    return {
        "append_ns": append,
        "memory_mb": memory,
        "flush_p50_ms": quantile(written.flushes, 0.5) * 1e3,
        "loop_held_ms": quantile(written.gathered, 0.95) * 1e3,
        "seal_s": quantile(written.seals, 0.5),
        "condense_s": hour,
        "bytes_a_point": size / fleet.points,
        "read_ms": quantile(reads, 0.5) * 1e3,
        "read_with_tail_ms": quantile(tail, 0.5) * 1e3,
    }


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.history", description=__doc__)
    parser.add_argument("--agents", type=int, default=10_000, help="with two signals each")
    parser.add_argument("--minutes", type=int, default=6, help="of made-up time")
    chosen = parser.parse_args()
    found = measure(chosen.agents, chosen.minutes)
    print_table(
        f"History of {2 * chosen.agents} signals over {chosen.minutes} minutes",
        ("", "measured"),
        (
            ("one append by a handle, ns", found["append_ns"]),
            ("all points in memory, MB", found["memory_mb"]),
            ("one flush, ms", found["flush_p50_ms"]),
            ("longest that it holds the loop, p95, ms of processor", found["loop_held_ms"]),
            ("the points made one volume, s, in a thread", found["seal_s"]),
            ("minutes and hours of it all, s, in a thread", found["condense_s"]),
            ("bytes a point on the disk", found["bytes_a_point"]),
            ("read of one signal, from volumes, ms", found["read_ms"]),
            ("read of one signal, with the tail, ms", found["read_with_tail_ms"]),
        ),
    )
    goals = [
        Goal("one append", found["append_ns"], 1000.0, "ns"),
        Goal("20,000 signals in memory", found["memory_mb"], 32.0, "MB"),
    ]
    print_goals(goals)
    save("history", {"signals": 2 * chosen.agents, "minutes": chosen.minutes, "every_s": EVERY_S}, found, goals)


if __name__ == "__main__":
    run(main)
