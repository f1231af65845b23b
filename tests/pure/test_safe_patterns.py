"""Is what could hold up the daemon refused, and what people write taken?"""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.diagnose.safe import LONGEST, why_unsafe


@pytest.mark.parametrize(
    "pattern",
    [
        "no room left", r"no room left on \S+", r"(?-i:E\d{1,4}): .{0,80}", r"^FATAL: .* is full$", r"a|b+|c*d",
        r"https?://\S+ gave \d{3}", r"\bEOF\b", r"(Ada|Bob) is (out|away)", "die Platte ist voll", r"(?=x)xyz",
        r"variable (\S+ )?is not set",
    ],
)  # fmt: skip
def test_what_people_write_is_taken(pattern: str) -> None:
    assert why_unsafe(pattern) == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b", "(a*)*", "(a|a)*b", "(.*a){12}", "((ab)+c?)+x", "(?:x{1,20}){1,20}y", r"(a)\1", "(?P<n>a)(?P=n)",
        ".*.*.*x", ".*a.*b.*c", ".{0,80}a.{0,80}b.{0,80}c", "(a", "[", "x*", "", "a|", "(?i)a|(?i)b(",
        "x" * (LONGEST + 1), "(" * 400 + ")" * 99, "a{1,2}{3}", "(?>a+)+", "a++b++c++d*e*f*",
    ],
)  # fmt: skip
def test_what_could_stop_the_loop_or_means_nothing_is_refused(pattern: str) -> None:
    assert why_unsafe(pattern) != ""


@given(st.text(max_size=30))
def test_whatever_is_brought_there_is_an_answer_and_what_is_taken_compiles(pattern: str) -> None:
    if not why_unsafe(pattern):
        re.compile(f"(?:{pattern})", re.IGNORECASE)
