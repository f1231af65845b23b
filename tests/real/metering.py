"""What are metrics counted on in a test?"""

from __future__ import annotations

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from selfheal.clock import Clock
from selfheal.events import (
    AgentDeclared,
    AgentReady,
    AgentStarted,
    AlertDelivered,
    AnomalySeen,
    Cause,
    Diagnosed,
    Event,
    FailurePredicted,
    FixEnded,
    FixStarted,
    IncidentOpened,
    IncidentResolved,
    LoopFailed,
    Run,
    Verified,
)
from selfheal.kinds import Observation
from selfheal.telemetry.metrics import Metrics
from selfheal.vitals import Vitals
from selfheal.world import EMPTY, fold


class StoppedClock:
    """A clock that stands at 1000 s."""

    def now(self) -> float:
        return 1000.0

    def wall(self) -> float:
        return 1000.0

    def monotonic(self) -> float:
        return 1000.0

    def of_file(self, modified_at: float) -> float:
        return modified_at

    async def sleep(self, seconds: float) -> None:
        assert seconds == 0.0
        await asyncio.sleep(0)


class Bench:
    """Metrics over a world that is folded here."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.world = EMPTY
        self.vitals = Vitals()
        self.metrics = Metrics(lambda: self.world, self.vitals, clock or StoppedClock(), "1.2.3")

    def tell(self, *events: Event) -> None:
        for seq, event in enumerate(events):
            self.world = fold(self.world, event)
            self.metrics.on_event(seq, event, self.world)

    def page(self, accept: str = "") -> str:
        return asyncio.run(self.metrics.render(accept))[0].decode()

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(self.page())
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((name, frozenset(labels.items())))


def up(name: str) -> list[Event]:
    return [
        AgentDeclared(1.0, name, "process", "application", (), (), True),
        AgentStarted(1.0, name, Run(7, 1, 1.0, 1, "boot"), "first"),
        AgentReady(1.0, name, 1, 0.1),
    ]


def busy() -> Bench:
    """A bench on which every family has samples."""
    bench = Bench()
    bench.tell(
        *up("api"),
        IncidentOpened(10.1, "inc-1", "api", "exit", "exited", 10.0),
        Diagnosed(10.2, "inc-1", (Cause("hung", 0.9, "api"),)),
        Diagnosed(10.3, "inc-1", (Cause("killed", 0.9, "api"),)),
        FixStarted(10.3, "inc-1", 1, "restart", "application", "api", "hung"),
        FixEnded(11.0, "inc-1", 1, "failed", "no"),
        Verified(11.1, "inc-1", 1, "failed", "it did not start"),
        FixStarted(12.0, "inc-1", 2, "restart", "application", "api", "hung"),
        FixEnded(13.0, "inc-1", 2, "succeeded", ""),
        Verified(33.0, "inc-1", 2, "succeeded", "well", 14.0),
        IncidentResolved(33.0, "inc-1", "well", 40.0),
        AnomalySeen(50.0, "ano-1", "api", "rss", 2.0, 1.0, 0.75),
        FailurePredicted(990.0, "api", "out_of_memory", "rss", 0.8, 100.0, 90.0, 110.0, 1.0, 2.0, 0.01),
        AlertDelivered(991.0, "key", "webhook", False, None),
    )
    bench.metrics.on_retry("webhook")
    bench.metrics.on_observation(Observation("api", "http", 1.0, 0.02, "ok"))
    bench.metrics.on_loop("observe", 0.01, 0.002)
    bench.tell(LoopFailed(992.0, "observe", "ValueError", 1.0), LoopFailed(993.0, "heal inc-77", "ValueError", 0.0))
    bench.vitals.put_signals("api", {"rss": 1e8, "queue_depth": 3.0})
    return bench
