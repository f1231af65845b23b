"""How long does it take to start very many, and to have all of them back when all crash at once?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial

from benchmarks.bench import SETTLE_S, Bench, attempt
from benchmarks.fleet import Peer
from benchmarks.peers import FLOOR, SELFHEAL
from benchmarks.report import Figures, Findings, Goal, quantile

TURNS = 3
# From here on, one turn has to do of those that take half a minute.
MANY = 1000


def mass(bench: Bench) -> Findings:
    sizes = [size for size in bench.sizes if size > 1]
    took: dict[str, dict[int, list[tuple[float, float]]]] = {name: {} for name in bench.peers}
    for size in sizes:
        for turn in range(TURNS):
            for name, peer in bench.peers.items():
                if turn and size >= MANY and peer.looks_only:
                    continue
                one = attempt(
                    f"mass of {size}, turn {turn + 1} of {TURNS}: {name}", partial(take_turn, bench, peer, size)
                )
                took[name].setdefault(size, []).extend([one] if one else [])
    figures = {name: _figures(one) for name, one in took.items()}
    columns = {
        f"{key}_{size}_ms": f"{what} {size}"
        for size in sizes
        for key, what in (("start", "start of"), ("all_at_once", "all back,"))
    }
    goals = _goals(figures, sizes, bench.programs.compiled) if bench.ours else []
    return Findings("Many at once (milliseconds)", columns, figures, {"turns": TURNS, "sizes": sizes}, goals)


def take_turn(bench: Bench, peer: Peer, size: int) -> tuple[float, float]:
    """Seconds from exec until all have begun, and from the death of all until as many have begun again."""
    with bench.fleet(peer, size) as fleet:
        started_s = fleet.all_up()
        time.sleep(SETTLE_S)
        return started_s, fleet.kill(*fleet.alive)


def _figures(took: Mapping[int, list[tuple[float, float]]]) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for size, turns in took.items():
        if turns:
            found[f"start_{size}_ms"] = quantile([started for started, _ in turns], 0.5) * 1e3
            found[f"all_at_once_{size}_ms"] = quantile([back for _, back in turns], 0.5) * 1e3
    return found


def _goals(figures: Mapping[str, Figures], sizes: list[int], compiled: bool) -> list[Goal]:
    ours, floor = figures[SELFHEAL.name], figures[FLOOR.name]
    limits = {100: 60.0, 1000: 700.0}
    found = [
        Goal(f"{size} killed at once, all running", back, limits[size], "ms")
        for size in sizes
        if size in limits and (back := ours.get(f"all_at_once_{size}_ms")) is not None
    ]
    start, least = ours.get("start_1000_ms"), floor.get("start_1000_ms")
    if start is not None and least is not None:
        found.append(Goal("1000 started", start, 1500.0, "ms"))
        if compiled:
            found.append(Goal("1000 started, over the C floor", start / least, 1.3, "times"))
    return found
