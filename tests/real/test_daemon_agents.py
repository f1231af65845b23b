"""What does an agent find when it starts, how does it say that it is ready and alive, and where does it write?

One fleet for all tests in here.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import signal
from collections.abc import Iterator
from datetime import datetime

import pytest

from selfheal.cli.client import Document
from tests.real.daemon_process import House, free_port, house, until

SECRETS = {
    "SELFHEAL_TOKEN": "token-of-the-daemon",
    "SELFHEAL_SCRAPE_TOKEN": "scrape-token-of-the-daemon",
    "ANTHROPIC_API_KEY": "key-of-a-model",
    "OPENAI_API_KEY": "key-of-another-model",
    "RENDER_API_KEY": "key-of-a-platform",
    "TELEGRAM_BOT_TOKEN": "token-of-a-bot",
    "SELFHEAL_GATEWAY_TOKEN": "token-of-a-gateway",
}
PORT, LOG_BYTES = free_port(), 2000

# `slow` holds up those that depend on it: the ways to be ready, one after the other.
FLEET = f"""
[daemon]
public_reads = true
prevention_interval = 1
[guard]
verify = 1

[agents.shows]
command = [{{python}}, "-c", "import json, os, time; print(json.dumps(dict(os.environ)), flush=True); time.sleep(1000)"]
instances = 2
environment_file = "agent.env"
environment = {{ WHO = "{{agent}}", NUMBER = "7{{index}}", BOTH = "stronger" }}

[agents.slow]
command = ["sh", "-c", "sleep 0.4; touch is-ready; exec sleep 1000"]
ready = {{ file = "is-ready" }}
[agents.web]
command = [{{python}}, "-m", "http.server", "{PORT}", "--bind", "127.0.0.1"]
ready = {{ http = "http://127.0.0.1:{PORT}/" }}
depends_on = ["slow"]
[agents.asked]
command = ["sh", "-c", "echo asked; exec sleep 1000"]
ready = {{ command = ["test", "-e", "is-ready"] }}
depends_on = ["web"]
[agents.late]
command = ["sleep", "1000"]
ready = {{ tcp = "127.0.0.1:1", timeout = 0.5 }}

[agents.beats]
command = ["sh", "-c", "while touch $SELFHEAL_HEARTBEAT_FILE; do sleep 0.2; done"]
checks = [{{ heartbeat = "1s", interval = 0.2 }}]
[agents.called]
command = ["sleep", "1000"]
checks = [{{ heartbeat = "2s", interval = 0.2, fall = 2, rise = 1 }}]
[agents.remote]
kind = "service"
checks = [{{ heartbeat = "2s", interval = 0.2, fall = 2, rise = 1 }}]

# Twice what it may have, the first time; and one that reaches its limit after fifteen seconds.
[agents.bloated]
command = [{{python}}, "bloated.py"]
limits = {{ memory = "40MB" }}
checks = [{{ process = true, interval = 0.2, fall = 2 }}]
[agents.leaks]
command = [{{python}}, "leaks.py"]
limits = {{ memory = "100MB" }}
checks = [{{ process = true, interval = 0.2 }}]

[agents.talks]
command = ["sh", "-c", "i=0; while echo line $((i+=1)) of the talking agent; do sleep 0.01; done"]
log = {{ max_size = {LOG_BYTES}, keep = 2 }}
"""

BLOATED = """
import signal, sys, time
from pathlib import Path
def end(*_):
    Path("bloated-ended").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
time.sleep(1.5)  # first it is well: what never was is given time to start
held = b"x" * (1 if Path("bloated-ended").exists() else 80_000_000)
time.sleep(1000)
"""
LEAKS = """
import time
held = []
while True:
    held.append(b"x" * 300_000)
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def fleet() -> Iterator[House]:
    with house(**SECRETS, PORT="1", HOME="/home/of-the-daemon") as place:
        (place.folder / "agent.env").write_text("FROM_FILE='of the file'\nBOTH=weaker\n")
        (place.folder / "bloated.py").write_text(BLOATED)
        (place.folder / "leaks.py").write_text(LEAKS)
        place.boot(FLEET)
        yield place


def test_an_agent_lives_by_its_file_or_by_its_calls(fleet: House) -> None:
    fleet.until_state("healthy", "beats")
    key = (fleet.state_dir / "key").read_bytes()
    token = hmac.new(key, b"heartbeat called", hashlib.sha256).hexdigest()
    client = fleet.over_tcp(token)
    assert fleet.say("restart", "called").code == 0
    assert fleet.over_tcp().ask("POST", "/heartbeat/called").status == 401
    assert client.ask("POST", "/heartbeat/beats").status == 401, "a token is one agent's alone"

    def calls_and_lives() -> bool:
        assert client.ask("POST", "/heartbeat/called").status == 200
        return fleet.agent("called").text("state") == "healthy"

    until(calls_and_lives)
    before = fleet.pid("called")
    until(lambda: fleet.incidents("called"), what=lambda: fleet.agent("called").raw)
    assert "no heartbeat" in fleet.incidents("called")[0].text("sign")
    until(lambda: fleet.pid("called") not in (0, before), what=lambda: fleet.say("why", "called").out)
    assert fleet.pid("beats")


