"""Does docs/causes.md tell of each cause what the code holds, and is the table of causes whole?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.causes import CAUSES, CLASSES, LEAKS, MODE_OF, NOT_CURED_BY_RESTART, OUTSIDE
from selfheal.recover import FIXES, helping
from selfheal.signatures import shipped
from selfheal.vocabulary import FAILURE_MODES

DOCUMENT = Path(__file__).parents[2] / "docs" / "causes.md"
HEAD = "| cause | layer | what it says | a restart | fixes meant for it | where to look first |"
# What a careful person would not answer with a restart: the world has to change first.
HELPLESS = {
    "rate_limited", "quota_exhausted", "external_api_down", "slow_dependency", "dns_failed", "network_loss",
    "credential_expired", "tls_expired", "tls_untrusted", "clock_skew", "host_problem", "disk_full",
    "traffic_surge", "cpu_starved", "already_running", "incompatible",
}  # fmt: skip


def rows() -> Iterator[str]:
    """The table as the code has it; paste what a failure shows."""
    helps = helping(FIXES)
    yield HEAD
    yield "|---" * HEAD.count(" | ") + "|---|"
    for slug, one in CLASSES.items():
        fixes = ", ".join(f"`{fix}`" for fix in helps.get(slug, ())) or "none"
        cures = "may cure" if one.restart_cures else "cures nothing"
        yield f"| `{slug}` | {one.layer} | {one.says} | {cures} | {fixes} | {one.look} |"


def test_the_documented_table_is_the_one_of_the_code() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert HEAD in text
    written = text[text.index(HEAD) :].split("\n\n", 1)[0]
    assert written == "\n".join(rows())


def test_every_file_of_signatures_is_documented() -> None:
    listed = re.findall(r"`(\w+)\.toml`", DOCUMENT.read_text(encoding="utf-8"))
    assert [*dict.fromkeys(listed)] == sorted({one.source for one in shipped()})


def test_what_no_restart_cures_is_said_so() -> None:
    assert HELPLESS <= NOT_CURED_BY_RESTART
    assert CLASSES.keys() >= OUTSIDE
    assert MODE_OF.keys() | set(LEAKS.values()) <= CAUSES.keys()
    assert {MODE_OF[leak] for leak in LEAKS.values()} <= set(FAILURE_MODES)


@pytest.mark.parametrize("slug", sorted(CLASSES))
def test_each_cause_has_a_short_sentence_and_a_place_to_look(slug: str) -> None:
    one = CLASSES[slug]
    assert 10 <= len(one.says) <= 60
    assert 10 <= len(one.look) <= 70
    assert one.says[0].islower()
    assert not one.says.endswith(".")
