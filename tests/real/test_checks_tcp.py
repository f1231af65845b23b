"""Does the TCP check see who accepts, and what is said?"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from pydantic import ValidationError

from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.observe.dial import probe_tcp
from selfheal.observe.tcp import TCP
from tests.real.daemon_process import free_port
from tests.real.servers import Handler, build, cause, outcome, serving, silent


def seen(handler: Handler, table: Mapping[str, object] | None = None) -> tuple[str, Mapping[str, float]]:
    async def story() -> tuple[str, Mapping[str, float]]:
        async with serving(handler) as port:
            return await outcome(build(TCP, {"tcp": f"127.0.0.1:{port}", **(table or {})}))

    return asyncio.run(story())


async def redis(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if await reader.readline() == b"PING\r\n":
        writer.write(b"+PO")
        await writer.drain()
        writer.write(b"NG\r\n")
    await reader.read(-1)


async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"-ERR max number of clients\r\nreached\r\n")
    await writer.drain()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


def test_whoever_accepts_is_well_and_the_time_is_measured() -> None:
    reason, signals = seen(silent)
    assert reason == ""
    assert list(signals) == ["latency"]
    assert 0 < signals["latency"] < 5


def test_an_answer_is_awaited_however_it_comes_in() -> None:
    assert seen(redis, {"send": "PING\r\n", "expect": "+PONG"})[0] == ""
    assert seen(redis, {"send": "PING\r\n", "expect": r"/^\+PO\w+/"})[0] == ""


def test_a_wrong_answer_is_told() -> None:
    assert seen(refusing, {"expect": "+PONG"})[0] == ("expected '+PONG', it said '-ERR max number of clients reached'")


def test_a_server_that_says_nothing_at_all_is_told() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    assert seen(hang_up, {"send": "x", "expect": "+PONG"})[0] == "expected '+PONG', it said nothing"


def test_an_endless_answer_is_not_listened_to_for_ever() -> None:
    assert seen(endless, {"expect": "+PONG"})[0].startswith("expected '+PONG', it said 'xxx")


def test_nobody_at_the_port_is_a_refusal() -> None:
    for host in ("127.0.0.1", "localhost"):
        assert asyncio.run(outcome(build(TCP, {"tcp": f"{host}:{free_port()}"}))) == ("connection refused", {})


def test_who_refuses_or_hangs_up_is_named_unreachable_and_who_says_else_a_wrong_answer() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    async def named(handler: Handler) -> str | None:
        async with serving(handler) as port:
            return await cause(build(TCP, {"tcp": f"127.0.0.1:{port}", "expect": "+PONG"}))

    assert asyncio.run(cause(build(TCP, {"tcp": f"127.0.0.1:{free_port()}"}))) == "unreachable"
    assert asyncio.run(named(hang_up)) == "unreachable"
    assert asyncio.run(named(refusing)) == "wrong_answer"


def test_ipv6_is_asked_in_brackets() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
            check = build(TCP, {"tcp": f"[::1]:{server.getsockname()[1]}"})
            assert asyncio.run(outcome(check))[0] == ""
    except OSError as why:
        pytest.skip(f"this machine has no IPv6 loopback: {why}")


def test_what_lies_with_this_machine_is_no_failure_of_the_agent() -> None:
    async def with_no_file_to_spare() -> None:
        lowest_free = os.dup(0)
        os.close(lowest_free)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            await build(TCP, {"tcp": f"127.0.0.1:{port}"}).run()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    port = free_port()
    with pytest.raises(OSError, match="Too many open files"):
        asyncio.run(with_no_file_to_spare())


@pytest.mark.parametrize(
    "table", [{"tcp": "localhost"}, {"tcp": "localhost:0x50"}, {"tcp": ":80"}, {"tcp": "a:1", "expect": "/(/"}]
)
def test_what_is_no_address_is_refused(table: object) -> None:
    with pytest.raises(ValidationError):
        TCP.model.model_validate(table)


@asynccontextmanager
async def full_house() -> AsyncIterator[int]:
    """A server that never accepts, and whose queue is full."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = []
        try:
            for _ in range(3):
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                waiting[-1].connect_ex(server.getsockname())
            yield server.getsockname()[1]
        finally:
            for sock in waiting:
                sock.close()


def test_a_probe_returns_where_something_accepts_and_says_why_it_does_not() -> None:
    async def story() -> None:
        dialer = Dialer()
        async with serving(silent) as port:
            await probe_tcp(f"127.0.0.1:{port}", 5.0, dialer)
        with pytest.raises(CheckFailed, match=r"^connection refused$"):
            await probe_tcp(f"127.0.0.1:{port}", 5.0, dialer)
        async with full_house() as port:
            with pytest.raises(CheckFailed, match=r"^no answer within 0\.05 s$") as caught:
                await probe_tcp(f"127.0.0.1:{port}", 0.05, dialer)
            assert caught.value.result == "timeout"
        assert len(dialer.poller) == 0
        dialer.close()

    asyncio.run(story())
