"""How long is an agent down when it crashes?

The peers take turns, a few kills each: when the machine grows slower for a while, all of them suffer from it. The
victims of a turn are different programs, so that nobody's back-off for crash loops, nor supervisord's `startsecs`, is
measured instead.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.bench import SETTLE_S, Bench, attempt
from benchmarks.fleet import Fleet, Peer, Run
from benchmarks.peers import FLOOR, SELFHEAL
from benchmarks.report import Findings, Goal, quantile

FLEET = 100
TURNS = 4
# From kill to kill. Longer than any healing takes but of those that look once a second, never in step with a timer.
PAUSE_S = (0.05, 0.15)


def crash(bench: Bench) -> Findings:
    took: dict[str, list[float]] = {name: [] for name in bench.peers}
    turns = max(TURNS, -(-bench.kills // FLEET))
    for turn in range(turns):
        for name, peer in bench.peers.items():
            one_by_one = partial(take_turn, bench, peer, Run(FLEET), max(1, round(bench.kills_of(peer) / turns)))
            took[name] += attempt(f"crash, turn {turn + 1} of {turns}: {name}", one_by_one) or []
    seen = {name: one for name, one in took.items() if one}
    floor = quantile(seen[FLOOR.name], 0.5)
    return Findings(
        f"Crash to running, one of {FLEET} (milliseconds)",
        {"kills": "kills", "p50_ms": "p50", "p95_ms": "p95", "max_ms": "max", "to_floor": "p50 / floor"},
        {name: figures(one) | {"to_floor": quantile(one, 0.5) / floor} for name, one in seen.items()},
        {"kills": bench.kills, "fleet": FLEET, "compiled": bench.programs.compiled},
        _goals(seen, bench.programs.compiled) if bench.ours else (),
    )


def take_turn(bench: Bench, peer: Peer, run: Run, kills: int) -> list[float]:
    """Start a peer, kill some of its programs one after the other, and end it; returns seconds."""
    with bench.fleet(peer, run) as fleet:
        fleet.all_up()
        time.sleep(SETTLE_S)
        return kill_some(fleet, kills)


def kill_some(fleet: Fleet, kills: int) -> list[float]:
    took: list[float] = []
    for victim in random.sample(sorted(fleet.alive), min(kills, len(fleet.alive))):
        time.sleep(random.uniform(*PAUSE_S))
        took.append(fleet.kill(victim))
    return took


def figures(took: Sequence[float]) -> dict[str, float | None]:
    return {
        "kills": len(took),
        "p50_ms": quantile(took, 0.5) * 1e3,
        "p95_ms": quantile(took, 0.95) * 1e3,
        "max_ms": max(took) * 1e3,
    }


def _goals(took: Mapping[str, Sequence[float]], compiled: bool) -> list[Goal]:
    """What is promised of selfheal; against the floor only where it is one."""
    ours, floor = took[SELFHEAL.name], took[FLOOR.name]
    found = [
        Goal("crash to running, p95", quantile(ours, 0.95) * 1e3, 3.0, "ms"),
        Goal("crash to running, worst", max(ours) * 1e3, 10.0, "ms"),
    ]
    if compiled:
        ratio = quantile(ours, 0.5) / quantile(floor, 0.5)
        found.insert(0, Goal("crash to running, p50 over that of the C floor", ratio, 2.0, "times"))
    return found
