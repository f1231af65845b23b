"""Are logs read as a person reads them?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.diagnose.telling import raised, telling
from selfheal.signatures import shipped
from tests.pure.log_tails import CRASHES, LABELLED, ORDINARY


@pytest.mark.parametrize(("cause", "log"), LABELLED)
def test_the_last_sign_in_a_log_is_its_cause(cause: str, log: str) -> None:
    found = shipped().hits(telling(log.splitlines()))
    assert found
    assert max(found, key=lambda hit: hit.precision).signature.cause == cause


@pytest.mark.parametrize("line", ORDINARY)
def test_ordinary_lines_give_nothing_away(line: str) -> None:
    assert shipped().hits([line]) == ()
    assert raised([line]) is None


@pytest.mark.parametrize(("error", "log"), CRASHES)
def test_a_programs_own_error_is_read_as_such_and_is_no_sign_of_anything_narrower(error: str, log: str) -> None:
    assert shipped().hits(telling(log.splitlines())) == ()
    assert raised(telling(log.splitlines())) == error


def test_of_several_lines_the_latest_of_each_pattern_is_quoted_the_very_latest_first() -> None:
    lines = ["OSError: [Errno 24] Too many open files: 'a'", "MemoryError", "EMFILE: too many open files, open 'b'  "]
    assert [(hit.signature.cause, hit.line) for hit in shipped().hits(lines)] == [
        ("out_of_fds", "EMFILE: too many open files, open 'b'"),
        ("out_of_memory", "MemoryError"),
    ]


@pytest.mark.parametrize("name", ["user_id", "Name", "id", "API"])
def test_a_key_that_is_missing_is_a_variable_only_where_it_is_written_like_one(name: str) -> None:
    found = [hit.signature.cause for hit in shipped().hits([f"KeyError: '{name}'"])]
    assert found == (["missing_variable"] if name == "API" else [])


@given(st.lists(st.text(max_size=60), max_size=20))
def test_any_text_can_be_read(lines: list[str]) -> None:
    assert {hit.line for hit in shipped().hits(lines)} <= {line.strip() for line in lines}
    assert set(telling(lines)) <= set(lines)
    raised(lines)


@pytest.mark.parametrize("line", ["a" * 50_000, "port " * 10_000, "KeyError: '" + "A" * 50_000, "." * 50_000 + "Error"])
def test_a_very_long_line_is_read_in_no_time(line: str) -> None:
    """The limit of pytest is the deadline: a pattern that backtracks would take hours."""
    shipped().hits([line])
    raised([line])
    telling([line])
