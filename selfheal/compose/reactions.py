"""What follows from an event?

The one subscriber that joins the stages: what an event means for the incidents and for a person is recorded in turn,
the supervisor and the healer are told, and the log has a line of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Protocol

from selfheal.detect.triage import triage
from selfheal.events import (
    AgentExited,
    AgentStarted,
    AlertDelivered,
    AlertFailed,
    AlertRaised,
    CheckBroke,
    Diagnosed,
    Event,
    FlappingBegan,
    HealthChanged,
    IncidentEvent,
    KnowledgeImported,
    LoopFailed,
    StateDamaged,
    WorkPlanned,
)
from selfheal.events.agents import AgentDeclared, AgentEvent, AgentStartFailed, BreakerOpened, StandbyFailed
from selfheal.ledger import Ledger
from selfheal.notify.alerts import alerts
from selfheal.telemetry.metrics import Metrics
from selfheal.vitals import Vitals
from selfheal.world import World

_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Log(Protocol):
    """The part of structlog that is used here: an event name and key-values."""

    def debug(self, event: str, /, **facts: object) -> object: ...
    def info(self, event: str, /, **facts: object) -> object: ...
    def warning(self, event: str, /, **facts: object) -> object: ...
    def error(self, event: str, /, **facts: object) -> object: ...


class Reactions:
    """Called by the ledger after each event. `heed` are those who act on what others recorded, in order."""

    def __init__(
        self,
        ledger: Ledger,
        vitals: Vitals,
        heed: Sequence[Callable[[Event], None]],
        metrics: Metrics,
        wake: Callable[[str], None],
        log: Log,
        narrator: Callable[[World, Event], None] | None,
    ) -> None:
        self._ledger = ledger
        self._vitals = vitals
        self._heed = heed
        self._metrics = metrics
        self._wake = wake
        self._log = log
        self._narrator = narrator

    def __call__(self, seq: int, event: Event) -> None:
        """React to one event."""
        if isinstance(event, AgentStarted | AgentExited):
            self._vitals.reset(event.agent)  # a new run owes nothing to the one before
        world = self._ledger.world
        self._ledger.record(*triage(world, event), *alerts(world, event))
        for heed in self._heed:
            heed(event)
        self._metrics.on_event(seq, event, world)
        self._wake("save")
        if isinstance(event, IncidentEvent) and event.incident in world.cases:
            self._wake("maintain")
        elif isinstance(event, AgentEvent | IncidentEvent):
            self._wake("heal")
        if isinstance(event, AlertRaised):
            self._wake("notify")
        if isinstance(event, WorkPlanned):
            self._wake("maintain")  # it may be due now
        if isinstance(event, AgentDeclared) and event.schedule:
            self._wake("schedules")  # its first time may come before the next look
        self._write(event)
        if self._narrator is not None:
            self._narrator(world, event)

    def _write(self, event: Event) -> None:
        facts = asdict(_in_brief(event))
        if "incident" in facts:
            facts["incident_id"] = facts.pop("incident")
        name = _WORD_START.sub(".", type(event).__name__, count=1).lower()
        match event:
            case AlertRaised(severity="critical"):
                self._log.error(name, **facts)
            case AlertRaised(resolved=False) | LoopFailed() | StateDamaged() | AgentStartFailed() | BreakerOpened():
                self._log.warning(name, **facts)
            case HealthChanged(ok=False) | AgentExited(expected=False) | AlertFailed() | AlertDelivered(error=str()):
                self._log.warning(name, **facts)
            case CheckBroke() | FlappingBegan() | StandbyFailed():
                self._log.warning(name, **facts)
            case AgentDeclared():
                self._log.debug(name, **facts)
            case _:
                self._log.info(name, **facts)


def _in_brief(event: Event) -> Event:
    """What is long and read by nobody in a log is left to the journal."""
    match event:
        case Diagnosed():
            return replace(event, look=(), similar=tuple(replace(one, common=()) for one in event.similar))
        case KnowledgeImported():
            return replace(event, tallies={origin: {} for origin in event.tallies}, incidents=())
        case _:
            return event
