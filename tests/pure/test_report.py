"""Does the report of an incident say what it was and what it cost, whatever those who wrote into it meant by that?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.causes import CAUSES
from selfheal.decide.guard import PASSED
from selfheal.events import (
    ActEnded,
    AgentDeclared,
    Alternative,
    ApprovalAnswered,
    ApprovalAsked,
    Cause,
    Diagnosed,
    Event,
    FixEnded,
    FixStarted,
    Held,
    IncidentEscalated,
    IncidentJoined,
    IncidentOpened,
    IncidentResolved,
    Planned,
    StartAsked,
    UndoEnded,
    UndoStarted,
    Verified,
)
from selfheal.recover import FIXES, told_against
from selfheal.serve.advice import ADVICE, SETTINGS
from selfheal.serve.models.report import IncidentReport
from selfheal.serve.views.guards import STEPS
from selfheal.serve.views.markdown import fenced, markdown, text
from selfheal.serve.views.report import LINES, report
from selfheal.vocabulary import GUARD_CODES, GUARDS
from selfheal.world import EMPTY, World, fold
from tests.pure.histories import histories

T0 = 1_767_323_045.0  # 2026-01-02T03:04:05Z
DAY_S = 86_400.0
FAILED: tuple[Event, ...] = (
    AgentDeclared(T0 - 9, "db", "sqlite", "data", (), ("file",), False),
    AgentDeclared(T0 - 9, "api", "process", "application", ("db",), ("http",), True),
    IncidentOpened(T0 + 1, "inc-1", "db", "check", "page 7 is damaged", T0),
    IncidentJoined(T0 + 5, "inc-1", "api", "it depends on db"),
    Diagnosed(T0 + 2, "inc-1", (Cause("corrupted", 0.99, "db", ("a page has another sum",), ("data", "check")),)),
)
HEALED: tuple[Event, ...] = (
    ApprovalAsked(T0 + 3, "inc-1", "restore_backup", "db", T0 + 99),
    ApprovalAnswered(T0 + 23, "inc-1", True, "Ada"),
    FixStarted(T0 + 24, "inc-1", 1, "restore_backup", "data", "db", "corrupted"),
    ActEnded(T0 + 25, "inc-1", 1, "look for a backup", "backup b7 of an hour ago"),
    FixEnded(T0 + 30, "inc-1", 1, "succeeded", "backup b7 is in place; 12 rows are lost"),
    Verified(T0 + 70, "inc-1", 1, "succeeded", "", T0 + 40),
    IncidentResolved(T0 + 70, "inc-1", "restore_backup helped", 40.0),
)


def world(*events: Event) -> World:
    return reduce(fold, events, EMPTY)


def test_what_was_changed_on_purpose_before_it_began_is_told() -> None:
    deployed = AgentDeclared(T0 - 60, "db", "sqlite", "data", (), ("file",), False, version="1.1")
    first = replace(deployed, at=T0 - 90_000, version="1.0")
    late = StartAsked(T0 + 50, "api", "Bob")
    found = told(first, deployed, *FAILED[1:], late)
    assert [(one.agent, one.kind, one.title) for one in found.changes] == [
        ("db", "deploy", "version 1.0 became 1.1"),
    ]
    assert "## What was changed before\n\n- " in markdown(found)
    assert told(*FAILED).changes == []


def told(*events: Event, now: float = T0 + 100) -> IncidentReport:
    seen = world(*events)
    return report(seen, seen.incidents["inc-1"], now, told_against(FIXES))


def test_every_cause_has_its_advice_and_every_guard_its_sentence() -> None:
    assert ADVICE.keys() == CAUSES.keys()
    assert tuple(GUARDS) == GUARD_CODES
    assert SETTINGS.keys() <= GUARDS.keys()
    assert STEPS == PASSED


def test_a_report_tells_what_it_was_and_what_it_cost() -> None:
    found = told(*FAILED, *HEALED)
    assert (found.title, found.severity) == ("db: its data are damaged", "critical")
    assert "api suffered too." in found.summary
    assert "It is the first time within 30 days." in found.summary
    assert [(one.agent, one.seconds) for one in found.cost.outages] == [("db", 40.0), ("api", 35.0)]
    assert (found.cost.recovery_seconds, found.cost.restarts, found.cost.acts) == (40.0, 0, 1)
    assert (found.cost.approval_seconds, found.cost.person_seconds) == (20.0, None)
    assert found.cost.data == ["backup b7 of an hour ago", "backup b7 is in place; 12 rows are lost"]
    assert found.causes[0].channels == ["data", "check"]
    assert found.attempts[0].duration_seconds == 6.0
    assert found.prevention.settings == []


def test_what_lasts_still_is_reckoned_to_now_and_says_which_settings_matter() -> None:
    weighed = (Alternative("restart", 0.1, 1800.0, "its breaker is open", "breaker"),)
    found = told(
        *FAILED,
        Diagnosed(T0 + 3, "inc-1", (Cause("out_of_memory", 0.9, "db"),)),
        Held(T0 + 4, "inc-1", "it was healed a moment ago", T0 + 60, "cooldown"),
        Planned(T0 + 5, "inc-1", "purge", "db", "it helps", weighed),
        IncidentEscalated(T0 + 50, "inc-1", "no fix is left for db"),
        now=T0 + 100,
    )
    assert (found.cost.person_seconds, found.cost.outages[0].seconds) == (50.0, 100.0)
    settings_ = " ".join(found.prevention.settings)
    for name in (
        "guard.cooldown",
        "guard.attempts_per_hour",
        "healing.raise_limit",
        "healing.shed_load",
        '`causes = ["out_of_memory"]`',
    ):
        assert name in settings_
    assert "It has lasted for 100 s." in found.summary


def test_a_fix_that_was_taken_back_is_told_as_such() -> None:
    found = told(
        *FAILED,
        FixStarted(T0 + 6, "inc-1", 1, "shift", "application", "db", "corrupted"),
        FixEnded(T0 + 7, "inc-1", 1, "succeeded", ""),
        Verified(T0 + 8, "inc-1", 1, "failed", "no better"),
        UndoStarted(T0 + 9, "inc-1", 1),
        UndoEnded(T0 + 10, "inc-1", 1, True, ""),
    )
    assert "undone; what it did was taken back" in markdown(found)


def test_how_often_it_happened_within_a_month_is_counted_for_this_agent_and_cause_alone() -> None:
    def before(number: int, days: float, agent: str, cause: str) -> tuple[Event, ...]:
        at, name = T0 - days * DAY_S, f"inc-{number}"
        return IncidentOpened(at, name, agent, "check", "", at), Diagnosed(at, name, (Cause(cause, 0.9, agent),))

    past = [
        *before(2, 1, "db", "corrupted"), *before(3, 29, "db", "corrupted"), *before(4, 31, "db", "corrupted"),
        *before(5, 1, "api", "corrupted"), *before(6, 1, "db", "slow"),
    ]  # fmt: skip
    found = told(*past, *FAILED, *HEALED)
    assert found.prevention.recurrence.count == 3
    assert "- It happened 3 times within 30 days, first at 2025-12-04 03:04:05 UTC." in markdown(found)


def test_the_document_has_its_sections_in_their_order() -> None:
    document = markdown(told(*FAILED, *HEALED))
    assert document.startswith("# inc-1: db: its data are damaged\n\n**critical** · resolved · 2026-01-02 03:04:05 to ")
    headings = re.findall(r"^## (.*)$", document, re.MULTILINE)
    assert headings == ["What happened", "Why", "What was tried", "What it cost", "What would prevent it"]
    assert "| 03:04:06.000 | +1.000 s | db: page 7 is damaged; noticed after 1 s |" in document
    assert "- of the data: “backup b7 is in place; 12 rows are lost”" in document


def test_a_long_output_is_cut_and_stands_in_a_fence_that_it_cannot_end() -> None:
    output = "\n".join(["```", "# not a heading", *(f"line {number}" for number in range(30))])
    seen = (*FAILED, HEALED[2], FixEnded(T0 + 30, "inc-1", 1, "failed", output))
    assert told(*seen).attempts[0].output.count("\n") == LINES
    document = markdown(told(*seen))
    assert "   ````text\n   ```\n   # not a heading\n" in document
    assert not re.search("^# not", document, re.MULTILINE)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a | b\nc", r"a \| b c"),
        ("<img src=x>", r"\<img src=x\>"),
        ("[here](http://x)", r"\[here\](http://x)"),
        ("- no item", r"\- no item"),
        ("1. no item", "1&#8203;. no item"),
        ("\x1b[31mred\u202e", r"\[31mred"),
    ],
)
def test_what_was_written_is_shown_and_is_no_markup(written: str, shown: str) -> None:
    assert text(written) == shown


@given(st.text())
def test_no_text_ends_its_fence(given_text: str) -> None:
    first, *inner, last = _lines(fenced(given_text))
    assert first == f"{last}text"
    assert all(not line.strip().startswith(last) for line in inner)


def _lines(blocks: Iterator[str]) -> list[str]:
    return list(blocks)


@given(histories(), st.floats(0, 1e6))
@settings(max_examples=80, deadline=None)
def test_whatever_happened_there_is_a_report_of_it(history: list[Event], later_s: float) -> None:
    seen = world(*history)
    for incident in seen.incidents.values():
        found = report(seen, incident, seen.at + later_s, told_against(FIXES))
        assert IncidentReport.model_validate_json(found.model_dump_json()) == found
        assert all(one.seconds is None or one.seconds >= 0.0 for one in found.cost.outages)
        assert found.cost.approval_seconds >= 0.0
        assert found.prevention.recurrence.count >= 1
        document = markdown(found)
        sections = 6 if found.ranking is None else 7
        assert len(re.findall(r"^#{1,2} ", document, re.MULTILINE)) == sections
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", document)
