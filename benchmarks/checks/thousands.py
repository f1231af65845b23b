"""What do 10,000 HTTP checks cost, each asked every ten seconds, and how late do they begin?

One process that only watches, with a service of its own for each check and a kept connection for each service.
"""

from __future__ import annotations

import asyncio
import gc
import os
from dataclasses import dataclass

from benchmarks.bench import attempt
from benchmarks.checks.alone import alone, answers, spent_s
from benchmarks.checks.bench import CheckBench
from benchmarks.checks.watching import GOOD, Lateness, Plan, Watching
from benchmarks.gauges import memory
from benchmarks.report import Findings, Goal, quantile
from selfheal.net.dial import MOST_AT_ONCE

AGENTS, INTERVAL_S = 10_000, 10.0
IN_FLIGHT = MOST_AT_ONCE  # as in the daemon
# An answer from the same machine takes milliseconds; what has none by then will not have one.
_FIRST_LIMIT_S = 3 * INTERVAL_S


@dataclass(frozen=True, slots=True)
class Asked:
    """What is watched, and for how long."""

    plan: Plan
    seconds: float


async def _measured(asked: Asked) -> dict[str, float]:
    lateness = Lateness()
    fleet = Watching([asked.plan], IN_FLIGHT, lateness)
    try:
        async with asyncio.timeout(_FIRST_LIMIT_S):
            await fleet.all_asked.wait()
        await asyncio.sleep(INTERVAL_S)  # what the first round has delayed is no lateness of those that follow
        gc.collect()
        gc.freeze()  # as the daemon does with what it has built
        begun, before_s = len(lateness.seconds), spent_s()
        await asyncio.sleep(asked.seconds)
        used_s, weight = spent_s() - before_s, memory([os.getpid()])  # before anything is made of what was noted
        late_ms = [one * 1e3 for one in lateness.seconds[begun:]]
        return {
            "cpu_percent": used_s / asked.seconds * 100,
            "rss_mb": weight.rss,
            "pss_mb": weight.pss,
            "late_p50_ms": quantile(late_ms, 0.5),
            "late_p99_ms": quantile(late_ms, 0.99),
            "late_max_ms": max(late_ms),
            "first_round_s": fleet.first_round_s,
            "checks": len(late_ms),
            "ok_share": fleet.results[GOOD, "ok"] / fleet.results.total(),
        }
    finally:
        fleet.close()


def measure(asked: Asked) -> dict[str, float]:
    return asyncio.run(_measured(asked))


# --- the part ---


def thousands(bench: CheckBench) -> Findings:
    asked = Asked(Plan(bench.server.urls("keep", AGENTS), INTERVAL_S), bench.minutes * 60)
    found = attempt(
        f"{AGENTS} checks for {bench.minutes:g} minutes",
        lambda: alone("benchmarks.checks.thousands", asked, asked.seconds + 90),
    )
    if found is not None and found["ok_share"] != 1.0:
        raise RuntimeError(f"cannot measure: only {found['ok_share']:.4%} of the checks were good")
    columns = {
        "cpu_percent": "CPU %", "rss_mb": "RSS MB", "pss_mb": "PSS MB", "late_p50_ms": "late p50 ms",
        "late_p99_ms": "p99", "late_max_ms": "max", "first_round_s": "first round s", "checks": "checks",
    }  # fmt: skip
    settings = {"agents": AGENTS, "interval_s": INTERVAL_S, "minutes": bench.minutes, "in_flight": IN_FLIGHT}
    figures = {"selfheal": found} if found is not None else {}
    goals = [
        Goal("10,000 checks each 10 s, processor", found["cpu_percent"], 5.0, "%"),
        Goal("10,000 checks, memory (PSS)", found["pss_mb"], 90.0, "MB"),
        Goal("10,000 checks, lateness, p99", found["late_p99_ms"], 60.0, "ms"),
        Goal("10,000 checks, each asked once", found["first_round_s"], INTERVAL_S, "s"),
    ] if found is not None else []  # fmt: skip
    return Findings(f"{AGENTS} checks each {INTERVAL_S:g} s", columns, figures, settings, goals)


if __name__ == "__main__":
    answers(Asked, measure)
