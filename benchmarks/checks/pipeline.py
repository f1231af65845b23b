"""How many checks does a second of processor give, with all that the daemon makes of an answer?

More is asked for than can be done, so that there are always as many in flight as may be. A control expects what the
server does not say: every one of its checks must fail, and every agent be told unhealthy.
"""

from __future__ import annotations

import asyncio
import gc
import os
from dataclasses import dataclass
from functools import partial

from benchmarks.bench import attempt
from benchmarks.checks.alone import alone, answers, spent_s
from benchmarks.checks.bench import CheckBench
from benchmarks.checks.watching import GOOD, Plan, Watching
from benchmarks.gauges import memory
from benchmarks.report import Findings, Goal, quantile

MODES = ("keep", "new")
AGENTS, INTERVAL_S, IN_FLIGHT = 2000, 0.1, 64
WARM_UP_S = 2.0
CONTROL_AGENTS = 200
# Not measured here: Gatus 5.2.0 over kept connections, two conditions, on another machine of two processors.
GATUS_QUOTED = 18_500


@dataclass(frozen=True, slots=True)
class Asked:
    """What is watched, and for how long."""

    plan: Plan
    seconds: float


async def _measured(asked: Asked) -> dict[str, float]:
    fleet = Watching([asked.plan], IN_FLIGHT)
    try:
        await asyncio.sleep(WARM_UP_S)
        gc.collect()
        gc.freeze()  # as the daemon does with what it has built
        done, before_s = fleet.results.total(), spent_s()
        await asyncio.sleep(asked.seconds)
        done, used_s = fleet.results.total() - done, spent_s() - before_s
        return {
            "per_cpu_s": done / used_s,
            "per_s": done / asked.seconds,
            "ok_share": fleet.results[GOOD, "ok"] / fleet.results.total(),
            "unhealthy": fleet.unhealthy(),
            "rss_mb": memory([os.getpid()]).rss,
        }
    finally:
        fleet.close()


def measure(asked: Asked) -> dict[str, float]:
    return asyncio.run(_measured(asked))


# --- the part ---


def pipeline(bench: CheckBench) -> Findings:
    rounds: dict[str, list[dict[str, float]]] = {mode: [] for mode in MODES}
    for turn in range(bench.rounds):
        for mode in MODES:
            what = f"pipeline, {mode}, {turn + 1} of {bench.rounds}"
            one = attempt(what, partial(_once, bench, mode, "up", AGENTS))
            rounds[mode].extend([one] if one else [])
    figures = {mode: _middle(ones) for mode, ones in rounds.items() if ones}
    control = attempt("pipeline, control", partial(_once, bench, "keep", "down", CONTROL_AGENTS))
    if control:
        figures["control"] = control
    for mode in MODES:
        if mode in figures and figures[mode]["ok_share"] != 1.0:
            raise RuntimeError(f"cannot compare: only {figures[mode]['ok_share']:.4%} of the checks were good")
    columns = {"per_cpu_s": "checks/CPU-s", "per_s": "checks/s", "ok_share": "good", "unhealthy": "unhealthy agents"}
    settings = {
        "agents": AGENTS, "interval_s": INTERVAL_S, "in_flight": IN_FLIGHT, "seconds": bench.seconds,
        "rounds": bench.rounds, "control_agents": CONTROL_AGENTS, "gatus_5_2_0_quoted_per_cpu_s": GATUS_QUOTED,
    }  # fmt: skip
    return Findings("The whole way of a check", {**columns, "rss_mb": "RSS MB"}, figures, settings, _goals(figures))


def _once(bench: CheckBench, mode: str, state: str, agents: int) -> dict[str, float]:
    asked = Asked(Plan(bench.server.urls(mode, agents), INTERVAL_S, state), bench.seconds)
    return dict(alone("benchmarks.checks.pipeline", asked, bench.seconds + 30))


def _middle(ones: list[dict[str, float]]) -> dict[str, float]:
    """The median of each figure; of the share that was good the worst."""
    found = {key: quantile([one[key] for one in ones], 0.5) for key in ones[0]}
    return found | {"ok_share": min(one["ok_share"] for one in ones)}


def _goals(figures: dict[str, dict[str, float]]) -> list[Goal]:
    found = []
    if kept := figures.get("keep"):
        found.append(Goal("the whole way of a check, kept connection", kept["per_cpu_s"], 50_000, "a CPU-second", True))
        over = kept["per_cpu_s"] / GATUS_QUOTED
        found.append(Goal("the same, over what is quoted of Gatus", over, 2.5, "times", True))
    if control := figures.get("control"):
        found.append(Goal("control: agents told unhealthy", control["unhealthy"], CONTROL_AGENTS, "agents", True))
        found.append(Goal("control: checks that passed", control["ok_share"], 0.0, "of all"))
    return found


if __name__ == "__main__":
    answers(Asked, measure)
