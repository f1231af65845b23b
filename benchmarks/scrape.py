"""What does a scrape of 100,000 series cost, and for how long does it keep the event loop from everything else?

A made-up fleet of 2,500 agents, scraped as a whole: the first time, then with none, 1 %, 10 % and all of its agents
changed, beside prometheus_client with the same series in the same run. A task that does nothing but take turns
measures the longest time between two of them. All of it is processor time, as the kernel counts it for the thread of
the loop: what else the machine does meanwhile is not ours.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from benchmarks.report import Goal, print_goals, print_table, quantile, run, save
from selfheal.clock import RealClock
from selfheal.kinds import Observation
from selfheal.telemetry.metrics import CHECK_BUCKETS, Metrics
from selfheal.vitals import Vitals
from selfheal.vocabulary import AGENT_STATES, CheckResult
from selfheal.world import EMPTY, Agent, World

AGENTS, SIGNALS, CHECKS = 2500, 20, 4
RESULTS: tuple[CheckResult, ...] = ("ok", "failed")
# Eight states, four numbers of the agent, its signals, and each check by its results: forty.
SERIES = AGENTS * (len(AGENT_STATES) + 4 + SIGNALS + CHECKS * len(RESULTS))
# The best of a few is told, but the longest block of all: whatever else the machine does makes a scrape slower.
ROUNDS, PEER_ROUNDS = 9, 3
OBSERVATIONS = 50_000
SHARES = {"unchanged": 0.0, "changed_1": 0.01, "changed_10": 0.1, "all_changed": 1.0}
COLUMNS = {
    "cold_ms": "first ms",
    "unchanged_ms": "unchanged",
    "changed_1_ms": "1 % changed",
    "changed_10_ms": "10 % changed",
    "all_changed_ms": "all changed",
    "block_ms": "loop blocked, p50 ms",
    "longest_block_ms": "longest",
    "bytes_per_series": "bytes/series",
    "observation_ns": "a check counted, ns",
}


class Scraped(NamedTuple):
    """Milliseconds that a scrape took, and the longest for which nothing else had a turn."""

    took_ms: float
    block_ms: float


@dataclass(slots=True)
class Fleet:
    """Agents with their signals, whose numbers come by chance from a seed."""

    world: World = EMPTY
    vitals: Vitals = field(default_factory=Vitals)
    chance: random.Random = field(default_factory=lambda: random.Random(1))

    def __post_init__(self) -> None:
        names = [f"service-{number % 50:02}:{number // 50}" for number in range(AGENTS)]
        self.world = replace(EMPTY, agents={name: Agent(name, state="healthy") for name in names})
        for name in names:
            self.vitals.put_signals(name, self.signals())

    def signals(self) -> dict[str, float]:
        """Half of them times and shares, with all the digits that those have, and half of them sizes and counts."""
        return {
            f"signal_{number}": self.chance.random() if number % 2 else float(self.chance.randrange(10**9))
            for number in range(SIGNALS)
        }

    def observations(self, agent: str) -> Iterator[Observation]:
        for number in range(CHECKS):
            for result in RESULTS:
                yield Observation(agent, f"check-{number}", 1.0, self.chance.random(), result)

    def change(self, share: float, metrics: Metrics) -> None:
        """Let so many of the agents, spread over all, have other numbers in every family."""
        chosen = self.chance.sample(sorted(self.world.agents), int(share * AGENTS))
        agents = {name: replace(self.world.agents[name], restarts=self.chance.randrange(1000)) for name in chosen}
        self.world = replace(self.world, agents={**self.world.agents, **agents})
        for name in chosen:
            self.vitals.put_signals(name, self.signals())
            for seen in self.observations(name):
                metrics.on_observation(seen)


def ours(fleet: Fleet) -> Metrics:
    metrics = Metrics(lambda: fleet.world, fleet.vitals, RealClock(), "bench")
    for name in fleet.world.agents:
        for seen in fleet.observations(name):
            metrics.on_observation(seen)
    return metrics


def theirs(fleet: Fleet) -> CollectorRegistry:
    """The same series, each a child that its library keeps."""
    registry = CollectorRegistry()
    state, signal = (
        Gauge(f"selfheal_{name}", "Of an agent.", ("agent", label), registry=registry)
        for name, label in (("agent_state", "state"), ("signal", "signal"))
    )
    flags = [
        Gauge(f"selfheal_{name}", "Of an agent.", ("agent",), registry=registry)
        for name in ("agent_up", "breaker_open", "anomaly_score")
    ]
    restarts = Counter("selfheal_agent_restarts", "Of an agent.", ("agent",), registry=registry)
    checks = Counter("selfheal_checks", "Of an agent.", ("agent", "check", "result"), registry=registry)
    for name in fleet.world.agents:
        for one in AGENT_STATES:
            state.labels(name, one).set(one == "healthy")
        for family in flags:
            family.labels(name)
        restarts.labels(name)
        for key, value in fleet.vitals.signals(name).items():
            signal.labels(name, key).set(value)
        for seen in fleet.observations(name):
            checks.labels(seen.agent, seen.check, seen.result).inc()
    return registry


@asynccontextmanager
async def watched(blocks: list[float]) -> AsyncIterator[None]:
    """Add the longest time between two turns of the loop, in milliseconds."""
    over = False

    async def turn() -> None:
        last, longest = time.thread_time(), 0.0
        while not over:
            await asyncio.sleep(0)
            now = time.thread_time()
            last, longest = now, max(longest, now - last)
        blocks.append(longest * 1e3)

    async with asyncio.TaskGroup() as group:
        group.create_task(turn())
        await asyncio.sleep(0)
        try:
            yield
            await asyncio.sleep(0)
        finally:
            over = True


async def timed(scrape: Callable[[], Awaitable[bytes]]) -> Scraped:
    blocks: list[float] = []
    async with watched(blocks):
        began = time.thread_time()
        page = await scrape()
        took_ms = (time.thread_time() - began) * 1e3
    series = sum(not line.startswith(b"#") for line in page.splitlines())
    if series < SERIES:
        raise RuntimeError(f"cannot compare: a page has {series} series and not {SERIES}")
    return Scraped(took_ms, blocks[0])


async def measure_ours() -> dict[str, float]:
    fleet = Fleet()
    metrics = ours(fleet)
    gc.collect()
    gc.freeze()  # as the daemon does with what it has built

    async def scrape() -> bytes:
        return (await metrics.render(""))[0]

    first = await timed(scrape)
    figures, blocks = {"cold_ms": first.took_ms}, [first.block_ms]
    for name, share in SHARES.items():
        rounds: list[Scraped] = []
        for _ in range(ROUNDS):
            fleet.change(share, metrics)
            rounds.append(await timed(scrape))
        figures[f"{name}_ms"] = min(one.took_ms for one in rounds)
        blocks += [one.block_ms for one in rounds]
    seen = Observation("service-01:1", "check-1", 1.0, 0.02, "ok")
    return figures | _blocked(blocks) | {"observation_ns": _each_ns(lambda: metrics.on_observation(seen))}


async def measure_theirs() -> dict[str, float]:
    fleet = Fleet()
    registry = theirs(fleet)
    gc.collect()
    gc.freeze()

    async def scrape() -> bytes:
        return generate_latest(registry)

    rounds = [await timed(scrape) for _ in range(PEER_ROUNDS)]
    took_ms = min(one.took_ms for one in rounds)  # of whatever has changed: it keeps no text
    counter = Counter("checks", "Counted.", ("agent", "check", "result"), registry=None)
    duration = Histogram("took_seconds", "Measured.", buckets=CHECK_BUCKETS, registry=None)

    def count() -> None:
        counter.labels("service-01:1", "check-1", "ok").inc()
        duration.observe(0.02)

    figures = {f"{name}_ms": took_ms for name in SHARES} | {"cold_ms": rounds[0].took_ms}
    return figures | _blocked([one.block_ms for one in rounds]) | {"observation_ns": _each_ns(count)}


def weight(build: Callable[[Fleet], object]) -> float:
    """Bytes that a series takes, the fleet itself apart."""
    fleet = Fleet()
    gc.collect()
    tracemalloc.start()
    kept = build(fleet)
    gc.collect()
    bytes_taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del kept
    return bytes_taken / SERIES


def scraped(fleet: Fleet) -> Metrics:
    """Ours with all the text that it keeps."""
    metrics = ours(fleet)
    asyncio.run(metrics.render(""))
    return metrics


def main() -> None:
    figures = {
        "selfheal": asyncio.run(measure_ours()) | {"bytes_per_series": weight(scraped)},
        "prometheus_client": asyncio.run(measure_theirs()) | {"bytes_per_series": weight(theirs)},
    }
    _report(figures)


def _blocked(blocks: list[float]) -> dict[str, float]:
    return {"block_ms": quantile(blocks, 0.5), "longest_block_ms": max(blocks)}


def _each_ns(count: Callable[[], None]) -> float:
    took_ns: list[int] = []
    for _ in range(ROUNDS):
        began_ns = time.thread_time_ns()
        for _ in range(OBSERVATIONS):
            count()
        took_ns.append(time.thread_time_ns() - began_ns)
    return min(took_ns) / OBSERVATIONS


def _report(figures: Mapping[str, Mapping[str, float]]) -> None:
    print_table(
        f"Scrape of {SERIES:,} series, processor time, best of {ROUNDS}",
        ("", *COLUMNS.values()),
        ([name, *(one[key] for key in COLUMNS)] for name, one in figures.items()),
    )
    own = figures["selfheal"]
    goals = [
        Goal("scrape of 100,000 series, all changed", own["all_changed_ms"], 60.0, "ms"),
        Goal("loop blocked by a scrape, longest", own["longest_block_ms"], 10.0, "ms"),
        Goal("a check counted", own["observation_ns"], 500.0, "ns"),
    ]
    print_goals(goals)
    save("scrape", {"agents": AGENTS, "series": SERIES, "rounds": ROUNDS}, figures, goals)


if __name__ == "__main__":
    run(main)
