"""Does the ICMP check ask a host as ping does, count what comes back, and blame nobody where it may not ask?"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from selfheal.errors import CheckFailed
from selfheal.observe import icmp
from selfheal.observe.icmp import ICMP
from tests.real.counterparts import program
from tests.real.processes import open_files
from tests.real.servers import build, cause, outcome, within


@pytest.fixture(scope="module")
def may_ask() -> None:
    try:
        icmp._open(socket.AF_INET).close()
    except CheckFailed as why:
        pytest.skip(why.reason)


def seen(host: str, **table: object) -> tuple[str, Mapping[str, float]]:
    return asyncio.run(outcome(build(ICMP, {"icmp": host, **table})))


def test_a_host_that_answers_is_well_and_the_time_is_measured(may_ask: None) -> None:
    before = open_files()
    for host in ("127.0.0.1", "localhost"):
        with within() as given:
            reason, signals = asyncio.run(outcome(build(ICMP, {"icmp": host, "count": 3}, given)))
        assert reason == ""
        assert set(signals) == {"latency", "loss"}
        assert signals["loss"] == 0
        assert 0 < signals["latency"] < 5
    assert open_files() <= before


def test_ipv6_is_asked_too(may_ask: None) -> None:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError as why:
        pytest.skip(f"this machine has no IPv6 loopback: {why}")
    assert seen("::1", count=2)[0] == ""


def test_two_who_ask_the_same_host_at_once_take_only_their_own_replies(may_ask: None) -> None:
    async def story() -> list[tuple[str, Mapping[str, float]]]:
        checks = [build(ICMP, {"icmp": "127.0.0.1", "count": 20}) for _ in range(10)]
        return await asyncio.gather(*(outcome(check) for check in checks))

    assert [reason for reason, _ in asyncio.run(story())] == [""] * 10


def test_replies_that_take_too_long_are_told(may_ask: None) -> None:
    reason, signals = seen("127.0.0.1", max_rtt=1e-9)
    assert reason.startswith("replies took ")
    assert reason.endswith(" s, expected at most 1e-09 s")
    assert signals["loss"] == 0
    assert asyncio.run(cause(build(ICMP, {"icmp": "127.0.0.1", "max_rtt": 1e-9}))) == "slow"


def test_a_host_that_does_not_exist_is_told() -> None:
    assert seen("no.such.host.invalid") == ("no such host 'no.such.host.invalid'", {})


@pytest.fixture(scope="module")
def alone() -> Mapping[str, list[object]]:
    """What was seen in a network of its own, where this test may say who answers and who may ask; see that program."""
    command = (
        program("unshare", "util-linux"), "--map-root-user", "--net",
        program("setpriv", "util-linux"), "--bounding-set=-net_raw", "--inh-caps=-net_raw",
        sys.executable, "-W", "error", "-m", "tests.real.icmp_alone",
    )  # fmt: skip
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=50, check=False)
    if done.returncode != 0:
        pytest.skip(f"this machine lends no network of its own: {done.stderr[-300:]}")
    seen: Mapping[str, list[object]] = json.loads(done.stdout)
    return seen


def test_who_may_not_ask_is_told_how_to_and_the_agent_is_not_blamed(alone: Mapping[str, list[object]]) -> None:
    result, reason, signals = alone["forbidden"]
    assert result == "error"
    assert str(reason).startswith("selfheal may not send echo requests; let its group do so with net.ipv4.ping_group_")
    assert signals == {}


def test_a_group_that_may_ask_needs_no_privilege(alone: Mapping[str, list[object]]) -> None:
    assert alone["allowed"][:2] == ["ok", ""]


def test_what_gets_lost_is_counted(alone: Mapping[str, list[object]]) -> None:
    assert alone["silent"] == ["failed", "no reply to 2 echo requests", {"loss": 1.0}]
    assert alone["one silent"] == ["failed", "no reply to one echo request", {"loss": 1.0}]
    result, reason, signals = alone["half"]
    assert [result, reason] == ["failed", "2 of 4 echo requests got lost, expected at most 25%"]
    assert isinstance(signals, dict)
    assert signals["loss"] == 0.5
    assert signals["latency"] > 0
    assert alone["half allowed"][:2] == ["ok", ""]


def test_a_reply_that_selfheal_itself_was_too_late_to_look_for_is_not_lost(alone: Mapping[str, list[object]]) -> None:
    result, reason, _ = alone["late"]
    assert result == "inconclusive"
    assert str(reason).startswith("no reply in time, but selfheal itself was 0.")


def test_a_network_that_is_down_is_told(alone: Mapping[str, list[object]]) -> None:
    assert alone["down"] == ["failed", "the network is unreachable", {}]


@pytest.mark.parametrize(
    "table",
    [
        {"icmp": ""},
        {"icmp": "localhost:80"},
        {"icmp": "a", "count": 0},
        {"icmp": "a", "count": 101},
        {"icmp": "a", "max_loss": 1},
        {"icmp": "a", "max_rtt": 0},
    ],
)
def test_what_cannot_be_asked_is_refused(table: object) -> None:
    with pytest.raises(ValidationError):
        ICMP.model.model_validate(table)
