"""How long does the daemon take to rank who may be the cause, and for how long does that hold up its loop?

`python -m benchmarks.ranking`: a fleet of fifty agents with ten signals of three hundred samples each, of which one is
slow. The case is put together in the loop, and reckoned with in a thread.
"""

from __future__ import annotations

import asyncio
import sys
import time
from random import Random
from statistics import median

from selfheal.compose.casework import case_of
from selfheal.diagnose.own import weights_of
from selfheal.diagnose.rank import rank
from selfheal.events import AgentDeclared, IncidentOpened
from selfheal.history.rings import History
from selfheal.machine import TURN_S
from selfheal.vitals import Vitals
from selfheal.world import EMPTY, World, fold

AGENTS, SAMPLES, STEP_S, ROUNDS = 50, 300, 4.0, 20
SIGNALS = ("latency", "cpu", "rss", "fds", "threads", "requests", "errors", "queue", "connections", "gc")
NOW = 1_800_000_000.0


def fleet() -> World:
    """A tree: each agent depends on two others, a0 on all of them by way of others."""
    world = EMPTY
    for number in range(AGENTS):
        needs = tuple(f"a{child}" for child in (2 * number + 1, 2 * number + 2) if child < AGENTS)
        world = fold(world, AgentDeclared(NOW, f"a{number}", "process", "application", needs, ("http",), True))
    return fold(world, IncidentOpened(NOW, "inc-1", "a0", "check", "slow", NOW))


def history() -> History:
    """What its signals were; a7 is slow since the onset."""
    chance, known = Random(1), History()
    for number in range(AGENTS):
        for signal in SIGNALS:
            for sample in range(SAMPLES):
                at = NOW + STEP_S * (sample - SAMPLES + 10)
                slow = 5.0 if number == 7 and signal == "latency" and at >= NOW else 1.0
                known.append(f"a{number}", signal, at, slow * (100.0 + chance.gauss(0.0, 3.0)))
    return known


async def measure() -> dict[str, float]:
    """Milliseconds: of the case, of the ranking, and how late the loop was while a thread ranked."""
    sys.setswitchinterval(TURN_S)  # as the daemon does
    world, known, weights = fleet(), history(), weights_of(None)
    incident = world.incidents["inc-1"]
    cases, ranks, late = [], [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        case = case_of(world, Vitals(), known, incident)
        cases.append(time.perf_counter() - began)
        began = time.perf_counter()
        ranking = asyncio.create_task(asyncio.to_thread(rank, case, weights))
        while not ranking.done():
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            late.append(time.perf_counter() - before - 0.001)
        ranks.append(time.perf_counter() - began)
        assert ranking.result().services[0].service == "a7"
    late.sort()
    return {
        "case, in the loop": 1e3 * median(cases),
        "ranking, in a thread": 1e3 * median(ranks),
        "the loop late meanwhile, median": 1e3 * median(late),
        "the loop late meanwhile, p95": 1e3 * late[len(late) * 95 // 100],
    }


if __name__ == "__main__":
    for what, took_ms in asyncio.run(measure()).items():
        print(f"{what}: {took_ms:.1f} ms")
