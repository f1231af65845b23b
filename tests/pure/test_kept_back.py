"""What becomes of a departure that was kept back, until it is raised or over, and in the next daemon?"""

from __future__ import annotations

from collections.abc import Iterable

from selfheal.compose.alarms import Alarms
from selfheal.detect.anomalies import AnomalyWatch
from selfheal.events import (
    AgentDeclared,
    AnomalySeen,
    AnomalySuppressed,
    Event,
    MaintenanceBegan,
    MaintenanceOver,
)
from selfheal.ledger import Ledger
from selfheal.world import World
from tests.pure.ledger_fakes import MemoryJournal
from tests.pure.series import noise

EVERY_S = 5.0
CALM, HIGH = noise(1, 300), [300.0] * 10
BEGAN = EVERY_S * len(CALM)


class Shown:
    """An agent with one signal that departs while it is in maintenance, and the daemons that see it, one by one."""

    def __init__(self) -> None:
        self.ledger, self.told, self.at = Ledger(MemoryJournal(), World(), 0), list[Event](), 0.0
        self.ledger.subscribe(lambda _seq, event: self.told.append(event))
        self.watch = AnomalyWatch()
        self.alarms = Alarms(self.ledger, self.watch)
        self.ledger.record(AgentDeclared(0.0, "api", "process", "application", (), (), True))
        self.goes(CALM)
        self.ledger.record(MaintenanceBegan(self.at, "api", self.at + 600.0))
        self.goes(HIGH)

    def goes(self, values: Iterable[float]) -> None:
        for value in values:
            self.alarms.look("api", "queue", self.at, value)
            self.at += EVERY_S

    def kept(self) -> list[bytes]:
        return [self.watch.keep(agent) for agent in self.watch.agents()]

    def next_daemon(self, kept: list[bytes]) -> None:
        self.watch = AnomalyWatch(waits=True)
        self.alarms = Alarms(self.ledger, self.watch)
        assert self.watch.resume(kept, self.ledger.world) == []
        self.alarms.go_on(self.at)

    def seen(self) -> list[AnomalySeen]:
        return [event for event in self.told if isinstance(event, AnomalySeen)]

    def suppressed(self) -> list[AnomalySuppressed]:
        return [event for event in self.told if isinstance(event, AnomalySuppressed)]


def test_what_outlasts_its_reason_is_raised_with_its_beginning_and_with_what_it_was_kept_back_for() -> None:
    shown = Shown()
    assert shown.seen() == []
    shown.ledger.record(MaintenanceOver(shown.at, "api"))
    shown.goes(HIGH)
    (seen,) = shown.seen()
    assert (seen.since, seen.after) == (BEGAN, "maintenance")


def test_what_is_on_its_way_back_as_its_reason_goes_is_not_raised() -> None:
    shown = Shown()
    shown.ledger.record(MaintenanceOver(shown.at, "api"))
    shown.goes(CALM[:50])
    assert shown.seen() == []


def test_it_is_the_same_to_the_next_daemon_whether_its_beginning_was_kept_or_is_in_the_journal_alone() -> None:
    shown = Shown()
    late = shown.kept()
    early = AnomalyWatch()
    for place, value in enumerate(CALM):
        early.look("api", "queue", EVERY_S * place, value)
    for kept in (late, [early.keep("api")]):
        shown = Shown()
        shown.next_daemon(kept)
        shown.goes(HIGH)
        assert shown.seen() == []
        assert len(shown.suppressed()) == 1  # it is told once
        shown.ledger.record(MaintenanceOver(shown.at, "api"))
        shown.goes(HIGH)
        (seen,) = shown.seen()
        assert (seen.since, seen.after) == (BEGAN, "maintenance")


def test_what_was_over_before_the_daemon_ended_is_not_out_of_line_in_the_next() -> None:
    shown = Shown()
    shown.goes(CALM[:50])
    shown.next_daemon(shown.kept())
    shown.ledger.record(MaintenanceOver(shown.at, "api"))
    assert not shown.watch.is_out("api", "queue")
    shown.goes(HIGH)
    (seen,) = shown.seen()
    assert (seen.since, seen.after) == (EVERY_S * (len(CALM) + len(HIGH) + 50), None)


def test_what_was_over_while_no_daemon_looked_is_not_raised() -> None:
    shown = Shown()
    shown.next_daemon(shown.kept())
    shown.ledger.record(MaintenanceOver(shown.at, "api"))
    shown.goes(CALM[:50])
    assert shown.seen() == []
    assert not shown.watch.is_out("api", "queue")
