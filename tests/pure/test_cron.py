"""Is the next time of a cron expression always one that is to come, and as the clock on the wall has it?"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from selfheal.config.cron import first_after

BERLIN = "Europe/Berlin"
# Half an hour of summer time, a change at midnight, a zone that is 5:45 ahead, and some plain ones.
ZONES = ("UTC", BERLIN, "Europe/Dublin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu")
EXPRESSIONS = ("* * * * *", "*/7 2 * * *", "30 1 * * *", "30 2 * * *", "15 0-3 * * *", "0 0 * * *", "0 3 * * sun")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def times(expression: str, begin: str, end: str) -> list[str]:
    """All times in Berlin of an expression, as the wall has them, with their distance from UTC."""
    found, now = [], at(begin)
    while (now := first_after(expression, BERLIN, now)) < at(end):
        found.append(datetime.fromtimestamp(now, ZoneInfo(BERLIN)).strftime("%H:%M%z"))
    return found


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 2 * * *", ["02:30+0200"]),
        ("0 3 * * *", ["03:00+0100"]),
        ("30 * * * *", ["01:30+0200", "02:30+0200", "02:30+0100", "03:30+0100"]),
    ],
)
def test_what_is_there_twice_at_the_end_of_summer_time_comes_once_but_for_what_runs_every_hour(
    expression: str, expected: list[str]
) -> None:
    assert times(expression, "2026-10-25T01:10:00+02:00", "2026-10-25T04:00:00+01:00") == expected


def test_what_is_skipped_at_its_beginning_comes_right_after() -> None:
    assert times("30 2 * * *", "2026-03-29T01:10:00+01:00", "2026-03-29T05:00:00+02:00") == ["03:00+0200"]


@given(
    st.sampled_from(ZONES),
    st.sampled_from(EXPRESSIONS),
    # Around the ends of summer time in 2026: by the hour, and any moment of it.
    st.sampled_from(["2026-04-04T12:00Z", "2026-10-25T00:00Z", "2026-10-29T20:00Z", "2026-11-01T05:00Z"]),
    st.floats(-6 * 3600.0, 6 * 3600.0),
)
@example("Australia/Lord_Howe", "*/7 2 * * *", "2026-04-04T12:00Z", 10498.0)  # put back by half an hour
def test_the_next_time_is_to_come_and_none_is_passed_over_by_asking_later(
    zone: str, expression: str, around: str, away_s: float
) -> None:
    now = at(around) + away_s
    due = first_after(expression, zone, now)
    assert due > now
    between = (now + due) / 2
    assume(between < due)  # a clock in floats has no moment between two that are next to each other
    assert first_after(expression, zone, between) == due
