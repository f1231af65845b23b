"""Whatever the other side does, does a check of a protocol end with a reason, and leave nothing behind?"""

from __future__ import annotations

import asyncio
import os
import resource
import struct
import threading
import tracemalloc
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import pytest

from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.net import Dialer
from selfheal.net.names import Names, Place
from selfheal.observe.dns import DNS
from selfheal.observe.grpc import GRPC
from selfheal.observe.http import HTTP
from selfheal.observe.icmp import ICMP
from selfheal.observe.postgres import POSTGRES
from selfheal.observe.prometheus import PROMETHEUS
from selfheal.observe.redis import REDIS
from selfheal.observe.tcp import TCP
from selfheal.observe.tls import TLS
from selfheal.observe.websocket import WEBSOCKET
from tests.real.daemon_process import free_port
from tests.real.processes import open_files
from tests.real.servers import Handler, build, outcome, serving, within

KINDS: tuple[tuple[CheckKind, str, Mapping[str, object]], ...] = (
    (GRPC, "{}", {}),
    (GRPC, "{}", {"secure": True}),
    (WEBSOCKET, "ws://{}/", {}),
    (WEBSOCKET, "wss://{}/", {"expect": "x"}),
    (REDIS, "redis://:x@{}/1", {}),
    (REDIS, "rediss://{}", {}),
    (POSTGRES, "postgresql://u:x@{}/d", {}),
    (POSTGRES, "postgresql://u:x@{}/d?sslmode=disable", {}),
)
every_kind = pytest.mark.parametrize(("kind", "place", "table"), KINDS, ids=lambda part: getattr(part, "name", ""))

FRAME_OF_16_MIB = b"\xff\xff\xff\x04\0\0\0\0\0"
SETTINGS = b"\0\0\0\x04\0\0\0\0\0"
PING = b"\0\0\x08\x06\0\0\0\0\0" + bytes(8)
# What each protocol may begin with, so that something is read after it.
ENDLESS = (
    b"x",
    b"\0",
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nX: ",
    b"+OK\r\n",
    b"$1000000000\r\n",
    b"R" + struct.pack("!ii", 8, 0),
    b"N" + struct.pack("!i", 1_000_000) + bytes(1000),
    FRAME_OF_16_MIB,
    SETTINGS + PING,
    SETTINGS + FRAME_OF_16_MIB,
)


def check_of(
    kind: CheckKind, place: str, table: Mapping[str, object], port: int, given: CheckContext | None = None
) -> Check:
    return build(kind, {kind.name: place.format(f"127.0.0.1:{port}"), **table}, given)


def repeating(data: bytes) -> Handler:
    """The same again and again, until nobody listens any more; some 20 MB at most."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        block = data * (65536 // len(data) + 1)
        for _ in range(300):
            writer.write(block)
            await writer.drain()

    return handler


@every_kind
def test_a_check_that_is_cut_off_leaves_no_connection_behind(
    kind: CheckKind, place: str, table: Mapping[str, object]
) -> None:
    hung_up = asyncio.Event()

    async def waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(-1)
        except ConnectionError:
            pass
        hung_up.set()

    async def story() -> None:
        async with serving(waiting) as port:
            with within() as given, pytest.raises(TimeoutError):
                await outcome(check_of(kind, place, table, port, given), limit_s=0.05)
            async with asyncio.timeout(10):
                await hung_up.wait()

    before = open_files()
    asyncio.run(story())
    assert open_files() <= before


@every_kind
def test_what_lies_with_this_machine_is_no_failure_of_the_agent(
    kind: CheckKind, place: str, table: Mapping[str, object]
) -> None:
    check = check_of(kind, place, table, free_port())

    async def with_no_file_to_spare() -> None:
        lowest_free = os.dup(0)
        os.close(lowest_free)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
        try:
            await check.run()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    if kind is WEBSOCKET:  # its library is a file too
        asyncio.run(outcome(check))
    with pytest.raises(OSError, match="Too many open files"):
        asyncio.run(with_no_file_to_spare())


@every_kind
@pytest.mark.parametrize("data", ENDLESS, ids=range(len(ENDLESS)))
def test_an_endless_answer_fills_no_memory(
    kind: CheckKind, place: str, table: Mapping[str, object], data: bytes
) -> None:
    """It ends with a reason, or with the time that is cut off here."""

    async def story() -> tuple[str, int]:
        async with serving(repeating(data)) as port:
            with within() as given:
                check = check_of(kind, place, table, port, given)
                tracemalloc.start()
                try:
                    return (await outcome(check, limit_s=0.3))[0], tracemalloc.get_traced_memory()[1]
                except TimeoutError:
                    return "too late", tracemalloc.get_traced_memory()[1]
                finally:
                    tracemalloc.stop()

    before = open_files()
    reason, most_bytes = asyncio.run(story())
    assert reason
    assert most_bytes < 6_000_000
    assert open_files() <= before


NAMED: tuple[tuple[CheckKind, Mapping[str, object]], ...] = (
    (HTTP, {"http": "http://a.example/"}),
    (HTTP, {"http": "http://a.example/", "redirects": 1}),
    (TCP, {"tcp": "a.example:1"}),
    (TLS, {"tls": "a.example:1"}),
    (DNS, {"dns": "b.example", "resolver": "a.example"}),
    (ICMP, {"icmp": "a.example"}),
    (GRPC, {"grpc": "a.example:1"}),
    (WEBSOCKET, {"websocket": "ws://a.example/"}),
    (REDIS, {"redis": "a.example:1"}),
    (POSTGRES, {"postgres": "postgresql://u:x@a.example/d"}),
    (PROMETHEUS, {"prometheus": "http://a.example/"}),
)


class Forbidden(ThreadPoolExecutor):
    """Threads that nobody may ask for anything."""

    def submit(self, *_args: object, **_named: object) -> NoReturn:
        raise AssertionError("the state files are saved by these threads, and would wait behind a dead name server")


@pytest.mark.parametrize(("kind", "table"), NAMED, ids=lambda part: getattr(part, "name", ""))
def test_a_name_server_that_is_dead_holds_up_no_threads_but_its_own(
    kind: CheckKind, table: Mapping[str, object]
) -> None:
    asked, go = threading.Event(), threading.Event()

    def lookup(host: str) -> Sequence[Place]:
        assert host == "a.example"
        asked.set()
        go.wait(20.0)
        return ()

    async def story() -> None:
        asyncio.get_running_loop().set_default_executor(Forbidden())
        with within(Dialer(names=Names(lookup))) as given, pytest.raises(TimeoutError):
            await outcome(build(kind, table, given), limit_s=0.05)

    try:
        asyncio.run(story())
        assert asked.wait(10.0)
    finally:
        go.set()
