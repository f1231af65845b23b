"""When does a check settle on the other side?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfheal.detect.health import judge, judge_check
from selfheal.events import CheckBroke, HealthChanged
from selfheal.kinds import Observation
from selfheal.vitals import CheckRecord
from selfheal.vocabulary import CHECK_RESULTS, CheckResult

RESULTS = st.lists(st.sampled_from(CHECK_RESULTS), max_size=40)
OTHER: dict[str, CheckResult] = {".": "ok", "x": "failed", "t": "timeout", "?": "inconclusive", "!": "error"}


def watched(
    results: list[CheckResult], fall: int = 3, rise: int = 2, record: CheckRecord | None = None
) -> tuple[CheckRecord, list[HealthChanged | None]]:
    """One observation a second; returns the record and what each one changed."""
    record = record or CheckRecord("http")
    changes: list[HealthChanged | None] = []
    for second, result in enumerate(results):
        record, change = judge(record, Observation("api", "http", float(second), 0.1, result, result), fall, rise)
        changes.append(change)
    return record, changes


def signs(text: str) -> list[CheckResult]:
    return [OTHER[sign] for sign in text]


def when(text: str, fall: int = 3, rise: int = 2) -> list[tuple[int, bool]]:
    """The seconds of the changes, and to which side."""
    return [(number, one.ok) for number, one in enumerate(watched(signs(text), fall, rise)[1]) if one is not None]


def test_fall_failures_in_a_row_have_failed_and_rise_successes_are_well_again() -> None:
    assert when("..xxx..") == [(4, False), (6, True)]
    assert when("..xxxxxx.x..") == [(4, False), (11, True)]
    assert when(".x.", fall=1, rise=1) == [(1, False), (2, True)]


def test_a_single_miss_and_a_flapping_check_are_no_failure() -> None:
    assert when(".x.xx.x.xx.xx.") == []


def test_timeouts_and_failures_count_together() -> None:
    assert when(".xtx") == [(3, False)]


def test_what_says_nothing_of_the_agent_counts_for_neither_side() -> None:
    assert when(".x?x!x") == [(5, False)]
    assert when("????!!!!") == []
    record, _ = watched(signs(".x?"))
    assert record.last is not None
    assert (record.last.result, record.streak, record.ok) == ("inconclusive", 1, False)


def test_the_first_success_settles_at_once_and_is_no_news() -> None:
    record, changes = watched(signs("."))
    assert (record.settled, changes) == (True, [None])


def test_failing_from_the_start_is_said_after_fall_failures_only() -> None:
    assert when("xxx..") == [(2, False), (4, True)]


def test_a_change_says_what_was_seen_last_and_since_when() -> None:
    changed = watched(signs("..xtx"))[1][-1]
    assert changed == HealthChanged(4.0, "api", "http", False, "failed", "failed", since=2.0, local=False)


@given(RESULTS, st.integers(1, 4), st.integers(1, 4))
def test_changes_alternate_and_each_stands_at_the_end_of_a_streak(
    results: list[CheckResult], fall: int, rise: int
) -> None:
    record, changes = watched(results, fall, rise)
    sides = [change.ok for change in changes if change is not None]
    assert sides == [bool(number % 2) for number in range(len(sides))]  # it begins well, so the first news is bad
    if sides:
        assert record.settled == sides[-1]
    for end, change in enumerate(changes, start=1):
        if change is not None:
            counted = [result == "ok" for result in results[:end] if result not in ("inconclusive", "error")]
            needed = rise if change.ok else fall
            assert counted[-needed:] == [change.ok] * needed


@given(RESULTS, RESULTS)
def test_the_record_is_all_that_is_remembered(before: list[CheckResult], later: list[CheckResult]) -> None:
    record, early = watched(before)
    resumed, late = watched(later, record=record)
    whole, changes = watched([*before, *later])
    assert [change and change.ok for change in changes] == [change and change.ok for change in (*early, *late)]
    assert (resumed.settled, resumed.ok, resumed.streak) == (whole.settled, whole.ok, whole.streak)


def broken_when(text: str, fall: int = 3) -> list[tuple[int, str]]:
    """The seconds at which a check was told as broken or mended."""
    record, broken, told = CheckRecord("http"), False, []
    for second, result in enumerate(signs(text)):
        seen = Observation("api", "http", float(second), 0.1, result, "why")
        record, event = judge_check(record, seen, fall, broken=broken)
        if event is not None:
            broken = isinstance(event, CheckBroke)
            told.append((second, type(event).__name__))
    return told


def test_a_check_that_breaks_fall_times_in_a_row_is_broken_until_it_gives_a_real_answer() -> None:
    assert broken_when("..!!!!!..") == [(4, "CheckBroke"), (7, "CheckMended")]
    assert broken_when("!!!x") == [(2, "CheckBroke"), (3, "CheckMended")]
    assert broken_when("!!.!!t!!") == []
    assert broken_when("!?!?!?.") == [(4, "CheckBroke"), (6, "CheckMended")]


def within(text: str, fall: int, within_s: float, rise: int = 2) -> list[tuple[int, bool, float]]:
    """The seconds of the changes, to which side, and since when, where failures need not be in a row."""
    record, told = CheckRecord("http"), list[tuple[int, bool, float]]()
    for second, result in enumerate(signs(text)):
        seen = Observation("api", "http", float(second), 0.1, result, result)
        record, change = judge(record, seen, fall, rise, within_s=within_s)
        if change is not None:
            told.append((second, change.ok, change.since))
    return told


def test_failures_within_a_time_need_not_be_in_a_row() -> None:
    assert within("...x..x..x.", fall=3, within_s=10.0) == [(9, False, 3.0)]
    assert within("...x..x..x.", fall=3, within_s=5.0) == []
    assert within("..xxx", fall=3, within_s=60.0) == [(4, False, 2.0)]


def test_it_is_well_again_when_there_are_fewer_within_the_time_and_enough_successes_in_a_row() -> None:
    assert within(".x.x.x" + "." * 20, fall=3, within_s=10.0) == [(5, False, 1.0), (11, True, 6.0)]
    assert within(".x.x.x" + "x" * 20 + ".." + "." * 9, fall=3, within_s=5.0)[-1] == (28, True, 26.0)


def test_no_more_failures_are_remembered_than_count() -> None:
    record = CheckRecord("http")
    for second in range(1000):
        record, _ = judge(record, Observation("api", "http", second * 0.01, 0.1, "failed"), 3, 2, within_s=3600.0)
    assert len(record.misses) == 3
