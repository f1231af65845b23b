"""Do the verbs print the report of an incident and what was learned?"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from selfheal.cli import main
from selfheal.events import Alternative, Event, IncidentOpened, IncidentResolved, Planned
from selfheal.ledger import replay
from tests.real.daemon_stub import Daemon, served
from tests.real.test_cli_why import AT, CRASHED, NOW, RESOLVED

Shown = pytest.CaptureFixture[str]
SUGGESTED: list[Event] = [
    IncidentOpened(AT + 50, "i2", "billing", "check", "status 500", AT + 50),
    Planned(
        AT + 51, "i2", "restart", "billing", "it helps", (Alternative("restart", 0.8, 400.0, cost_s=20.0),), shadow=True
    ),
    IncidentResolved(AT + 171, "i2", "it recovered by itself", 91.0),
]


def said(words: list[str], capsys: Shown, *history: Event) -> str:
    """What a verb prints after these events."""
    with tempfile.TemporaryDirectory(prefix="sh-") as folder, served(Daemon(replay(history), NOW), Path(folder)):
        assert main([*words, "--state-dir", folder]) == 0
    return capsys.readouterr().out


def test_an_incident_is_printed_as_a_report_to_be_kept(capsys: Shown) -> None:
    document = said(["incidents", "show", "i1", "--markdown"], capsys, *CRASHED, *RESOLVED)
    assert document.startswith("# i1: billing: ended with code 1\n\n**info** · resolved · ")
    assert "1. **restart** of billing by reflex (application), " in document
    assert "- recovered 0.2 s after the onset\n" in document


def test_a_report_is_either_markdown_or_json(capsys: Shown) -> None:
    assert main(["incidents", "show", "i1", "--markdown", "--json"]) == 2
    assert "not allowed with argument" in capsys.readouterr().err


def test_the_list_of_incidents_says_how_much_each_matters(capsys: Shown) -> None:
    header, line = said(["incidents"], capsys, *CRASHED, *RESOLVED).splitlines()
    assert "SEVERITY" in header
    assert "info" in line


def test_what_helps_whom_is_a_table_and_what_became_of_suggestions_stands_below(capsys: Shown) -> None:
    table, suggestions = said(["strategies"], capsys, *CRASHED, *RESOLVED, *SUGGESTED).split("\n\n")
    header, line = table.splitlines()
    assert header.split()[:4] == ["AGENT", "CAUSE", "FIX", "HELPS"]
    assert line.split()[:5] == ["billing", "crashed", "restart", "67", "%"]
    assert line.endswith("50 s   2 m 52 s ago")
    assert suggestions.startswith("only suggested: restart: 0 done by a person, 0 not needed, 1 would have been sooner")
    assert suggestions.endswith(" (1 m 10 s in all), 0 open\n")


def test_the_facts_about_what_was_learned_are_one_document(capsys: Shown) -> None:
    told = json.loads(said(["strategies", "billing", "--json"], capsys, *CRASHED, *RESOLVED, *SUGGESTED))
    assert told["items"][0]["fixes"][0]["slowest_seconds"] == 0.199
    assert told["shadow"][0]["sooner"] == 1


def test_where_nothing_was_learned_that_is_said(capsys: Shown) -> None:
    assert said(["strategies"], capsys, CRASHED[0]) == ""
