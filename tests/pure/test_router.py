"""Does an alert reach whoever should know, once and for certain?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from selfheal.errors import JournalUnavailable
from selfheal.events import AlertDelivered, AlertFailed, AlertRaised, Unknown, decode
from selfheal.kinds import Alert, NotifyFailed
from selfheal.ledger import Ledger, replay
from selfheal.notify.router import BACKOFF_LAST_S, GIVE_UP_S, SAID_AGAIN_S, Router
from selfheal.rehearse.virtual import EPOCH, VirtualClock, VirtualLoop, in_virtual_time
from tests.pure.ledger_fakes import MemoryJournal


@dataclass
class Inbox:
    """A way to reach a person, which may be out of order: what it shall raise, one after the other."""

    name: str = "inbox"
    alerts: list[Alert] = field(default_factory=list)
    tried_at: list[float] = field(default_factory=list)
    troubles: list[NotifyFailed] = field(default_factory=list)
    earlier: list[str] = field(default_factory=list)
    keeps: bool = False
    before: Callable[[], object] = lambda: None
    clock: VirtualClock | None = None

    async def send(self, alert: Alert, earlier: str) -> str:
        if self.clock is not None:
            self.tried_at.append(self.clock.monotonic())
        self.before()
        if self.troubles:
            raise self.troubles.pop(0)
        self.alerts.append(alert)
        self.earlier.append(earlier)
        return f"{self.name}-{len(self.alerts)}" if self.keeps else ""


class Office:
    """A router with its ledger, in virtual time, asked every second."""

    def __init__(self, *inboxes: Inbox, journal: MemoryJournal | None = None) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop)
        self.journal = journal or MemoryJournal()
        self.ledger = Ledger(self.journal, replay(_events(self.journal)), self.journal.last)
        for inbox in inboxes:
            inbox.clock = self.clock
        self.retried: list[str] = []
        self.router = Router(self.ledger, self.clock, Random(1), inboxes, _redact, self.retried.append)

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


def test_an_alert_is_sent_once_and_its_delivery_is_an_event() -> None:
    inbox = Inbox()
    office = Office(inbox)
    office.ledger.record(raised())
    office.during(10.0)
    assert [(alert.key, alert.title, alert.severity) for alert in inbox.alerts] == [
        ("inc-1", "api needs a person", "critical")
    ]
    assert office.told == [AlertDelivered(EPOCH, "inc-1", "inbox", resolved=False, error=None)]
    assert office.waiting == 0


def test_nothing_is_told_that_could_still_be_lost() -> None:
    synced: list[int] = []
    inbox = Inbox()
    office = Office(inbox)
    inbox.before = lambda: synced.append(office.journal.synced)
    office.ledger.record(raised())
    office.during(1.0)
    assert synced == [1]


def test_while_the_disk_refuses_alerts_are_sent_all_the_same() -> None:
    """The alert may be about just that."""
    inbox = Inbox()
    office = Office(inbox)
    office.ledger.record(raised())
    office.journal.trouble = "no space left"
    office.during(1.0)
    assert len(inbox.alerts) == 1


def test_a_disk_that_fails_in_that_moment_is_the_loops_trouble_and_nothing_is_sent() -> None:
    class Failing(MemoryJournal):
        async def sync(self, seq: int | None = None) -> None:
            raise JournalUnavailable("no space left")

    inbox = Inbox()
    office = Office(inbox, journal=Failing())
    office.ledger.record(raised())
    with pytest.raises(JournalUnavailable):
        office.during(1.0)
    assert inbox.alerts == []
    assert office.waiting == 1


def test_what_cannot_be_delivered_now_is_tried_again_later_and_later() -> None:
    inbox = Inbox(troubles=[NotifyFailed("status 503") for _ in range(12)])
    office = Office(inbox)
    office.ledger.record(raised())
    office.during(3600.0)
    waits = [later - earlier for earlier, later in zip(inbox.tried_at, inbox.tried_at[1:], strict=False)]
    assert len(inbox.alerts) == 1
    assert len(waits) == 12
    for number, wait in enumerate(waits):
        limit = min(BACKOFF_LAST_S, 2.0**number)
        assert limit / 2 <= wait <= limit + 0.25


def test_a_notifier_that_says_when_to_come_back_is_not_asked_earlier() -> None:
    inbox = Inbox(troubles=[NotifyFailed("too many requests", retry_after_s=40.0)])
    office = Office(inbox)
    office.ledger.record(raised())
    office.during(60.0)
    assert inbox.tried_at == [0.0, 40.0]


def test_what_another_try_cannot_change_is_not_tried_again() -> None:
    inbox = Inbox(troubles=[NotifyFailed("no such chat", permanent=True)])
    office = Office(inbox)
    office.ledger.record(raised())
    office.during(600.0)
    assert inbox.tried_at == [0.0]
    assert [event.error for event in office.told] == ["no such chat"]
    assert office.waiting == 0


def test_after_a_day_an_alert_is_given_up() -> None:
    inbox = Inbox(troubles=[NotifyFailed("status 503") for _ in range(1000)])
    office = Office(inbox)
    office.ledger.record(raised())
    office.during(GIVE_UP_S + 2 * BACKOFF_LAST_S, every_s=60.0)
    assert [event.error for event in office.told] == ["status 503"]
    assert office.waiting == 0


def test_one_alert_that_does_not_get_through_holds_up_no_other() -> None:
    inbox = Inbox(troubles=[NotifyFailed("status 503")])
    office = Office(inbox)
    office.ledger.record(raised("inc-1"), raised("inc-2"))
    office.during(5.0)
    assert [alert.key for alert in inbox.alerts] == ["inc-2", "inc-1"]


def test_every_notifier_gets_it_once_however_long_another_one_is_out_of_order() -> None:
    phone, mail = Inbox("phone", troubles=[NotifyFailed("busy")] * 3), Inbox("mail")
    office = Office(phone, mail)
    office.ledger.record(raised())
    early: list[tuple[int, int, int]] = []
    office.during(0.25, lambda: early.append((len(phone.alerts), len(mail.alerts), office.waiting)), 30.0)
    assert early == [(0, 1, 1)]
    assert (len(phone.alerts), len(mail.alerts)) == (1, 1)
    assert {event.notifier for event in office.told} == {"phone", "mail"}


def test_an_alert_that_was_not_delivered_survives_a_restart_of_the_daemon() -> None:
    office = Office(Inbox(troubles=[NotifyFailed("status 503")] * 99))
    office.ledger.record(raised("inc-1"), raised("inc-2"))
    office.during(5.0)
    inbox = Inbox()
    again = Office(inbox, journal=office.journal)
    assert again.waiting == 2
    again.during(1.0)
    assert [alert.key for alert in inbox.alerts] == ["inc-1", "inc-2"]
    third = Inbox()
    Office(third, journal=office.journal).during(1.0)
    assert third.alerts == []


def test_that_it_is_over_is_never_told_before_that_it_began() -> None:
    inbox = Inbox(troubles=[NotifyFailed("status 503")] * 4)
    office = Office(inbox)
    office.ledger.record(raised())
    office.during(1.0, lambda: office.ledger.record(raised(at=EPOCH + 1.0, resolved=True)), 60.0)
    assert [alert.resolved for alert in inbox.alerts] == [False, True]


def test_news_that_arrives_while_the_old_is_being_sent_is_sent_too() -> None:
    inbox = Inbox()
    office = Office(inbox)
    newer = raised(at=EPOCH + 1.0, title="may purge be applied to api?")

    def meanwhile() -> None:
        inbox.before = lambda: None
        office.ledger.record(newer)

    inbox.before = meanwhile
    office.ledger.record(raised())
    office.during(5.0)
    assert [alert.title for alert in inbox.alerts] == ["api needs a person", "may purge be applied to api?"]


def test_newer_news_of_the_same_does_not_wait_for_the_back_off_of_the_old() -> None:
    inbox = Inbox(troubles=[NotifyFailed("status 503", retry_after_s=500.0)])
    office = Office(inbox)
    office.ledger.record(raised())
    newer = raised(at=EPOCH + 1.0, title="api still needs a person")
    office.during(1.0, lambda: office.ledger.record(newer), 1.0)
    assert [alert.title for alert in inbox.alerts] == ["api still needs a person"]


def test_a_notifier_that_is_out_of_order_is_an_event_at_first_at_each_change_and_every_hour() -> None:
    troubles = [NotifyFailed("no route")] * 40 + [NotifyFailed("status 503")] * 3
    office = Office(Inbox(troubles=troubles))
    office.ledger.record(raised("inc-1"))
    office.during(4 * SAID_AGAIN_S, every_s=5.0)
    said = [(event.key, event.notifier, event.why) for event in office.failed]
    hours = len(said) - 2
    assert hours in (1, 2)
    assert said == [("inc-1", "inbox", "no route")] * (1 + hours) + [("inc-1", "inbox", "status 503")]
    assert office.retried == ["inbox"] * 43
    assert 0.5 <= office.failed[0].retry_s <= 1.0
    assert [event.error for event in office.told] == [None]


def test_many_alerts_at_one_dead_notifier_are_one_trouble() -> None:
    office = Office(Inbox(troubles=[NotifyFailed("no route")] * 999))
    office.ledger.record(*(raised(f"inc-{number}") for number in range(50)))
    office.during(60.0)
    assert len(office.failed) == 1
    assert len(office.retried) > 250


def test_a_trouble_that_comes_back_is_said_again() -> None:
    inbox = Inbox(troubles=[NotifyFailed("no route")])
    office = Office(inbox)
    office.ledger.record(raised("inc-1"))

    def again() -> None:
        inbox.troubles = [NotifyFailed("no route")]
        office.ledger.record(raised("inc-2"))

    office.during(5.0, again, 5.0)
    assert [event.key for event in office.failed] == ["inc-1", "inc-2"]


def test_no_secret_of_an_address_is_kept() -> None:
    troubles = [NotifyFailed("cannot post to /hunter2"), NotifyFailed("no such chat hunter2", permanent=True)]
    office = Office(Inbox(troubles=troubles))
    office.ledger.record(raised())
    office.during(5.0)
    assert office.failed[0].why == "cannot post to /***"
    assert [event.error for event in office.told] == ["no such chat ***"]


def test_with_nobody_to_tell_the_log_has_it() -> None:
    office = Office()
    office.ledger.record(raised())
    office.during(1.0)
    assert [event.notifier for event in office.told] == ["log"]


def test_what_comes_next_under_a_key_is_sent_with_what_the_notifier_has_called_the_last() -> None:
    keeps, forgets = Inbox("keeps", keeps=True), Inbox("forgets")
    office = Office(keeps, forgets)
    office.ledger.record(raised())
    worse, over = raised(title="it is worse"), raised(resolved=True)
    office.during(1.0, lambda: office.ledger.record(worse), 1.0, lambda: office.ledger.record(over), 1.0)
    assert keeps.earlier == ["", "keeps-1", "keeps-2"]
    assert forgets.earlier == ["", "", ""]
    assert office.ledger.world.post.told == {}


def test_a_daemon_that_dies_between_two_notifiers_tells_only_the_other_one() -> None:
    first, second = Inbox("first"), Inbox("second", troubles=[NotifyFailed("it is down")] * 3)
    office = Office(first, second)
    office.ledger.record(raised())
    office.during(0.1)
    assert (len(first.alerts), office.waiting) == (1, 1)
    second.troubles.clear()
    office = Office(first, second, journal=office.journal)
    office.during(1.0)
    assert (len(first.alerts), len(second.alerts), office.waiting) == (1, 1, 0)


def test_whom_the_configuration_names_no_more_is_not_waited_for() -> None:
    first, second = Inbox("first"), Inbox("second", troubles=[NotifyFailed("it is down")] * 9)
    office = Office(first, second)
    office.ledger.record(raised())
    office.during(1.0, lambda: setattr(office.router, "notifiers", (first,)), 600.0)
    assert (len(first.alerts), office.waiting) == (1, 0)