def test_an_agent_finds_in_its_environment_where_and_with_what_to_call(fleet: House) -> None:
    masked = shown(fleet, "shows:1")
    assert len(masked["SELFHEAL_HEARTBEAT_TOKEN"]) < 10, "its log is for many eyes"
    written = until(lambda: (fleet.state_dir / "logs" / "shows:1.log").read_text().splitlines())
    found = json.loads(written[0])
    url, token = found["SELFHEAL_HEARTBEAT_URL"], found["SELFHEAL_HEARTBEAT_TOKEN"]
    assert url == f"http://127.0.0.1:{fleet.port}/heartbeat/shows%3A1"
    path = url.removeprefix(f"http://127.0.0.1:{fleet.port}")
    assert fleet.over_tcp(token).ask("POST", path).status == 200
    assert token not in fleet.log


def test_a_service_lives_by_its_calls_too(fleet: House) -> None:
    def calls_and_lives() -> bool:
        assert fleet.client.ask("POST", "/heartbeat/remote").status == 200
        return fleet.agent("remote").text("state") == "healthy"

    until(calls_and_lives)
    until(lambda: fleet.incidents("remote"), what=lambda: fleet.agent("remote").raw)
    assert "no heartbeat" in fleet.incidents("remote")[0].text("sign")
    until(calls_and_lives)


def test_the_daemons_own_log_can_be_asked_for(fleet: House) -> None:
    answer = fleet.get("logs")
    events = [json.loads(line)["event"] for line in answer.texts("items")]
    assert "serve" in events
    assert answer.text("cursor")
    assert fleet.get("logs", since="2999-01-01T00:00:00Z").texts("items") == []
    assert fleet.get("logs", agent="shows:0", since="2999-01-01T00:00:00Z").texts("items") == []


def shown(fleet: House, name: str) -> dict[str, str]:
    """The environment that an instance of the first agent has."""
    answer = until(lambda: fleet.get("logs", agent=name).texts("items"))
    found: dict[str, str] = json.loads(answer[0])
    return found


def test_an_agent_has_what_the_daemon_has_less_what_is_the_daemons_own(fleet: House) -> None:
    for index in (0, 1):
        found = shown(fleet, f"shows:{index}")
        ours = {name for name in found if name.startswith(("SELFHEAL_", "TELEGRAM_"))}
        heartbeat = {"SELFHEAL_HEARTBEAT_FILE", "SELFHEAL_HEARTBEAT_URL", "SELFHEAL_HEARTBEAT_TOKEN"}
        assert ours == {"SELFHEAL_ID", *heartbeat}
        assert set(found).isdisjoint({*SECRETS, "PORT"})
        assert not any(secret in value for secret in SECRETS.values() for value in found.values())
        assert found["HOME"] == "/home/of-the-daemon"
        assert (found["WHO"], found["NUMBER"]) == ("shows", f"7{index}")
        assert (found["FROM_FILE"], found["BOTH"]) == ("of the file", "stronger")


def test_agents_are_started_when_those_that_they_depend_on_are_ready(fleet: House) -> None:
    fleet.until_state("healthy", "slow", "web", "asked")
    agents = fleet.agents()
    slow, web, asked = (datetime.fromisoformat(agents[name].text("started_at")) for name in ("slow", "web", "asked"))
    ready = datetime.fromtimestamp((fleet.folder / "is-ready").stat().st_mtime, slow.tzinfo)
    assert slow < ready <= web < asked
    assert (ready - slow).total_seconds() > 0.3


def test_one_that_is_not_ready_in_time_has_failed_to_start(fleet: House) -> None:
    until(lambda: fleet.incidents("late"))
    assert "0.5 s" in fleet.say("why", "late").out
    assert fleet.say("stop", "late").code == 0


def test_logs_are_followed_over_their_rotation_and_the_oldest_are_dropped(fleet: House) -> None:
    last = fleet.say("logs", "talks", "-n", "3").out.splitlines()
    assert [line.partition(" of ")[2] for line in last] == ["the talking agent"] * 3
    follower = fleet.begin("logs", "talks", "-f", "-n", "1")

    log = fleet.state_dir / "logs" / "talks.log"

    def told() -> list[int]:
        return [int(line.split()[1]) for line in follower.out.read_text().splitlines()]

    old = until(told)[0]
    until(lambda: f"line {old} " not in log.read_text() and told()[-1] > old + 50, what=lambda: told()[-1])
    assert len(list(log.parent.glob("talks.log.*"))) in (1, 2)
    follower.signal(signal.SIGINT)
    assert follower.wait() == 130
    assert told() == list(range(old, old + len(told()))), "each line once, and in order"


def test_one_that_takes_more_memory_than_it_may_is_restarted_gracefully(fleet: House) -> None:
    incident = fleet.healed("bloated")
    assert "rss" in incident.text("sign")
    assert incident.text("cause") == "out_of_memory"
    assert (fleet.folder / "bloated-ended").exists()
    assert "40 MB" in fleet.say("why", "bloated").out


def test_a_leak_is_foreseen_and_the_agent_restarted_before_it_does_harm(fleet: House) -> None:
    def done() -> Document | None:
        work = fleet.get("maintenance").parts("items")
        return next((one for one in work if one.text("agent") == "leaks" and one.text("outcome")), None)

    work = until(done, 40.0, lambda: (fleet.get("predictions").raw, fleet.agent("leaks").raw))
    assert work is not None
    assert work.text("outcome") == "succeeded"
    assert "100 MB" in work.text("why")
    assert fleet.agent("leaks").part("last_exit").flag("expected")
    assert fleet.incidents("leaks") == []
