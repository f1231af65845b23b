"""What is left of what a program has started, when it crashes and when it is stopped?

Each program has six helpers: two in its group, two in sessions of their own, two whose parents have ended as well.
"""

from __future__ import annotations

import time
from functools import partial

from benchmarks.bench import SETTLE_S, Bench, attempt
from benchmarks.fleet import Fleet, Peer, Run, is_alive
from benchmarks.peers import SELFHEAL
from benchmarks.report import Findings, Goal

HELPERS = 6
_BEGIN_S = 10.0
# Longer than anybody's way from TERM to KILL.
_STOPPED_S = 15.0
_AFTER_S = 1.0


def trees(bench: Bench) -> Findings:
    figures = {
        name: found
        for name, peer in bench.peers.items()
        if peer.stop is not None and (found := attempt(f"trees: {name}", partial(survivors, bench, peer)))
    }
    goals: list[Goal] = []
    if SELFHEAL.name in figures:
        ours = figures[SELFHEAL.name]
        goals = [
            Goal(f"helpers that survive a {when}", ours[key] or 0.0, 0.0, f"of {HELPERS}")
            for key, when in (("after_crash", "crash"), ("after_stop", "stop"))
        ]
    return Findings(
        f"Survivors of {HELPERS} helpers",
        {"after_crash": "after a crash", "after_stop": "after a stop"},
        figures,
        {"helpers": HELPERS},
        goals,
    )


def survivors(bench: Bench, peer: Peer) -> dict[str, float | None]:
    assert peer.stop is not None
    with bench.fleet(peer, Run(1, helpers=True)) as fleet:
        fleet.all_up()
        first = _helpers(fleet)
        time.sleep(SETTLE_S)
        fleet.kill(*fleet.alive)
        second = _helpers(fleet)
        time.sleep(_AFTER_S)
        after_crash = sum(map(is_alive, first))
        time.sleep(SETTLE_S)
        fleet.ask(peer.stop(fleet))
        _await_end(fleet)
        time.sleep(_AFTER_S)
        return {"after_crash": after_crash, "after_stop": sum(map(is_alive, second))}


def _helpers(fleet: Fleet) -> list[int]:
    begun = [stamp.pid for stamp in fleet.helpers.take(HELPERS, _BEGIN_S)]
    if len(begun) < HELPERS:
        raise RuntimeError(f"cannot measure {fleet.peer.name}: {len(begun)} of {HELPERS} helpers have begun")
    return begun


def _await_end(fleet: Fleet) -> None:
    deadline = time.monotonic() + _STOPPED_S
    while any(map(is_alive, fleet.alive)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"cannot measure {fleet.peer.name}: it does not stop its program")
        time.sleep(0.02)
