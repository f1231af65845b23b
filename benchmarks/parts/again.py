"""How long is an agent down that crashes again 100 ms after each start?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from benchmarks.bench import SETTLE_S, Bench, attempt
from benchmarks.fleet import Peer
from benchmarks.peers import SELFHEAL
from benchmarks.report import Findings, Goal, quantile

TURNS = 3
KILLS = 4
AGE_S = 0.1
# Longer than any back-off between two of the first starts, and than the longest look for deaths.
LIMIT_S = 8.0


def again(bench: Bench) -> Findings:
    figures: dict[str, dict[str, float | None]] = {}
    for name, peer in bench.peers.items():
        runs = [
            run
            for turn in range(1 if peer.looks_only else TURNS)
            if (run := attempt(f"again, turn {turn + 1}: {name}", partial(take_turn, bench, peer)))
        ]
        if runs:
            figures[name] = {f"crash_{at + 1}_ms": _middle([run[at] for run in runs]) for at in range(KILLS)}
    return Findings(
        f"Crash {AGE_S * 1e3:.0f} ms after each start, the first to the last of {KILLS} (milliseconds; – is never)",
        {f"crash_{at + 1}_ms": f"crash {at + 1}" for at in range(KILLS)},
        figures,
        {"turns": TURNS, "age_s": AGE_S, "limit_s": LIMIT_S},
        _goals(figures[SELFHEAL.name]) if SELFHEAL.name in figures else (),
    )


def take_turn(bench: Bench, peer: Peer) -> list[float | None]:
    """Seconds from each kill to the next start; None from the first that does not come."""
    took: list[float | None] = []
    with bench.fleet(peer, 1) as fleet:
        fleet.all_up()
        (pid,) = fleet.alive
        time.sleep(SETTLE_S)  # the daemon itself is up; what is measured begins with the first crash
        while len(took) < KILLS and (begun := fleet.kill_one(pid, LIMIT_S)):
            took.append(begun[0])
            pid = begun[1]
            time.sleep(AGE_S)
    return took + [None] * (KILLS - len(took))


def _middle(took: Sequence[float | None]) -> float | None:
    came = [one for one in took if one is not None]
    return quantile(came, 0.5) * 1e3 if len(came) == len(took) else None


def _goals(ours: dict[str, float | None]) -> list[Goal]:
    first = [ours[f"crash_{at + 1}_ms"] for at in range(3)]
    worst = max(LIMIT_S * 1e3 if one is None else one for one in first)
    return [Goal("crash again 100 ms after the start, worst of the first three", worst, 5.0, "ms")]
