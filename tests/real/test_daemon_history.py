"""Does a real daemon remember how its agents were, and tell it?"""

from __future__ import annotations

import stat
from collections.abc import Iterator

import pytest

from selfheal.cli.client import Document
from tests.real.daemon_process import House, free_port, house, until

PORT = free_port()
FLEET = f"""
[history]
max_size = "5MB"
[agents.web]
command = [{{python}}, "-m", "http.server", "{PORT}", "--bind", "127.0.0.1"]
checks = [{{ http = "http://127.0.0.1:{PORT}/", interval = 0.1, rise = 1 }}]
"""


@pytest.fixture(scope="module")
def place() -> Iterator[House]:
    with house(FLEET) as place:
        yield place


def latency(place: House) -> Document:
    return place.get("history", agent="web", signal="latency", points=2000)


def count(drawn: Document) -> int:
    return sum(bucket.count("count") for bucket in drawn.parts("items"))


def test_what_was_seen_before_a_restart_is_there_after_it(place: House) -> None:
    place.until_state("healthy")
    until(lambda: count(latency(place)) >= 5)
    seen = latency(place).parts("items")[0].moment("at")
    assert place.stop() == 0
    place.boot()
    place.until_state("healthy")
    until(lambda: count(latency(place)) > 5)
    again = latency(place)
    assert again.text("grain") == "raw"
    first = again.parts("items")[0].moment("at")
    assert first is not None
    assert seen is not None
    assert abs((first - seen).total_seconds()) < 2.0, "as wide as a bucket is here"
    folder = place.state_dir / "history"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    agent = place.agent("web")
    assert 0.0 < (agent.part("uptime").number("24h") or 0.0) <= 1.0  # how much depends on how busy the machine is
    assert (agent.part("latency").part("24h").number("p99") or 0.0) > 0.0
    assert "p50" in place.say("agents", "web").out
