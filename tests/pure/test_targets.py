"""Is nobody meant by an order but those that its words name?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.agents import AGENT_KINDS
from selfheal.compose.fleet import Fleet
from selfheal.compose.targets import chosen
from selfheal.errors import RefusedByPolicy, UnknownName
from selfheal.observe import CHECKS
from selfheal.recover import FIXES
from tests.pure.test_changes import loaded

FLEET = """
[agents.api]
command = "api"
instances = 3
[agents.web]
command = "web"
[agents.site]
kind = "service"
"""


def names(folder: Path, *words: str, counts: dict[str, int] | None = None) -> tuple[str, ...]:
    configured = loaded(folder, FLEET).again(counts or {}, fresh=False)
    fleet = Fleet(configured, AGENT_KINDS, CHECKS, FIXES, {}, lambda agent: {})
    return chosen(words, fleet.plans, configured.groups, "stop")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("web", ("web",)),
        ("api", ("api:0", "api:1", "api:2")),
        ("api:1", ("api:1",)),
        ("web api:2 web", ("api:2", "web")),
        ("api:*", ("api:0", "api:1", "api:2")),
        ("api:[01]", ("api:0", "api:1")),
        ("*", ("api:0", "api:1", "api:2", "web")),
        ("?e?", ("web",)),
    ],
)
def test_a_name_means_all_its_instances_and_a_pattern_what_fits_it(
    tmp_path: Path, words: str, meant: tuple[str, ...]
) -> None:
    assert names(tmp_path, *words.split()) == meant


def test_the_first_of_an_agent_that_was_scaled_up_can_be_named_alone(tmp_path: Path) -> None:
    assert names(tmp_path, "web", counts={"web": 2}) == ("web", "web:1")
    assert names(tmp_path, "web:0", counts={"web": 2}) == ("web",)


@pytest.mark.parametrize("words", ["nobody", "api:9", "n*", "api:0 n*", "we", ""])
def test_what_leads_to_nobody_is_an_error_and_never_all(tmp_path: Path, words: str) -> None:
    with pytest.raises(UnknownName):
        names(tmp_path, *words.split())


@pytest.mark.parametrize("words", ["site", "s*", "web site"])
def test_what_has_no_process_is_refused(tmp_path: Path, words: str) -> None:
    with pytest.raises(RefusedByPolicy, match="service"):
        names(tmp_path, *words.split())
