"""Is the change found that caused an incident, and none blamed where none did?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.diagnose.case import NONE, Alert, Case, Change, PatternCount
from selfheal.diagnose.changes import RankedChange, rank_changes
from selfheal.diagnose.view import View
from tests.pure.cases import AT, series

TIMEOUT = Change(
    AT - 3600.0,
    "shop",
    "commit",
    "refactor: one budget for calls of the stock client",
    "-ctx = with_timeout(ctx, 5 * seconds)\n+ctx = with_timeout(ctx, 300 * milliseconds)\n reply = stock.list(ctx)",
    "c1",
)
MOVED = Change(
    AT - 300.0, "shop", "commit", "refactor: extract a helper",
    "-open(path)\n-write(line)\n-close()\n+def put():\n+open(path)\n+write(line)\n+close()", "c2",
)  # fmt: skip
DOCS = Change(AT - 200.0, "shop", "commit", "docs: say more README.md", "+More is said.", "c3")
DEPLOY = Change(AT - 100.0, "shop", "deploy", "v2", "", "c2")
GUARD = Change(AT - 900.0, "shop", "commit", "fix: empty names", '+if name == "":\n+    return None\n', "c4")
SEEN = (
    PatternCount("shop", "stock list failed: deadline exceeded", 900, 900),
    PatternCount("shop", "handled request", 4000, -10),
)


def ranked(*changes: Change, case: Case | None = None) -> tuple[RankedChange, ...]:
    case = case or Case(AT, Alert("shop", "error_rate"), patterns=SEEN)
    return rank_changes(View(replace(case, changes=changes)), {})


def test_a_time_out_that_became_shorter_is_found_and_what_was_deployed_last_is_not() -> None:
    found = ranked(TIMEOUT, MOVED, DOCS, GUARD, DEPLOY)
    assert found[0].id == "c1"
    assert "it changed a limit, a time, a size or a level" in found[0].evidence
    assert len(found) == 5, "a commit and its deploy are one, and there is none"


@pytest.mark.parametrize("change", [MOVED, DOCS, GUARD])
def test_what_changes_nothing_is_less_likely_than_none(change: Change) -> None:
    assert ranked(change)[0].title == NONE


def test_load_that_rises_everywhere_was_deployed_by_nobody() -> None:
    surge = series(lambda _, metric, value: value * 6.0 if metric == "requests" else value)
    case = Case(AT, Alert("web", "latency_avg"), series=surge, patterns=(PatternCount("web", "overloaded", 90, 90),))
    found = ranked(TIMEOUT, MOVED, case=case)
    assert found[0].title == NONE
    assert "load rose in most services at once" in found[0].evidence


def test_what_came_after_the_beginning_did_not_cause_it() -> None:
    assert ranked(replace(TIMEOUT, at=AT + 600.0))[0].title == NONE


def test_without_changes_nothing_is_ranked() -> None:
    assert ranked() == ()


@given(st.permutations([TIMEOUT, MOVED, DOCS, GUARD, DEPLOY]), st.floats(-1e6, 1e6))
def test_order_dates_and_ids_mean_nothing(changes: list[Change], by: float) -> None:
    moved = [replace(one, at=one.at + by, id=f"x{one.id}") for one in changes]
    case = Case(AT + by, Alert("shop", "error_rate"), patterns=SEEN)
    assert ranked(*moved, case=case)[0].id == "xc1"


@given(st.text(), st.text(max_size=2000))
def test_one_more_document_changes_no_winner(title: str, text: str) -> None:
    told = "\n".join(f"+{line}" for line in text.splitlines() if "stock" not in line)
    more = Change(AT - 50.0, "docs", "commit", f"docs: {title}", told, "c9")
    assert ranked(TIMEOUT, MOVED, more)[0].id == "c1"


def test_a_huge_or_hostile_diff_takes_no_time() -> None:
    hostile = replace(TIMEOUT, diff="+" + "(" * 200_000 + "\n-" + "a=1 " * 50_000, id="c8")
    assert sum(one.probability for one in ranked(hostile, TIMEOUT)) == pytest.approx(1.0)
