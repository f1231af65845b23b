"""Do the shipped signatures find what they stand for, nothing else, and soon?"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.causes import CLASSES
from selfheal.diagnose.pattern import LONGEST, compiled
from selfheal.diagnose.signatures import WEIGHT_AT_MOST, Signatures, weight
from selfheal.diagnose.verdict import ANY, SURE
from selfheal.events import Signature
from selfheal.recover import FIXES, helping
from selfheal.signatures import FOLDER, shipped
from tests.pure.log_tails import CRASHES, LABELLED, ORDINARY
from tests.pure.quiet_lines import QUIET
from tests.pure.tails import TAILS

# Causes that show in how a process ended, in what a check or a platform says, or in the data, and not in a log.
OF_OTHER_EVIDENCE = {"exited", "killed", "unreachable", "unknown"}
# A sign that is seldom right may show in lines of programs that are well; it says little.
FAINT = 0.5


def test_there_are_some_hundred_in_a_file_for_each_technology() -> None:
    assert 250 <= len(shipped()) <= 450
    counts = Counter(one.source for one in shipped())
    assert counts.keys() == {file.stem for file in FOLDER.glob("*.toml")}
    assert counts.keys() >= {
        "python",
        "node",
        "postgres",
        "sqlite",
        "redis",
        "nginx",
        "kernel",
        "render",
        "http",
        "tls",
    }


def test_each_has_an_id_of_its_own_a_known_cause_and_says_where_to_look() -> None:
    assert max(Counter(one.id for one in shipped()).values()) == 1
    for one in shipped():
        assert one.cause in CLASSES, one.id
        assert 0.2 <= one.precision <= 0.97, one.id
        assert one.says.endswith("."), one.id
        assert one.look.endswith(".") or one.look.endswith("?"), one.id
        assert one.examples, one.id


def test_a_file_says_nothing_that_is_not_read() -> None:
    known = {"name", *(field.name for field in fields(Signature))} - {"id"}
    for file in FOLDER.glob("*.toml"):
        for table in tomllib.loads(file.read_text(encoding="utf-8"))["signature"]:
            assert table.keys() == known, (file.name, table["name"])


@pytest.mark.parametrize("one", list(shipped()), ids=lambda one: one.id)
def test_each_is_shown_by_its_examples(one: Signature) -> None:
    for example in one.examples:
        assert one in [hit.signature for hit in shipped().hits([example])]


@pytest.mark.parametrize("one", list(shipped()), ids=lambda one: one.id)
def test_no_other_is_surer_of_another_cause_for_an_example(one: Signature) -> None:
    """Else the example is one of something else: what is narrower has to be more precise. What any program may say
    gives way by itself.
    """
    for example in one.examples:
        best = max(hit.precision for hit in shipped().hits([example]) if hit.signature.cause == one.cause)
        others = [hit for hit in shipped().hits([example]) if hit.signature.cause != one.cause]
        if best >= SURE and one.source != ANY:
            others = [hit for hit in others if hit.signature.source != ANY]
        assert all(hit.precision <= best or one.precision < 0.75 for hit in others), others


@pytest.mark.parametrize("line", [*ORDINARY, *QUIET])
def test_what_programs_say_that_are_well_shows_none_that_is_believed(line: str) -> None:
    assert [hit.signature.id for hit in shipped().hits([line]) if hit.precision >= FAINT] == []


def test_each_cause_shows_in_a_log_or_in_other_evidence_that_names_it() -> None:
    shown = {one.cause for one in shipped()}
    assert CLASSES.keys() - shown <= OF_OTHER_EVIDENCE | {"deploy_stuck"}


def test_the_fixes_name_known_causes_and_a_restart_is_meant_for_none_that_it_does_not_cure() -> None:
    helps = helping(FIXES)
    assert helps.keys() <= CLASSES.keys()
    cured = {slug for slug, one in CLASSES.items() if one.restart_cures}
    assert {slug for slug, fixes in helps.items() if "restart" in fixes} <= cured


# --- finding ---


def plain(known: Signatures, lines: list[str]) -> set[tuple[str, str]]:
    """What is found with each expression tried on each line."""
    found = set[tuple[str, str]]()
    for one in known:
        regex = compiled(one.patterns)
        shown = [line[:LONGEST] for line in lines if regex.search(line[:LONGEST])]
        found |= {(one.id, shown[-1].strip())} if shown else set()
    return found


SAID = [
    *ORDINARY, *QUIET, *(line for _, log in (*LABELLED, *CRASHES, *TAILS) for line in log.splitlines()),
    *(example for one in shipped() for example in one.examples),
]  # fmt: skip
SPOILT = st.sampled_from(SAID).flatmap(
    lambda line: st.sampled_from([line, line.upper(), line.lower(), line.replace("s", "\u017f"), line[::-1], line * 3])
)


@settings(max_examples=40)
@given(st.lists(SPOILT | st.text(max_size=40), max_size=12))
def test_what_is_looked_for_first_never_loses_a_match(lines: list[str]) -> None:
    assert {(hit.signature.id, hit.line) for hit in shipped().hits(lines)} == plain(shipped(), lines)


def test_the_latest_line_comes_first_and_of_one_line_the_surest_sign() -> None:
    found = shipped().hits(["MemoryError", "psycopg2.OperationalError: FATAL:  sorry, too many clients already"])
    assert found[0].signature.id == "postgres.too_many_clients"
    assert found[-1].signature.id == "python.memory_error"


def test_what_was_learned_counts_and_what_a_person_adds_joins() -> None:
    line = "boot 17: the ledger is cross"
    own = Signature("own.cross", "corrupted", ("ledger is cross",), 0.8)
    known = Signatures.of(shipped(), [own], {"own.cross": 0.25})
    assert [(hit.signature, hit.precision) for hit in known.hits([line])] == [(own, 0.25)]
    assert len(known) == len(shipped()) + 1
    assert own in known
    assert shipped().hits([line]) == ()
    assert known.precision(replace(own, id="own.other")) == 0.8


def test_of_a_persons_own_what_may_not_be_used_is_left_out() -> None:
    endless = Signature("own.endless", "crashed", ("(a+)+b",), 0.9)
    assert len(Signatures.of(shipped(), [endless])) == len(shipped())


@pytest.mark.parametrize(
    ("precision", "odds"), [(0.5, 1.0), (0.75, 3.0), (0.95, 19.0), (0.99, 30.0), (1.0, 30.0), (0.0, 0.0)]
)
def test_a_hit_weighs_the_odds_that_it_is_right(precision: float, odds: float) -> None:
    assert weight(precision) == pytest.approx(odds)
    assert weight(precision) <= WEIGHT_AT_MOST


def test_the_end_of_a_very_long_line_is_not_read() -> None:
    assert shipped().hits(["x" * LONGEST + " MemoryError"]) == ()
    assert shipped().hits(["MemoryError " + "x" * LONGEST])[0].line.startswith("MemoryError")
