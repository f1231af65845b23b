"""Are patterns read rightly, and are those refused that could hold up the daemon?"""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.diagnose.pattern import FLAGS, STEPS_AT_MOST, compiled, read
from selfheal.diagnose.signatures import check
from selfheal.events import Signature
from selfheal.signatures import shipped


@pytest.mark.parametrize(
    ("pattern", "literals"),
    [
        ("no space left", ("no space left",)),
        (r"address (is )?already in use", ("already in use",)),
        (r"\bEADDRINUSE\b", ("eaddrinuse",)),
        (r"port \d{1,5} is (already )?(in use|taken)", ("port ",)),
        (r"(foo|barbaz) quux", (" quux",)),
        (r"(?-i:KeyError: '[A-Z]{2,60}')", ("keyerror: '",)),
        (r"colou?red", ("colo",)),
        (r"errors? found", (" found",)),
        (r"abc+d", ("abc",)),
        (r"one|other", ("one", "other")),
        (r"failed \(98: ", ("failed (98: ",)),
        (r"[Ee]rror in line", ("rror in line",)),
    ],
)
def test_what_stands_in_each_match_is_read_from_a_pattern(pattern: str, literals: tuple[str, ...]) -> None:
    assert read(pattern).literals == literals


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(a+)+ overflow", "a group may only be optional"),
        (r"(error ){2,9}", "a group may only be optional"),
        (r"error.*error.*error", "may take"),
        (r"error \w+ \w+ end", "may take"),
        (r"(error)\1", "is not among what may be used"),
        (r"error(?=s)", "of groups there are"),
        (r"(?i)error", "of groups there are"),
        (r"(((((((error)))))))", "five deep at most"),
        (r"error[a-z", "a '[' is not closed"),
        (r"(error", "a '(' is not closed"),
        (r"error)", "a ')' closes nothing"),
        (r"*error", "repeats nothing"),
        (r"error\b?", "repeats nothing"),
        (r"error{", "repeats nothing"),
        (r"error{9,3}", "the lesser one"),
        (r"error\x41", "is not among what may be used"),
        (r"error\n", "is not among what may be used"),
        ("error\nhere", "a line has no such character"),
        (r"error\ ".rstrip(), "is not among what may be used"),
        (r"\d+", "no word in common"),
        (r"error|\d\d", "no word in common"),
        (r"(error)?", "no word in common"),
        ("", "no word in common"),
        ("e" * 301, "300 are the most"),
    ],
)
def test_what_may_not_be_used_is_refused_with_what_to_write_instead(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        read(pattern)


def test_what_python_does_not_take_is_refused_too() -> None:
    with pytest.raises(ValueError, match="is no regular expression"):
        check(Signature("own.range", "crashed", ("bad [z-a] range",), 0.5))
    with pytest.raises(ValueError, match="has no pattern"):
        check(Signature("own.none", "crashed", (), 0.5))


def test_no_line_costs_a_shipped_pattern_more_steps_than_are_allowed() -> None:
    steps = [read(pattern).steps for one in shipped() for pattern in one.patterns]
    assert max(steps) <= STEPS_AT_MOST


# --- properties ---

ATOMS = st.sampled_from(["disk", "full", " ", "é", "[a-f]", r"\d", ".", r"\bno\b", "(yes|no)", "(?-i:AB)", r"\.", "x"])
PIECES = st.tuples(ATOMS, st.sampled_from(["", "", "", "?"])).map("".join)
PATTERNS = st.lists(st.lists(PIECES, min_size=1, max_size=6).map("".join), min_size=1, max_size=3).map("|".join)


@given(
    PATTERNS,
    st.text("diskfulyesnoABabx .9é\u0130\u017f\u212a", max_size=40) | st.from_regex("disk ?full.?", fullmatch=True),
)
def test_one_of_the_literals_stands_in_whatever_matches(pattern: str, line: str) -> None:
    try:
        literals = read(pattern).literals
    except ValueError:
        return
    if re.search(pattern, line, FLAGS):
        assert any(literal in line.lower() for literal in literals)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(pattern: str) -> None:
    with suppress(ValueError):
        read(pattern)
        compiled((pattern,))
