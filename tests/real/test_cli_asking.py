"""Do the verbs show what a daemon says, and act on it as they promise?"""

from __future__ import annotations

import json
import re
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfheal.cli import main
from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentStarted,
    AnomalySeen,
    Cause,
    Diagnosed,
    Event,
    FailurePredicted,
    FixEnded,
    FixStarted,
    HealingPaused,
    HealthChanged,
    IncidentOpened,
    IncidentResolved,
    Run,
    Verified,
    WorkPlanned,
)
from selfheal.ledger import replay
from tests.real.daemon_stub import Daemon, Reply, problem, served, served_on_tcp

AT = 1_800_000_000.0
NOW = AT + 192


def started(agent: str, pid: int) -> list[Event]:
    declared = AgentDeclared(AT, agent, "process", "application", (), ("http",), has_process=True)
    run = Run(pid, 1, AT, pid, "boot")
    return [declared, AgentStarted(AT, agent, run, "first"), AgentReady(AT, agent, 1, 0.2)]


WELL: list[Event] = [*started("api", 101), *started("billing", 102)]
CRASHED: list[Event] = [
    AgentExited(AT + 10, "billing", 1, 102, 1, None, 10.0, expected=False),
    IncidentOpened(AT + 10, "i1", "billing", "exit", "ended with code 1", AT + 10),
    FixStarted(AT + 10.001, "i1", 1, "restart", "application", "billing", "crashed", reflex=True),
    AgentStarted(AT + 10.001, "billing", Run(103, 2, AT + 10.001, 103, "boot"), "reflex"),
    FixEnded(AT + 10.001, "i1", 1, "succeeded", ""),
    Diagnosed(AT + 10.1, "i1", (Cause("crashed", 0.92, "billing", ("log says \x1b[31m'KeyError'",)),)),
    AgentReady(AT + 10.2, "billing", 2, 0.2),
    Verified(AT + 13.2, "i1", 1, "succeeded", "", AT + 10.2),
    IncidentResolved(AT + 13.2, "i1", "verified", 0.2),
]
STRANGE: list[Event] = [
    AnomalySeen(AT, "a1", "api", "latency", 0.9, 0.02, 0.97),
    FailurePredicted(NOW, "api", "out_of_memory", "rss", 0.81, 1800, 1500, 2400, 90e6, 120e6, 2e4),
    WorkPlanned(NOW, "w1", "api", "restart", NOW + 60, "rss reaches its limit"),
]


