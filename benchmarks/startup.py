"""How soon is the daemon at work, what does it weigh, and what does it cost while nothing happens?

Over 1, 10 and 100 idle programs, beside supervisord over the same, and the time that its command-line verbs take.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.fleet import START_LIMIT_S, Fleet, Peer
from benchmarks.gauges import Idling, Memory, idling, memory
from benchmarks.peers import FLOOR, SELFHEAL, SUPERVISORD, peers, ready_s
from benchmarks.peers.places import script
from benchmarks.peers.supervisord import verb
from benchmarks.programs import Programs, build
from benchmarks.report import Goal, print_goals, print_table, run, save

SIZES = (1, 10, 100)
# The best of a few is told: whatever else the machine does makes a start slower, and nothing makes it faster.
STARTS = 3
VERBS = 5
# First checks and the first saving of the views come within a second of the start; then it is idle.
SETTLE_S = 2.0
WINDOW_S = 10.0


def start(peer: Peer, programs: Programs, size: int, *, asks: bool) -> tuple[float, float]:
    """Seconds until it says that it is ready, and until its last program began. supervisord has nothing to ask."""
    with Fleet(peer, programs, size) as fleet:
        asked_s = ready_s(fleet) if asks else 0.0
        up_s = fleet.all_up()
        return (asked_s or up_s), up_s


def rest(peer: Peer, programs: Programs, size: int) -> tuple[Memory, Idling]:
    """What a supervisor weighs and costs while it has nothing to do."""
    with Fleet(peer, programs, size) as fleet:
        fleet.all_up()
        time.sleep(SETTLE_S)
        supervisors = fleet.supervisors()
        idle = idling(supervisors, WINDOW_S)
        return memory(supervisors), idle


def measure(name: str, peer: Peer, programs: Programs, size: int) -> dict[str, float]:
    print(f"{name} over {size}", flush=True)
    starts = [start(peer, programs, size, asks=peer is SELFHEAL) for _ in range(STARTS)]
    weight, idle = rest(peer, programs, size)
    return {
        "ready_s": min(ready_s for ready_s, _ in starts),
        "up_s": min(up_s for _, up_s in starts),
        "pss_mb": weight.pss,
        "rss_mb": weight.rss,
        "idle_cpu_percent": idle.cpu_percent,
        "wakeups_per_s": idle.wakeups,
    }


def verbs(programs: Programs) -> dict[str, float]:
    """Milliseconds that a verb takes, from the exec to its end, with a daemon of one agent to talk to."""
    found: dict[str, float] = {}
    with Fleet(SELFHEAL, programs, 1) as fleet:
        ready_s(fleet)
        for word in ("version", "status"):
            found[f"selfheal {word}"] = _verb_ms([script("selfheal"), word], fleet.directory)
    if SUPERVISORD.there:
        with Fleet(SUPERVISORD, programs, 1) as fleet:
            fleet.all_up()
            found["supervisorctl status"] = _verb_ms(verb(fleet, "status"), fleet.directory)
    return found


def main() -> None:
    measured = {name: peer for name, peer in peers([SELFHEAL.name, SUPERVISORD.name]).items() if peer is not FLOOR}
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        programs = build(Path(directory))
        figures = {
            f"{name} over {size}": measure(name, peer, programs, size)
            for size in SIZES
            for name, peer in measured.items()
        }
        took = verbs(programs)
    _report(figures, took)


def _verb_ms(command: Sequence[str], directory: Path) -> float:
    took: list[float] = []
    for _ in range(VERBS):
        began_ns = time.monotonic_ns()
        # A program that is still starting is no failure of the verb that says so.
        subprocess.run(command, cwd=directory, capture_output=True, timeout=START_LIMIT_S, check=False)
        took.append((time.monotonic_ns() - began_ns) / 1e6)
    return min(took)


def _report(figures: Mapping[str, Mapping[str, float]], took: Mapping[str, float]) -> None:
    print_table(
        f"Start (best of {STARTS}), weight, and cost of idling",
        ("", "ready s", "all up s", "PSS MB", "RSS MB", "idle CPU %", "wake-ups/s"),
        ((name, *one.values()) for name, one in figures.items()),
    )
    print_table(f"Verbs (best of {VERBS})", ("", "ms"), took.items())
    ours = {size: figures[f"{SELFHEAL.name} over {size}"] for size in SIZES}
    largest = max(SIZES)
    goals = [Goal(f"ready, {size} agents", one["ready_s"], 1.0, "s") for size, one in ours.items()] + [
        Goal(f"weight, {largest} agents (PSS)", ours[largest]["pss_mb"], 60.0, "MB")
    ]
    print_goals(goals)
    settings = {"starts": STARTS, "window_s": WINDOW_S, "check_interval_s": 10}
    save("startup", settings, {**figures, "verbs_ms": took}, goals)


if __name__ == "__main__":
    run(main)
