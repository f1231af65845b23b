from __future__ import annotations

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.events import (
    Alternative,
    ApprovalAnswered,
    ApprovalAsked,
    BreakerClosed,
    BreakerOpened,
    BreakerTried,
    Cause,
    Diagnosed,
    FixEnded,
    FixStarted,
    Held,
    IncidentEscalated,
    IncidentJoined,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    Planned,
    RestartDelayed,
    Verified,
)
from selfheal.serve.story import LONGEST, Line, brief, story
from selfheal.serve.times import read_rfc3339, rfc3339, span
from selfheal.vocabulary import StartReason
from selfheal.world import StoryEvent
from selfheal.world.incidents import fold_incident, opened

NOON = 1_767_355_203.0  # 2026-01-02T12:00:03Z
OPENED = IncidentOpened(NOON, "i1", "api", "exit", "exited with code 98", NOON - 0.004)


def told(*events: StoryEvent) -> list[str]:
    return [line.text for line in story(reduce(fold_incident, events, opened(OPENED)))]


def test_a_line_says_when_how_long_after_the_onset_and_what() -> None:
    assert str(Line(NOON + 0.12, 0.124, "approved by a person")) == "12:00:03.120 +0.124 s  approved by a person"


def test_the_story_begins_with_the_first_sign() -> None:
    assert told() == ["api: exited with code 98; noticed after 4 ms"]


def test_a_diagnosis_is_told_with_its_evidence_and_what_is_less_likely() -> None:
    causes = (
        Cause("port_taken", 0.92, "api", ("log says 'Address already in use'",)),
        Cause("crashed", 0.05, "api"),
    )
    assert told(Diagnosed(NOON, "i1", causes))[-1] == (
        "cause: port_taken (0.92): log says 'Address already in use'; less likely: crashed (0.05)"
    )


def test_a_plan_is_told_with_what_was_passed_over_and_why() -> None:
    weighed = (Alternative("restart", 0.9, 3.0), Alternative("purge", 0.2, 60.0, "it waits for leave"))
    assert told(Planned(NOON, "i1", "restart", "api", "best odds", weighed))[-1] == (
        "chose restart: helps in 90%; passed over: purge (it waits for leave)"
    )


def test_a_hold_says_why_and_until_when() -> None:
    assert told(Held(NOON, "i1", "its dependency cache is down", NOON + 10))[-1] == (
        "held: its dependency cache is down; looked at again by 12:00:13.000"
    )


def test_a_reflex_that_helped_is_told_to_its_end() -> None:
    assert told(
        FixStarted(NOON, "i1", 1, "restart", "application", "api", "crashed", reflex=True),
        FixEnded(NOON, "i1", 1, "succeeded", "started again as process 4711"),
        Verified(NOON + 10.9, "i1", 1, "succeeded", "", NOON + 0.9),
        IncidentResolved(NOON + 10.9, "i1", "", 0.9),
    )[1:] == [
        "restart of api at once, by reflex",
        "restart done: started again as process 4711",
        "verified: well for 10 s",
        "recovered in 0.9 s",
    ]


def test_every_event_has_its_sentence() -> None:
    events: list[StoryEvent] = [
        IncidentJoined(NOON, "i1", "web", "it depends on api"),
        ApprovalAsked(NOON, "i1", "purge", "api", NOON + 60),
        ApprovalAnswered(NOON, "i1", False, "the API"),
        FixStarted(NOON, "i1", 1, "restart", "application", "api", "crashed"),
        FixEnded(NOON, "i1", 1, "timed_out", ""),
        Verified(NOON, "i1", 1, "relapsed", "it ended again"),
        IncidentEscalated(NOON, "i1", "nothing helps"),
        IncidentMerged(NOON, "i1", "i2", "the same cause"),
        IncidentSuppressed(NOON, "i1", "it was stopped"),
    ]
    assert told(*events)[1:] == [
        "web suffers too: it depends on api",
        "asked a person whether to apply purge to api; no answer by 12:01:03.000 means no",
        "rejected by the API",
        "attempt 1: restart of api",
        "restart timed_out",
        "did not help (relapsed): it ended again",
        "a person is needed: nothing helps",
        "the same trouble as i2, which goes on in its place: the same cause",
        "closed: it was stopped",
    ]


def test_an_incident_in_which_nothing_was_tried_is_closed_without_a_fix() -> None:
    assert told(IncidentSuppressed(NOON, "i1", "it was stopped"))[-1] == "closed without a fix: it was stopped"


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ("reflex", "restart of api at once, by reflex"),
        ("backoff", "restart of api, after its wait"),
        ("trial", "restart of api, on trial"),
    ],
)
def test_a_restart_by_reflex_says_how_it_came_to_it(start: StartReason, sentence: str) -> None:
    assert told(FixStarted(NOON, "i1", 1, "restart", "application", "api", "", True, start))[-1] == sentence


def test_the_waits_of_a_crash_loop_and_its_breaker_are_told() -> None:
    assert told(
        RestartDelayed(NOON, "api", NOON + 20, "5 runs in a row ended within 10 s"),
        BreakerOpened(NOON + 30, "api", "restart", NOON + 60, "it did not help"),
        BreakerTried(NOON + 60, "api", "restart"),
        BreakerClosed(NOON + 70, "api", "restart", "well for 10 s"),
    )[1:] == [
        "api is not started before 12:00:23.000, in 20 s: 5 runs in a row ended within 10 s",
        "the breaker of api's restart opens, the next trial is at 12:01:03.000, in 30 s: it did not help",
        "the breaker of api's restart lets one trial through",
        "the breaker of api's restart is closed again: well for 10 s",
    ]


def test_the_story_goes_in_the_order_of_time_whatever_was_written_down_first() -> None:
    late, early = Held(NOON + 2, "i1", "late", None), Held(NOON + 1, "i1", "early", None)
    twin = Held(NOON + 2, "i1", "late too", None)
    assert told(late, early, twin)[1:] == ["held: early", "held: late", "held: late too"]


@given(st.text())
def test_what_a_program_printed_is_told_in_one_short_line(output: str) -> None:
    line = brief(output)
    assert len(line) <= LONGEST
    assert len(line.splitlines()) <= 1


@given(st.floats())
def test_any_number_can_be_written_as_a_time(at: float) -> None:
    assert len(rfc3339(at)) == len("2026-01-02T03:04:05.678Z")


@given(st.floats(0, 4e9))
def test_a_time_that_was_written_is_read_back_to_the_millisecond(at: float) -> None:
    assert abs(at - read_rfc3339(rfc3339(at))) < 0.0011  # cut after the millisecond


@pytest.mark.parametrize(
    "text", ["", "soon", "1e9", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "٢٠٢٦"]
)
def test_what_is_no_time_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_rfc3339(text)


def test_spans_are_written_as_people_say_them() -> None:
    assert [span(s) for s in (-1, 0.004, 0.9, 3.0, 12.4, 90, 210, 7200, 345_600)] == [
        "0 ms", "4 ms", "0.9 s", "3 s", "12 s", "90 s", "3.5 min", "2 h", "4 d",
    ]  # fmt: skip


def test_a_story_without_its_attempt_still_says_what_ended() -> None:
    incident = replace(opened(OPENED), story=(FixEnded(NOON, "i1", 7, "failed", "exit code 1"),))
    assert story(incident)[0].text == "the fix failed: exit code 1"