@pytest.fixture
def state_dir(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short path: that of a test is often longer than a socket's may be. The shell's folder is elsewhere."""
    with tempfile.TemporaryDirectory(prefix="sh-") as folder:
        monkeypatch.chdir(folder)
        (Path(folder) / "state").mkdir()
        yield Path(folder) / "state"


Shown = pytest.CaptureFixture[str]


def test_status_shows_the_fleet_and_says_whether_it_is_well(state_dir: Path, capsys: Shown) -> None:
    daemon = Daemon(replay(WELL), NOW)
    with served(daemon, state_dir):
        assert main(["status"]) == 0
        shown = capsys.readouterr().out
        assert "● ok · 2 agents" in shown
        assert "0 incidents in 24 h" in shown
        assert shown.split("\n")[3].split()[:8] == ["api", "●", "healthy", "3", "m", "12", "s", "101"]
        daemon.world = replay([*WELL, HealthChanged(NOW, "api", "http", False, "timeout", "no answer within 2 s", NOW)])
        daemon.world = replay([IncidentOpened(NOW, "i1", "api", "check", "slow", NOW)], daemon.world)
        assert main(["status"]) == 3
        shown = capsys.readouterr().out
        assert "http: no answer within 2 s" in shown
        assert "1 incident in 24 h" in shown


def test_an_agent_in_full_says_what_is_known_of_its_past(state_dir: Path, capsys: Shown) -> None:
    daemon = Daemon(replay(WELL), NOW)
    past: dict[str, object] = {
        "name": "api",
        "uptime": {"ratio": 0.9, "24h": 0.99999, "7d": 0.5, "30d": None},
        "latency": {"24h": None, "7d": {"p50": 0.02, "p95": 0.3, "p99": 1.3}},
    }
    daemon.special["/observability/agents/api"] = lambda query: (200, past)
    with served(daemon, state_dir):
        assert main(["agents", "api"]) == 0
        shown = capsys.readouterr().out
        assert "99.99 % in 24h, 50 % in 7d\n" in shown
        assert "p50 20 ms, p95 300 ms, p99 1.3 s in 7d\n" in shown
        past.clear()
        assert main(["agents", "api"]) == 0
        assert "uptime" not in capsys.readouterr().out


def test_json_is_the_daemons_own_document(state_dir: Path, capsys: Shown) -> None:
    with served(Daemon(replay([*WELL, *CRASHED, *STRANGE]), NOW), state_dir):
        for words in ("status", "agents", "agents api", "incidents", "incidents show i1", "why billing", "health"):
            assert main([*words.split(), "--json"]) in (0, 3)
            assert isinstance(json.loads(capsys.readouterr().out), dict)
        for verb in ("predictions", "anomalies", "maintenance", "scorecard"):
            assert main([verb, "--json"]) == 0
            assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_why_tells_the_story_of_an_agents_latest_incident(state_dir: Path, capsys: Shown) -> None:
    with served(Daemon(replay([*WELL, *CRASHED]), NOW), state_dir):
        assert main(["why", "billing"]) == 0
        of_agent = capsys.readouterr().out
        assert main(["why", "i1"]) == 0
        assert main(["incidents", "show", "i1"]) == 0
        of_incident = capsys.readouterr().out
    assert "billing is ● healthy for" in of_agent
    assert "crashed: the process ended with an error (92 %)" in of_agent
    assert "log says 'KeyError'" in of_agent
    assert "1. restart: succeeded" in of_agent
    assert "200 ms from the onset" in of_agent
    steps = [line for line in of_agent.splitlines() if " +" in line]
    assert len(steps) == 6
    assert "+0.000 s" in steps[0]
    assert "ended with code 1" in steps[0]
    assert "+3.200 s" in steps[-1]
    assert of_incident.count("✔ resolved") == 2


def test_why_says_that_an_agent_is_well_and_since_when(state_dir: Path, capsys: Shown) -> None:
    with served(Daemon(replay(WELL), NOW), state_dir):
        assert main(["why", "api"]) == 0
        assert "api is ● healthy for 3 m 12 s; nothing has happened to it" in capsys.readouterr().out
        assert main(["why", "nobody"]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "there is no agent and no incident of that name" in shown.err


def test_lists_are_tables_and_empty_ones_a_word_on_stderr(state_dir: Path, capsys: Shown) -> None:
    daemon = Daemon(replay([*WELL, *CRASHED, *STRANGE]), NOW)
    with served(daemon, state_dir):
        for verb, wanted in {
            "incidents": "i1  billing  ✔ resolved  info      crashed",
            "predictions": "out of memory  81 %",
            "anomalies": "latency ↑  900 ms",
            "maintenance": "restart",
            "scorecard": "rca accuracy",
            "agents": "billing",
            "agents api": "breaker",
        }.items():
            assert main(verb.split()) == 0
            shown = capsys.readouterr()
            assert wanted in shown.out or verb == "agents api"
            assert shown.err == ""
        daemon.world = replay(WELL)
        for verb in ("incidents", "predictions", "anomalies", "maintenance"):
            assert main([verb]) == 0
            shown = capsys.readouterr()
            assert shown.out == ""
            assert shown.err.endswith(".\n")


def test_the_scorecard_shows_counts_and_intervals(state_dir: Path, capsys: Shown) -> None:
    with served(Daemon(replay(WELL), NOW), state_dir):
        assert main(["scorecard"]) == 0
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "rca accuracy 93 % 40 81 % – 98 %" in rows
    assert "recovery p95 seconds 400 ms 9 -" in rows
    assert "uptime not measured yet 0 -" in rows


def test_a_paused_healer_is_said(state_dir: Path, capsys: Shown) -> None:
    paused: list[Event] = [HealingPaused(NOW, None, "ada"), HealingPaused(NOW, "api", "ada")]
    with served(Daemon(replay([*WELL, *paused]), NOW), state_dir):
        main(["status"])
    shown = capsys.readouterr().out
    assert "healing is paused" in shown
    assert "healthy, paused" in shown


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        ("start api", "/control/agents/api/start", None),
        ("stop api", "/control/agents/api/stop", None),
        ("restart api:0", "/control/agents/api%3A0/restart", None),
        ("restart api:*", "/control/agents/api%3A%2A/restart", None),
        ("stop api web:*", "/control/stop", {"agents": ["api", "web:*"]}),
        ("scale api 3", "/control/agents/api/scale", {"instances": 3}),
        ("reload", "/control/reload", None),
        ("approve i1", "/control/incidents/i1/approve", None),
        ("reject i1", "/control/incidents/i1/reject", None),
        ("approve 7", "/control/incidents/inc-7/approve", None),
        ("pause", "/control/pause", {"agent": None}),
        ("pause api", "/control/pause", {"agent": "api"}),
        ("resume", "/control/resume", {"agent": None}),
    ],
)
def test_an_order_reaches_the_daemon(words: str, path: str, body: object, state_dir: Path, capsys: Shown) -> None:
    daemon = Daemon(replay(WELL), NOW)
    with served(daemon, state_dir):
        assert main(words.split()) == 0
        assert main([*words.split(), "--json"]) == 0
    assert daemon.asked == [("POST", path, {}, body)] * 2
    assert "done" in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("status", "code"), [(403, 5), (409, 5), (404, 1), (422, 2), (400, 2), (500, 1), (503, 1), (507, 1)]
)
def test_a_refusal_is_told_in_the_daemons_words(status: int, code: int, state_dir: Path, capsys: Shown) -> None:
    daemon = Daemon(replay(WELL), NOW)
    daemon.special["/control/agents/api/stop"] = lambda _: problem(status, "cannot stop 'api': it is not ours")
    with served(daemon, state_dir):
        assert main(["stop", "api"]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "cannot stop 'api': it is not ours\n"


def test_health_is_about_the_daemon_alone(state_dir: Path, capsys: Shown) -> None:
    daemon = Daemon(replay([*WELL, HealthChanged(NOW, "api", "http", False, "failed", "", NOW)]), NOW)
    with served(daemon, state_dir):
        assert main(["health"]) == 0
        daemon.special["/healthz"] = lambda _: problem(503, "the loop 'observe' is down")
        assert main(["health"]) == 1
    assert "the loop 'observe' is down" in capsys.readouterr().err


def test_logs_are_followed_from_where_the_last_answer_ended(state_dir: Path, capsys: Shown) -> None:
    daemon = Daemon(replay(WELL), NOW)
    daemon.special["/observability/logs"] = LogOf(["one", "two", "three\x1b[2J", "four"])
    with served(daemon, state_dir):
        assert main(["logs", "api", "-n", "2"]) == 0
        assert capsys.readouterr().out == "one\ntwo\n"
        assert main(["logs", "api", "-f"]) == 1  # the stub's log ends with an error, a person's with Ctrl-C
    assert capsys.readouterr().out == "one\ntwo\nthree\nfour\n"
    assert [query for _, _, query, _ in daemon.asked] == [
        {"agent": "api", "lines": "2"},
        {"agent": "api", "lines": "50"},
        {"agent": "api", "lines": "1000", "cursor": "2"},
        {"agent": "api", "lines": "1000", "cursor": "4"},
    ]


def test_lines_that_come_while_one_looks_on_get_the_time_and_older_ones_none(state_dir: Path, capsys: Shown) -> None:
    daemon = Daemon(replay(WELL), NOW)
    daemon.special["/observability/logs"] = LogOf(["one", "two", "three", "four"])
    with served(daemon, state_dir):
        assert main(["logs", "api", "-f", "--timestamps"]) == 1
        old, _, new, _ = capsys.readouterr().out.splitlines()
        assert old == "one"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[0-9:.]+[+-]\d\d:\d\d three", new)
        assert main(["logs", "api", "-f", "--timestamps", "--json"]) == 1
        first, _, third, _ = map(json.loads, capsys.readouterr().out.splitlines())
        assert (set(first), set(third)) == ({"line"}, {"line", "seen_at"})
        assert main(["logs", "api", "--timestamps"]) == 2
        assert "add --follow" in capsys.readouterr().err


class LogOf:
    """A log that gives two lines at a time, and an error at its end."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def __call__(self, query: Mapping[str, str]) -> Reply:
        begin = int(query.get("cursor", "0"))
        if begin >= len(self._lines):
            return problem(500, "the end")
        return 200, {"items": self._lines[begin : begin + 2], "cursor": str(begin + 2)}


def test_a_daemon_elsewhere_wants_its_token(state_dir: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    with served_on_tcp(Daemon(replay(WELL), NOW, token="secret")) as url:
        assert main(["status", "--url", url]) == 5
        assert "SELFHEAL_TOKEN" in capsys.readouterr().err
        monkeypatch.setenv("SELFHEAL_TOKEN", "secret")
        assert main(["status", "--url", url]) == 0
        monkeypatch.setenv("SELFHEAL_TOKEN", "wrong")
        assert main(["status", "--url", url]) == 5
        monkeypatch.setenv("SELFHEAL_TOKEN", "no\ttoken")
        assert main(["status", "--url", url]) == 2


def test_the_daemon_is_found_by_what_is_said_most_clearly(
    state_dir: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = state_dir.parent
    with served(Daemon(replay(WELL), NOW), state_dir):
        assert main(["status"]) == 0  # ./state
        (home / "selfheal.toml").write_text('[daemon]\nstate_dir = "elsewhere"\n[agents.x]\nbroken = true\n')
        assert main(["status"]) == 4  # ./selfheal.toml
        (home / "sub").mkdir()
        (home / "sub/other.toml").write_text('[daemon]\nstate_dir = "../state"\n')
        monkeypatch.setenv("SELFHEAL_CONFIG", "sub/other.toml")
        assert main(["status"]) == 0
        monkeypatch.setenv("SELFHEAL_STATE_DIR", "nowhere")
        assert main(["status"]) == 4
        assert main(["status", "--state-dir", "state"]) == 0
        monkeypatch.delenv("SELFHEAL_STATE_DIR")
        (home / "sub/other.toml").write_text("[daemon\n")
        assert main(["status"]) == 2
    assert "other.toml" in capsys.readouterr().err


def test_no_daemon_is_4_and_says_where_it_was_looked_for(state_dir: Path, capsys: Shown) -> None:
    for words in (["status"], ["why", "api"], ["stop", "api"], ["health"], ["logs", "api", "-f"]):
        assert main(words) == 4
        shown = capsys.readouterr()
        assert shown.out == ""
        assert str(state_dir / "selfheal.sock") in shown.err
        assert "selfheal run" in shown.err
    assert main(["status", "--url", "http://127.0.0.1:1"]) == 4
    assert "http://127.0.0.1:1" in capsys.readouterr().err


def test_a_running_demo_is_pointed_out(state_dir: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(state_dir.parent))
    demo = state_dir.parent / "selfheal-demo"
    demo.mkdir()
    with served(Daemon(replay(WELL), NOW), demo):
        assert main(["status"]) == 4
        assert f"a demo runs with --state-dir {demo}" in capsys.readouterr().err
        assert main(["status", "--state-dir", str(demo)]) == 0


def test_a_socket_may_lie_deeper_than_its_path_may_be_long(state_dir: Path, capsys: Shown) -> None:
    deep = state_dir / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    with served(Daemon(replay(WELL), NOW), state_dir):
        (state_dir / "selfheal.sock").rename(deep / "selfheal.sock")
        assert main(["status", "--state-dir", str(deep)]) == 0


def test_what_is_no_daemon_is_said_so(state_dir: Path, capsys: Shown) -> None:
    daemon = Daemon(replay(WELL), NOW)
    daemon.special["/observability/summary"] = lambda _: (200, ["no", "object"])
    with served(daemon, state_dir):
        assert main(["status", "--json"]) == 3
    with something_else() as url:
        assert main(["status", "--url", url]) == 4
        assert "not selfheal" in capsys.readouterr().err
    (state_dir / "selfheal.sock").unlink()
    (state_dir / "selfheal.sock").write_text("a file")
    assert main(["status"]) == 4


@contextmanager
def something_else() -> Iterator[str]:
    """A server that speaks no HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            with server.accept()[0] as client:
                client.sendall(b"220 mail.example.org ESMTP\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()
