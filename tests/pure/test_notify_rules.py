"""Who is told of what, and when? Each test is a short story of what was raised and who got it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from selfheal.config.notify import QuietConfig
from selfheal.events import (
    AlertRaised,
    AlertsMuted,
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    IncidentEscalated,
    IncidentOpened,
    IncidentResolved,
    WorkPlanned,
)
from selfheal.kinds import NotifyFailed
from selfheal.notify.rules import Rules, quiet_until
from selfheal.rehearse.virtual import EPOCH
from selfheal.vocabulary import Severity
from tests.pure.office import Inbox, Office

HOUR_S = 3600.0


def alert(
    number: int = 1, after_s: float = 0.0, severity: Severity = "warning", *, resolved: bool = False, asks: str = ""
) -> AlertRaised:
    at, key = EPOCH + after_s, f"inc-{number}"
    return AlertRaised(at, key, severity, f"api-{number} fails", "exit code 1", f"api-{number}", key, resolved, asks)


def said(office: Office, *events: Event) -> Callable[[], object]:
    return lambda: office.ledger.record(*events)


def night(begin: int, end: int) -> QuietConfig:
    """Quiet hours that begin and end so many minutes after the story does."""
    first = datetime.fromtimestamp(EPOCH, UTC)
    minutes = first.hour * 60 + first.minute
    at = [(minutes + later) % 1440 for later in (begin, end)]
    return QuietConfig(begin=time(at[0] // 60, at[0] % 60), end=time(at[1] // 60, at[1] % 60))


# --- muted ---


def muted(until_s: float, agent: str = "", after_s: float = 0.0) -> AlertsMuted:
    return AlertsMuted(EPOCH + after_s, EPOCH + until_s, "a person", agent)


def test_of_a_muted_agent_nothing_that_begins_is_told_until_that_is_over_and_others_are_told() -> None:
    mail, told = Inbox("webhook"), list[list[str]]()
    office = Office(mail)

    def look() -> None:
        told.append([one.key for one in mail.alerts])

    office.ledger.record(muted(60.0, "api-1"), alert(1), alert(2))
    office.during(59.0, look, 5.0, look)
    assert told == [["inc-2"], ["inc-2", "inc-1"]]


def test_the_mute_of_one_agent_and_that_of_all_end_each_by_itself() -> None:
    mail, told = Inbox("webhook"), list[list[str]]()
    office = Office(mail)

    def look() -> None:
        told.append([one.key for one in mail.alerts])

    office.ledger.record(muted(60.0, "api-1"), muted(60.0), alert(1), alert(2))
    all_again, one_again = said(office, muted(1.0, after_s=1.0)), said(office, muted(5.0, "api-1", after_s=5.0))
    office.during(1.0, look, all_again, 4.0, look, one_again, 2.0, look)
    assert told == [[], ["inc-2"], ["inc-2", "inc-1"]]
    assert office.ledger.world.post.muted == {}


# --- severity ---


def test_who_wants_only_what_is_critical_gets_neither_the_rest_nor_its_end() -> None:
    phone, mail = Inbox("apprise-1"), Inbox("webhook")
    office = Office(phone, mail, rules=Rules(least={"apprise": "critical"}))
    over = [alert(1, 1.0, "info", resolved=True), alert(2, 1.0, "info", resolved=True)]
    office.ledger.record(alert(1), alert(2, severity="critical"))
    office.during(1.0, said(office, *over), 1.0)
    assert [(one.key, one.resolved) for one in phone.alerts] == [("inc-2", False), ("inc-2", True)]
    assert len(mail.alerts) == 4
    assert office.waiting == 0


def test_a_severity_for_all_is_that_of_whoever_has_none_of_its_own() -> None:
    phone, mail = Inbox("telegram"), Inbox("webhook")
    office = Office(phone, mail, rules=Rules(least={"*": "critical", "webhook": "info"}))
    office.ledger.record(alert(1))
    office.during(1.0)
    assert (len(phone.alerts), len(mail.alerts)) == (0, 1)


# --- quiet hours ---


def test_in_quiet_hours_what_is_critical_is_told_and_the_rest_when_they_are_over() -> None:
    inbox = Inbox()
    office = Office(inbox, rules=Rules(quiet=night(-60, 60)))
    office.ledger.record(alert(1), alert(2, severity="critical"))
    early: list[str] = []
    office.during(600.0, lambda: early.extend(one.key for one in inbox.alerts), HOUR_S)
    assert early == ["inc-2"]
    assert [one.key for one in inbox.alerts] == ["inc-2", "inc-1"]


def test_what_is_over_before_the_quiet_hours_end_is_told_to_nobody() -> None:
    inbox = Inbox()
    office = Office(inbox, rules=Rules(quiet=night(-60, 60)))
    office.ledger.record(alert(1))
    office.during(600.0, said(office, alert(1, 600.0, "info", resolved=True)), 2 * HOUR_S)
    assert inbox.alerts == []
    assert office.waiting == 0


def test_that_it_is_over_is_told_in_quiet_hours_too() -> None:
    inbox = Inbox()
    office = Office(inbox, rules=Rules(quiet=night(5, 60)))
    office.ledger.record(alert(1))
    office.during(600.0, said(office, alert(1, 600.0, "info", resolved=True)), 5.0)
    assert [one.resolved for one in inbox.alerts] == [False, True]


MINUTES = st.integers(0, 1439).map(lambda minute: time(minute // 60, minute % 60))


@given(st.integers(0, 365 * 24 * 4), MINUTES, MINUTES)
def test_quiet_hours_end_within_a_day_and_a_moment_after_them_is_in_none(quarter: int, begin: time, end: time) -> None:
    assume(begin != end)
    quiet = QuietConfig(begin=begin, end=end, timezone="Europe/Berlin")
    at = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * quarter)).timestamp()
    until = quiet_until(quiet, at)
    assert at <= until <= at + 25 * HOUR_S
    assert quiet_until(quiet, until) == until
    if until > at:
        assert datetime.fromtimestamp(until, ZoneInfo("Europe/Berlin")).time() == end or end.hour in (2, 3)


# --- grouping ---


def test_many_that_begin_together_are_one_message_and_so_are_their_ends() -> None:
    inbox = Inbox(keeps=True)
    office = Office(inbox, rules=Rules(group_s=5.0))
    ends = [alert(number, 60.0, "info", resolved=True) for number in range(1, 5)]
    begins = [alert(number, number, "critical" if number == 3 else "warning") for number in range(1, 5)]
    first, second, third, fourth = (said(office, one) for one in begins)
    office.during(1.0, first, 1.0, second, 1.0, third, 1.0, fourth, 30.0, said(office, *ends), 30.0)
    began, over = inbox.alerts
    assert (began.title, began.severity) == ("4 alerts: api-1, api-2, api-3, api-4", "critical")
    assert [line.split(":")[0] for line in began.text.splitlines()] == [f"api-{number} fails" for number in range(1, 5)]
    assert over.title == "4 troubles are over: api-1, api-2, api-3, api-4"
    assert inbox.earlier == ["", ""], "what tells of four is not changed when one of them is over"
    assert office.waiting == 0


def test_a_program_gets_each_by_itself_and_a_question_is_asked_by_itself_and_at_once() -> None:
    program, person = Inbox("webhook", one_by_one=True), Inbox("telegram")
    office = Office(program, person, rules=Rules(group_s=5.0))
    office.ledger.record(alert(1, asks="purge"), *(alert(number) for number in (2, 3, 4)))
    first: list[str] = []
    office.during(1.0, lambda: first.extend(one.key for one in person.alerts), 30.0)
    assert first == ["inc-1"]
    assert [one.key for one in program.alerts] == ["inc-1", "inc-2", "inc-3", "inc-4"]
    assert [one.title for one in person.alerts][1:] == ["3 alerts: api-2, api-3, api-4"]


def test_a_bundle_that_cannot_be_delivered_is_tried_again_as_a_whole() -> None:
    inbox = Inbox(troubles=[NotifyFailed("status 503")] * 4)
    office = Office(inbox)
    office.ledger.record(*(alert(number) for number in range(5)))
    office.during(60.0)
    assert [one.title[:8] for one in inbox.alerts] == ["5 alerts"]
    assert office.waiting == 0


# --- who is called later, and what is said again ---


def test_who_is_called_later_is_told_of_what_nobody_has_ended_by_then_and_of_its_end() -> None:
    first, boss = Inbox("webhook"), Inbox("apprise-1")
    office = Office(first, boss, rules=Rules(escalate_s=900.0, called_later=frozenset({"apprise"})))
    office.ledger.record(alert(1), alert(2))
    early: list[int] = []
    one_ends = said(office, alert(1, 600.0, "info", resolved=True))
    other_ends = said(office, alert(2, 1000.0, "info", resolved=True))
    office.during(600.0, one_ends, 290.0, lambda: early.append(len(boss.alerts)), 110.0, other_ends, 5.0)
    assert early == [0]
    assert [(one.key, one.resolved) for one in boss.alerts] == [("inc-2", False), ("inc-2", True)]
    assert [one.resolved for one in first.alerts] == [False, False, True, True]


def incident(office: Office, *more: Event) -> None:
    office.ledger.record(IncidentOpened(EPOCH, "inc-1", "api-1", "check", "status 500", EPOCH), *more)


@pytest.mark.parametrize(
    "why",
    [IncidentEscalated(EPOCH, "inc-1", "no fix is left"), ApprovalAsked(EPOCH, "inc-1", "purge", "api-1", EPOCH + 9e9)],
)
def test_what_still_needs_a_person_is_said_again_and_again_until_it_is_over(why: Event) -> None:
    inbox = Inbox(keeps=True)
    office = Office(inbox, rules=Rules(repeat_s=HOUR_S))
    incident(office, why, alert(1, severity="critical"))
    end = said(
        office,
        IncidentResolved(EPOCH + 2.5 * HOUR_S, "inc-1", "it recovered by itself", 9.0),
        alert(1, 2.5 * HOUR_S, "info", resolved=True),
    )
    office.during(2.5 * HOUR_S, end, 3 * HOUR_S, every_s=10.0)
    assert [one.resolved for one in inbox.alerts] == [False, False, False, True]
    assert [one.text for one in inbox.alerts[1:3]] == [
        "exit code 1; it has lasted for 60 min", "exit code 1; it has lasted for 2 h",
    ]  # fmt: skip
    assert inbox.earlier == ["", "", "", "inbox-3"], "what is said again has to be heard: it changes nothing"


def test_whether_planned_work_may_be_done_is_asked_again_until_that_is_answered() -> None:
    inbox = Inbox(keeps=True)
    office = Office(inbox, rules=Rules(repeat_s=HOUR_S))
    late = EPOCH + 9 * HOUR_S
    work = WorkPlanned(
        EPOCH, "work-1", "api-1", "restart", late, "rss grows", "out_of_memory", "memory_leak", 0.9, late
    )
    asked = replace(alert(asks="restart"), key="work-1", incident="work-1", asked_at=EPOCH)
    office.ledger.record(work, ApprovalAsked(EPOCH, "work-1", "restart", "api-1", late), asked)
    answer = said(office, ApprovalAnswered(EPOCH + 2.5 * HOUR_S, "work-1", False, "ann"))
    office.during(2.5 * HOUR_S, answer, 3 * HOUR_S, every_s=10.0)
    assert [(one.asks, one.asked_at, one.text) for one in inbox.alerts] == [
        ("restart", EPOCH, f"exit code 1{more}") for more in ("", "; it was asked 60 min ago", "; it was asked 2 h ago")
    ]


def test_without_a_word_on_it_nothing_is_said_again_and_nothing_wakes_for_it() -> None:
    office = Office(Inbox(), rules=Rules())
    incident(office, IncidentEscalated(EPOCH, "inc-1", "no fix is left"), alert(1))
    office.during(10.0)
    assert office.router.has_nothing_to_tell()
