"""Does healing stay quick while models train beside the daemon, and the daemon itself is large?

A niced process computes on each processor, and the daemon holds 400 MB more than it needs. Where a daemon forks, a
start costs as much as its memory is large: so the call alone is timed as well, in a process with that memory and in
one without.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench, attempt
from benchmarks.fleet import Run
from benchmarks.parts.crash import FLEET, TURNS, figures, take_turn
from benchmarks.peers import FLOOR, SELFHEAL
from benchmarks.report import Findings, Goal, quantile

BALLAST_MB = 400
NICE = 10
SPAWNS = 600
SPAWN_TURNS = 10
_PROGRAMS = Path(__file__).parents[1] / "programs"
_SPAWNS_LIMIT_S = 120.0


def training(bench: Bench) -> Findings:
    cases = {
        "selfheal": (SELFHEAL, Run(FLEET), False),
        f"selfheal, {BALLAST_MB} MB": (SELFHEAL, Run(FLEET, ballast_mb=BALLAST_MB), False),
        f"selfheal, {BALLAST_MB} MB, training": (SELFHEAL, Run(FLEET, ballast_mb=BALLAST_MB), True),
        "C floor": (FLOOR, Run(FLEET), False),
        "C floor, training": (FLOOR, Run(FLEET), True),
    }
    took: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(TURNS):
        for name, (peer, run, busy) in cases.items():
            kills = max(1, bench.kills // TURNS)
            with _training(busy):
                one_by_one = partial(take_turn, bench, peer, run, kills)
                took[name] += attempt(f"training, turn {turn + 1} of {TURNS}: {name}", one_by_one) or []
    seen = {name: one for name, one in took.items() if one}
    light_us, heavy_us = spawn_us()
    found: dict[str, dict[str, float | None]] = {name: figures(one) for name, one in seen.items()}
    found["spawn call"] = {"p50_us": light_us, "ballast_p50_us": heavy_us, "ratio": heavy_us / light_us}
    p95 = quantile(took[f"selfheal, {BALLAST_MB} MB, training"], 0.95) * 1e3
    return Findings(
        f"Crash to running while models train (milliseconds); spawn alone, without and with {BALLAST_MB} MB (µs)",
        {
            "kills": "kills",
            "p50_ms": "p50",
            "p95_ms": "p95",
            "max_ms": "max",
            "p50_us": "spawn",
            "ballast_p50_us": "with ballast",
            "ratio": "ratio",
        },
        found,
        {"kills": bench.kills, "ballast_mb": BALLAST_MB, "nice": NICE, "processors": os.cpu_count(), "spawns": SPAWNS},
        [
            Goal(f"crash to running at {BALLAST_MB} MB while models train, p95", p95, 10.0, "ms"),
            Goal(f"spawn at {BALLAST_MB} MB over one without", heavy_us / light_us, 1.3, "times"),
        ],
    )


def spawn_us() -> tuple[float, float]:
    """The median cost of a spawn without and with ballast, each in its best turn: others only slow it down."""
    print("spawn call", flush=True)
    light: list[float] = []
    heavy: list[float] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for _ in range(SPAWN_TURNS):
            for megabytes, calls in ((0, light), (BALLAST_MB, heavy)):
                words = [str(megabytes), str(SPAWNS // SPAWN_TURNS), folder]
                command = [sys.executable, str(_PROGRAMS / "spawning.py"), *words]
                said = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=_SPAWNS_LIMIT_S).stdout
                calls.append(quantile(list(map(float, said.split())), 0.5))
    return min(light), min(heavy)


@contextmanager
def _training(busy: bool) -> Iterator[None]:
    command = ["nice", "-n", str(NICE), sys.executable, str(_PROGRAMS / "busy.py")]
    children = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)] if busy else []
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()
