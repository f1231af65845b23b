"""How long is an agent down when it crashes, when all crash at once, and how long does it take to start them?

Side by side with the least that can be done (the C floor) and with supervisord, each over 100 programs. The peers take
turns, a few kills each: when the machine grows slower for a while, all of them suffer from it. The victims of a turn
are different programs, so that nobody's back-off for crash loops, nor supervisord's `startsecs`, is measured instead.
"""

from __future__ import annotations

import random
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fleet import Fleet, Peer
from benchmarks.peers import FLOOR, SELFHEAL, SUPERVISORD, peers
from benchmarks.programs import Programs, build
from benchmarks.report import Goal, print_goals, print_table, quantile, run, save

FLEET = 100
TURNS = 4
# supervisord counts a program as started after a second, and so restarts it at once only from then on.
SETTLE_S = 1.5
# From kill to kill. Longer than any healing takes but supervisord's, and never in step with anybody's timers.
PAUSE_S = (0.05, 0.15)
# supervisord looks once in a second: as many kills of it as of the others would take minutes.
SHARES: Mapping[str, float] = {SUPERVISORD: 0.2}


@dataclass(slots=True)
class Measured:
    """What was measured of one peer, in seconds."""

    crashes: list[float] = field(default_factory=list)
    all_at_once: list[float] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        return {
            "kills": len(self.crashes),
            "crash_p50_ms": quantile(self.crashes, 0.5) * 1e3,
            "crash_p95_ms": quantile(self.crashes, 0.95) * 1e3,
            "crash_max_ms": max(self.crashes) * 1e3,
            "all_at_once_ms": quantile(self.all_at_once, 0.5) * 1e3,
            "start_ms": quantile(self.starts, 0.5) * 1e3,
        }


def take_turn(peer: Peer, programs: Programs, kills: int, measured: Measured) -> None:
    """Start a peer, kill `kills` of its programs one by one and then all of them, and end it."""
    with Fleet(peer, programs, FLEET) as fleet:
        measured.starts.append(fleet.all_up())
        time.sleep(SETTLE_S)
        for victim in random.sample(sorted(fleet.alive), kills):
            time.sleep(random.uniform(*PAUSE_S))
            measured.crashes.append(fleet.kill(victim))
        time.sleep(SETTLE_S)
        measured.all_at_once.append(fleet.kill(*fleet.alive))


def goals(all_measured: Mapping[str, Measured], compiled: bool) -> list[Goal]:
    """What is promised of selfheal; against the floor only where it is one."""
    ours, floor = all_measured[SELFHEAL], all_measured[FLOOR]
    found = [
        Goal("crash to running, p95", quantile(ours.crashes, 0.95) * 1e3, 3.0, "ms"),
        Goal("crash to running, worst", max(ours.crashes) * 1e3, 10.0, "ms"),
        Goal("100 killed at once, all running", quantile(ours.all_at_once, 0.5) * 1e3, 60.0, "ms"),
    ]
    if compiled:
        ratio = quantile(ours.crashes, 0.5) / quantile(floor.crashes, 0.5)
        found.insert(0, Goal("crash to running, p50 over that of the C floor", ratio, 2.0, "times"))
    return found


def main() -> None:
    parser = ArgumentParser(prog="python -m benchmarks.supervision", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="of each peer but supervisord, which gets a fifth")
    kills = parser.parse_args().kills
    turns = max(TURNS, -(-kills // FLEET))
    measured = {name: Measured() for name in peers()}
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        programs = build(Path(directory))
        for turn in range(turns):
            for name, peer in peers().items():
                print(f"turn {turn + 1} of {turns}: {name}", flush=True)
                take_turn(peer, programs, max(1, round(kills * SHARES.get(name, 1.0) / turns)), measured[name])
    _report(measured, kills, programs.compiled)


def _report(measured: Mapping[str, Measured], kills: int, compiled: bool) -> None:
    floor_s = quantile(measured[FLOOR].crashes, 0.5)
    print_table(
        f"Crash to running, of 1 and of all {FLEET}; start of {FLEET} (milliseconds)",
        ("", "kills", "p50", "p95", "max", "p50 / floor", "all at once", "start"),
        (
            (
                name,
                len(one.crashes),
                quantile(one.crashes, 0.5) * 1e3,
                quantile(one.crashes, 0.95) * 1e3,
                max(one.crashes) * 1e3,
                quantile(one.crashes, 0.5) / floor_s,
                quantile(one.all_at_once, 0.5) * 1e3,
                quantile(one.starts, 0.5) * 1e3,
            )
            for name, one in measured.items()
        ),
    )
    promised = goals(measured, compiled)
    print_goals(promised)
    settings = {"kills": kills, "fleet": FLEET, "compiled": compiled}
    save("supervision", settings, {name: one.figures() for name, one in measured.items()}, promised)


if __name__ == "__main__":
    run(main)
