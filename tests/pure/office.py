"""A router with its ledger and its notifiers, in virtual time: for the stories of the tests in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from selfheal.events import AlertDelivered, AlertFailed, AlertRaised, Unknown, decode
from selfheal.kinds import Alert, NotifyFailed
from selfheal.ledger import Ledger, replay
from selfheal.notify.router import Router
from selfheal.notify.rules import Rules
from selfheal.rehearse.virtual import EPOCH, VirtualClock, VirtualLoop, in_virtual_time
from tests.pure.ledger_fakes import MemoryJournal


@dataclass
class Inbox:
    """A way to reach a person, which may be out of order: what it shall raise, one after the other."""

    name: str = "inbox"
    one_by_one: bool = False
    alerts: list[Alert] = field(default_factory=list)
    tried_at: list[float] = field(default_factory=list)
    troubles: list[NotifyFailed] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)
    keeps: bool = False
    refuses: str = ""
    before: Callable[[], object] = lambda: None
    clock: VirtualClock | None = None

    async def send(self, alert: Alert, earlier: str) -> str:
        if self.clock is not None:
            self.tried_at.append(self.clock.monotonic())
        self.before()
        if alert.key == self.refuses:
            raise NotifyFailed("status 500")
        if self.troubles:
            raise self.troubles.pop(0)
        self.alerts.append(alert)
        self.earlier.append(earlier)
        return f"{self.name}-{len(self.alerts)}" if self.keeps else ""


class Office:
    """A router with its ledger, in virtual time, asked every second."""

    def __init__(self, *inboxes: Inbox, journal: MemoryJournal | None = None, rules: Rules | None = None) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.journal = journal or MemoryJournal()
        self.ledger = Ledger(self.journal, replay(_events(self.journal)), self.journal.last)
        for inbox in inboxes:
            inbox.clock = self.clock
        self.retried: list[str] = []
        self.router = Router(
            self.ledger, self.clock, Random(1), inboxes, _redact, self.retried.append, lambda: rules or Rules()
        )

    def during(self, *steps: float | Callable[[], object], every_s: float = 0.25) -> None:
        """Let so many seconds pass, do this, let more seconds pass."""
        in_virtual_time(self._live(steps, every_s), self.loop)

    async def _live(self, steps: Sequence[float | Callable[[], object]], every_s: float) -> None:
        for step in steps:
            if callable(step):
                step()
                continue
            end = self.clock.monotonic() + step
            while self.clock.monotonic() < end:
                await self.router.deliver()
                await self.clock.sleep(every_s)

    @property
    def waiting(self) -> int:
        return len(self.ledger.world.undelivered)

    @property
    def told(self) -> list[AlertDelivered]:
        return [event for event in _events(self.journal) if isinstance(event, AlertDelivered)]

    @property
    def failed(self) -> list[AlertFailed]:
        return [event for event in _events(self.journal) if isinstance(event, AlertFailed)]


def _redact(text: str) -> str:
    return text.replace("hunter2", "***")


def _events(journal: MemoryJournal) -> list[AlertRaised | AlertDelivered | AlertFailed]:
    read = [event for event in map(decode, journal.records) if not isinstance(event, Unknown)]
    return [event for event in read if isinstance(event, AlertRaised | AlertDelivered | AlertFailed)]


def raised(
    key: str = "inc-1", at: float = EPOCH, title: str = "api needs a person", *, resolved: bool = False
) -> AlertRaised:
    return AlertRaised(at, key, "critical", title, "exit code 1", "api", "inc-1", resolved)
