"""Does an alert reach whoever should know, once and for certain?"""

from __future__ import annotations

import pytest

from selfheal.errors import JournalUnavailable
from selfheal.events import AlertDelivered
from selfheal.kinds import NotifyFailed
from selfheal.notify.router import BACKOFF_LAST_S, GIVE_UP_S, SAID_AGAIN_S
from selfheal.rehearse.virtual import EPOCH
from tests.pure.ledger_fakes import MemoryJournal
from tests.pure.office import Inbox, Office, raised


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


def test_what_could_not_be_delivered_comes_in_its_order_once_the_notifier_is_back() -> None:
    inbox = Inbox(troubles=[NotifyFailed("status 503")] * 5)
    office = Office(inbox)
    office.ledger.record(raised("inc-1"), raised("inc-2"))
    office.during(60.0)
    assert [alert.key for alert in inbox.alerts] == ["inc-1", "inc-2"]


def test_an_alert_that_never_gets_through_holds_up_the_others_for_some_tries_only() -> None:
    inbox = Inbox(refuses="inc-1")
    office = Office(inbox)
    office.ledger.record(raised("inc-1"), raised("inc-2"))
    office.during(60.0)
    assert [alert.key for alert in inbox.alerts] == ["inc-2"]
    assert office.waiting == 1


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
    inbox = Inbox(keeps=True)
    office = Office(inbox)
    newer = raised(at=EPOCH + 1.0, title="may purge be applied to api?")

    def meanwhile() -> None:
        inbox.before = lambda: None
        office.ledger.record(newer)

    inbox.before = meanwhile
    office.ledger.record(raised())
    office.during(5.0)
    assert [alert.title for alert in inbox.alerts] == ["api needs a person", "may purge be applied to api?"]
    assert inbox.earlier == ["", "inbox-1"], "what was sent meanwhile is there, and is changed"


def test_newer_news_takes_the_place_of_the_old_and_waits_as_long_as_the_notifier_has_asked_for() -> None:
    inbox = Inbox(troubles=[NotifyFailed("status 429", retry_after_s=500.0)])
    office = Office(inbox)
    office.ledger.record(raised())
    newer = raised(at=EPOCH + 1.0, title="api still needs a person")
    office.during(1.0, lambda: office.ledger.record(newer), 600.0)
    assert [alert.title for alert in inbox.alerts] == ["api still needs a person"]
    assert inbox.tried_at == [0.0, 500.0]


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
    assert 5 < len(office.retried) < 20, "one try for all of them"


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
