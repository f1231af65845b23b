"""Does the command line show what is not as usual, and pass on what a person says of it?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfheal.cli import main
from selfheal.events import AnomalyDismissed, AnomalyOver, AnomalySeen, AnomalySuppressed, Event, LevelShifted
from selfheal.ledger import replay
from tests.pure.departures import BEGIN, declared, seen
from tests.real.daemon_stub import Daemon, problem, served

NOW = BEGIN + 100.0
Shown = pytest.CaptureFixture[str]
FLEET: list[Event] = [declared("db"), declared("api", ("db",)), declared("web", ("api",)), declared("cron")]


@pytest.fixture
def state_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short path: that of a test is often longer than a socket's may be. The shell's folder is elsewhere."""
    with tempfile.TemporaryDirectory(prefix="sh-") as folder:
        monkeypatch.chdir(folder)
        (Path(folder) / "state").mkdir()
        yield Path(folder) / "state"


def daemon(*happened: Event) -> Daemon:
    return Daemon(replay([*FLEET, *happened]), NOW)


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_the_list_tells_how_much_each_matters_and_what_was_said_of_it(state_dir: Path, capsys: Shown) -> None:
    after = AnomalySeen(BEGIN + 30, "ano-2", "cron", "rss", 1.0, 2.0, 0.6, BEGIN + 20, after="maintenance")
    said = AnomalyDismissed(BEGIN + 50, "ano-3", "ann")
    happened: list[Event] = [seen("ano-1", "web", score=0.9), after, seen("ano-3", "db", "queue", 95.0), said]
    with served(daemon(*happened), state_dir):
        assert main(["anomalies"]) == 0
    shown = capsys.readouterr()
    header, first, second, third = lines(shown.out)
    assert header == "ID SEVERITY AGENTS SIGNAL SEEN USUALLY ALSO SINCE OVER NOTE"
    assert first.startswith("ano-1 high 0.80 web latency ↑ 2 s 1 s - ")
    assert second.startswith("ano-2 low 0.15 cron rss ↓ 1 B 2 B - ")
    assert second.endswith("has outlasted maintenance")
    assert third.endswith("dismissed by ann")
    assert lines(shown.err) == ["db queue ↑: told from a score of 0.75 on, since ann dismissed ano-3"]


def test_what_was_not_raised_is_counted_by_its_reason(state_dir: Path, capsys: Shown) -> None:
    kept = [AnomalySuppressed(NOW, "db", "cpu", 2.0, 1.0, 0.7, NOW, reason, "") for reason in ("own_act", "own_act")]
    with served(daemon(*kept), state_dir):
        assert main(["anomalies"]) == 0
    assert capsys.readouterr().err.endswith("not raised so far: 2 for what selfheal or a person did\n")


def test_where_what_is_normal_has_changed_is_said(state_dir: Path, capsys: Shown) -> None:
    level = LevelShifted(NOW, "db", "rss", 210e6, 150e6, NOW - 600, "deploy")
    with served(daemon(level), state_dir):
        assert main(["anomalies"]) == 0
    *_, told = lines(capsys.readouterr().err)
    assert told.startswith("db rss: 210 MB is normal since the deploy at ")
    assert told.endswith("; 150 MB before")


def test_why_tells_what_is_not_as_usual_now_and_nothing_of_what_is_over(state_dir: Path, capsys: Shown) -> None:
    with served(daemon(seen("ano-1", "web"), seen("ano-2", "web", "cpu"), AnomalyOver(NOW, "ano-2")), state_dir):
        assert main(["why", "web"]) == 0
    told = capsys.readouterr().out
    assert "not as usual (ano-1, low): latency 2 s, usually 1 s, since" in told
    assert "ano-2" not in told


@pytest.mark.parametrize(
    ("words", "path", "by"),
    [
        (["7"], "/control/anomalies/ano-7/dismiss", ""),
        (["ano-7", "--by", "ann"], "/control/anomalies/ano-7/dismiss", "ann"),
        (["7", "--undo"], "/control/anomalies/ano-7/restore", ""),
    ],
)
def test_what_a_person_says_is_passed_on(
    words: list[str],
    path: str,
    by: str,
    state_dir: Path,
) -> None:
    asked = daemon()
    with served(asked, state_dir):
        assert main(["anomalies", "dismiss", *words]) == 0
    assert [(method, where, body) for method, where, _, body in asked.asked] == [("POST", path, {"by": by})]


def test_a_refusal_is_said_with_its_code(state_dir: Path, capsys: Shown) -> None:
    asked = daemon()
    asked.special["/control/anomalies/ano-7/dismiss"] = lambda query: problem(409, "it was dismissed by ann")
    with served(asked, state_dir):
        assert main(["anomalies", "dismiss", "7"]) == 5
    assert "it was dismissed by ann" in capsys.readouterr().err
