"""Signals that depart from normal in a small fleet: what is recorded of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from selfheal.detect.grouping import Departed, Grew, Returned, grouped, grown, returned
from selfheal.events import AgentDeclared, AnomalySeen, Event
from selfheal.ledger import replay
from selfheal.world import World
from selfheal.world.anomalies import Anomaly

BEGIN = 1_800_000_000.0
# web asks api, which asks the database; the mailer asks the database too; cron has nothing to do with any of them.
NEEDS = {"db": (), "api": ("db",), "web": ("api",), "mailer": ("db",), "cron": ()}


def declared(name: str, needs: Sequence[str] = (), at: float = BEGIN) -> AgentDeclared:
    return AgentDeclared(at, name, "process", "application", tuple(needs), ("http",), True)


def fleet(*more: Event, needs: dict[str, tuple[str, ...]] | None = None) -> World:
    known = NEEDS if needs is None else needs
    return replay([*(declared(name, needed) for name, needed in known.items()), *more])


def departed(
    agent: str, signal: str = "latency", at: float = 10.0, score: float = 0.6, back_s: float = 10.0
) -> Departed:
    """Seconds are those since the begin of time; it began `back_s` before."""
    return Departed(BEGIN + at, agent, signal, 2.0, 1.0, score, BEGIN + at - back_s)


def seen(name: str, agent: str, signal: str = "latency", at: float = 10.0, score: float = 0.6) -> AnomalySeen:
    return AnomalySeen(BEGIN + at, name, agent, signal, 2.0, 1.0, score, BEGIN + at)


@dataclass
class Office:
    """A world to which what is grouped is told."""

    world: World = field(default_factory=fleet)
    told: list[Event] = field(default_factory=list)

    def depart(self, agent: str, signal: str = "latency", at: float = 10.0, score: float = 0.6) -> None:
        self.take(*grouped(self.world, departed(agent, signal, at, score)))

    def grow(self, agent: str, signal: str, at: float, score: float) -> None:
        self.take(*grown(self.world, Grew(BEGIN + at, agent, signal, 3.0, score)))

    def come_back(self, agent: str, signal: str = "latency", at: float = 10.0) -> None:
        self.take(*returned(self.world, Returned(BEGIN + at, agent, signal)))

    def take(self, *events: Event) -> None:
        self.told += events
        self.world = replay(events, self.world)

    def things(self) -> dict[str, Anomaly]:
        return dict(self.world.anomalies.things())


def kinds(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__.removeprefix("Anomaly") for event in events]
