"""What does it cost to have nothing to do?

selfheal cannot be told not to look at its processes: here it looks once an hour, which is as good as never. All else
that it does by itself (views, foresight, the journal) goes on.
"""

from __future__ import annotations

import time
from functools import partial

from benchmarks.bench import Bench, attempt
from benchmarks.fleet import Peer, Run
from benchmarks.gauges import idling, memory
from benchmarks.peers import SELFHEAL
from benchmarks.report import Figures, Findings, Goal

# First looks and the first saving of the views come within some seconds of the start; then it is idle.
SETTLE_S = 5.0
WINDOW_S = 10.0
_NEVER = "1h"


def idle(bench: Bench) -> Findings:
    figures = {name: measure(bench, name, peer) for name, peer in bench.peers.items()}
    heads = {"cpu_percent": "CPU %", "wakeups_per_s": "wake-ups/s", "pss_mb": "PSS MB"}
    columns = {f"{key}_{size}": f"{head} @{size}" for key, head in heads.items() for size in bench.sizes}
    settings = {"sizes": bench.sizes, "window_s": WINDOW_S, "look_every": _NEVER}
    goals = _goals(figures[SELFHEAL.name]) if bench.ours else []
    return Findings("Idle", {**columns, "kb_per_child": "KB a child"}, figures, settings, goals)


def measure(bench: Bench, name: str, peer: Peer) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for size in bench.sizes:
        found |= attempt(f"idle over {size}: {name}", partial(rest, bench, peer, size)) or {}
    least, most = min(bench.sizes), max(bench.sizes)
    light, heavy = found.get(f"pss_mb_{least}"), found.get(f"pss_mb_{most}")
    if light is not None and heavy is not None and most > least:
        found["kb_per_child"] = (heavy - light) * 1024 / (most - least)
    return found


def rest(bench: Bench, peer: Peer, size: int) -> dict[str, float | None]:
    with bench.fleet(peer, Run(size, check_every=_NEVER)) as fleet:
        fleet.all_up()
        time.sleep(SETTLE_S)
        supervisors = fleet.supervisors()
        cost = idling(supervisors, WINDOW_S)
        return {
            f"cpu_percent_{size}": cost.cpu_percent,
            f"wakeups_per_s_{size}": cost.wakeups,
            f"pss_mb_{size}": memory(supervisors).pss,
        }


def _goals(ours: Figures) -> list[Goal]:
    promised = {
        "cpu_percent_1000": ("idle over 1000, CPU", 0.05, "%"),
        "wakeups_per_s_1000": ("idle over 1000, wake-ups", 1.0, "a second"),
        "kb_per_child": ("memory of one more child", 4.0, "KB"),
    }
    return [Goal(what, value, limit, unit) for key, (what, limit, unit) in promised.items() if (value := ours.get(key))]
