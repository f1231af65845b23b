"""How long does saving hold everybody else up?

A big fleet with a long past is saved once a second while the loop ticks each millisecond: a stall is how much later
than that a tick came. Beside it the same content by json.dumps on the loop, and by one msgspec call a document in a
thread.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from benchmarks.big_world import WINDOWS, Past, big_world
from benchmarks.report import Goal, print_goals, print_table, quantile, run, save
from selfheal.learn.scorecard import figures
from selfheal.learn.strategies import Lessons
from selfheal.machine import TURN_S
from selfheal.serve.documents import Material, Pages, documents, stamp
from selfheal.signatures import shipped
from selfheal.store.documents import Documents
from selfheal.store.pieces import give_turn

TICK_S = 0.001
PYTHONS_S = sys.getswitchinterval()
SHARES = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999, "max_ms": 1.0}
COLUMNS = {
    "p50_ms": "p50, ms",
    "p99_ms": "p99",
    "p999_ms": "p99.9",
    "max_ms": "max",
    "save_ms": "a save, median",
    "cpu_ms": "processor a save",
    "megabytes": "MB of files",
}

Save = Callable[[Material], Awaitable[None]]


async def ticks(late: list[float], done: asyncio.Event) -> None:
    """Note how much later than wished each tick came."""
    while not done.is_set():
        began = time.perf_counter()
        await asyncio.sleep(TICK_S)
        late.append(max(0.0, time.perf_counter() - began - TICK_S))


async def measure(past: Past, saving: Save | None, seconds: int) -> dict[str, float | None]:
    """Save once a second while events go on; without `saving`, what the loop alone does."""
    late, took, spent, done = list[float](), list[float](), list[float](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(ticks(late, done))
        for _ in range(seconds):
            now = past.go_on()
            began, before = time.perf_counter(), time.process_time()
            if saving is not None:
                vitals = now.vitals.copy()
                await saving(Material(now.world, vitals, now.now, figures, Lessons, shipped(), WINDOWS))
                took.append((time.perf_counter() - began) * 1e3)
                spent.append((time.process_time() - before) * 1e3)
            await asyncio.sleep(max(0.0, 1.0 - (time.perf_counter() - began)))
        done.set()
    stalls: dict[str, float | None] = {name: quantile(late, share) * 1e3 for name, share in SHARES.items()}
    if saving is None:
        return stalls
    return {**stalls, "save_ms": quantile(took, 0.5), "cpu_ms": quantile(spent, 0.5)}


async def in_thread(work: Callable[[], None]) -> None:
    await asyncio.to_thread(work)


def by_selfheal(folder: Path) -> Save:
    """As the daemon does it."""
    pages, files = Pages(give_turn), Documents(folder, in_thread)

    async def saving(material: Material) -> None:
        content = await asyncio.to_thread(lambda: pages.documents(material))
        await files.save(content, stamp(material))

    return saving


def by_thread(folder: Path) -> Save:
    """Everything made anew, each document encoded and formatted by one call, in a thread."""

    def put(material: Material) -> None:
        for name, document in documents(material).items():
            whole = msgspec.json.encode({**stamp(material), **document})
            (folder / name).write_bytes(msgspec.json.format(whole, indent=2))

    async def saving(material: Material) -> None:
        await asyncio.to_thread(lambda: put(material))

    return saving


def by_json(folder: Path) -> Save:
    """Everything made anew, and written by the loop itself."""

    async def saving(material: Material) -> None:
        for name, document in documents(material).items():
            (folder / name).write_text(json.dumps({**stamp(material), **document}, indent=2))

    return saving


WAYS: Mapping[str, Callable[[Path], Save] | None] = {
    "nothing is saved": None,
    "selfheal": by_selfheal,
    "msgspec, whole documents in a thread": by_thread,
    "json.dumps on the loop": by_json,
}


def of_way(way: Callable[[Path], Save] | None, agents: int, seconds: int) -> dict[str, float | None]:
    past = big_world(agents)
    sys.setswitchinterval(TURN_S if way in (None, by_selfheal) else PYTHONS_S)  # the daemon sets its own
    gc.collect()
    gc.freeze()  # as the daemon does with what it is built of
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(past, way(Path(folder)) if way is not None else None, seconds))
        size = sum(path.stat().st_size for path in Path(folder).glob("*.json"))
    gc.unfreeze()
    return {**found, "megabytes": size / 1e6 or None}


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.saving", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="of each way")
    parser.add_argument("--agents", type=int, default=500)
    chosen = parser.parse_args()
    found = {name: of_way(way, chosen.agents, chosen.seconds) for name, way in WAYS.items()}
    print_table(
        f"Stalls of the loop: {chosen.agents} agents and 500 incidents saved once a second for {chosen.seconds} s",
        ("", *COLUMNS.values()),
        ([name, *(one.get(key) for key in COLUMNS)] for name, one in found.items()),
    )
    goals = [Goal("a stall of the loop while it saves, p99.9", found["selfheal"]["p999_ms"] or 0.0, 10.0, "ms")]
    print_goals(goals)
    save("saving", {"agents": chosen.agents, "seconds": chosen.seconds, "tick_s": TICK_S}, found, goals)


if __name__ == "__main__":
    run(main)
