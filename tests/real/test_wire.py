"""Is a connection of a check bounded in what it holds, fair to the loop, and gone when the check is?"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

import pytest

from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.observe.trust import tls_context
from selfheal.observe.wire import Wire, connected
from tests.real.certificates import self_signed, server_side
from tests.real.processes import open_files, until
from tests.real.servers import Handler, serving, silent

Story = Callable[[Wire], Awaitable[None]]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    return server_side(self_signed(tmp_path_factory.mktemp("tls")))


@pytest.fixture(params=["plain", "encrypted"])
def server_tls(request: pytest.FixtureRequest, tls: ssl.SSLContext) -> ssl.SSLContext | None:
    return tls if request.param == "encrypted" else None


def talk(handler: Handler, server_tls: ssl.SSLContext | None, story: Story) -> None:
    """Let a story happen on a wire to such a server; nothing is open or watched after it."""

    async def run() -> None:
        dialer = Dialer()
        ours = tls_context(verify=False) if server_tls is not None else None
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)  # a server that we leave complains
        async with serving(handler, server_tls) as port:
            try:
                async with connected(dialer, "127.0.0.1", port, ours) as wire:
                    await story(wire)
            finally:
                assert len(dialer.poller) == 0
                dialer.close()

    before = open_files()
    asyncio.run(run())
    assert open_files() <= before


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


def test_what_is_sent_comes_back_in_lines_and_in_parts_of_a_known_size(server_tls: ssl.SSLContext | None) -> None:
    async def story(wire: Wire) -> None:
        await wire.send(b"one\r\n\ntwo")
        assert (await wire.line(), await wire.line()) == (b"one", b"")
        assert await wire.exactly(3) == b"two"
        assert (wire.first, wire.greeting) == (b"one\r\n\ntwo", "one two")

    talk(echo, server_tls, story)


def test_more_than_the_buffers_hold_is_sent_as_it_is_taken(server_tls: ssl.SSLContext | None) -> None:
    size = 8 * 1024 * 1024

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard = await reader.readexactly(size)
        writer.write(str(len(heard)).encode() + b"\n")
        await reader.read(-1)

    async def story(wire: Wire) -> None:
        await wire.send(b"x" * size)
        assert await wire.line() == str(size).encode()

    talk(count, server_tls, story)


def test_a_server_that_never_stops_sending_keeps_nobody_from_their_turn(server_tls: ssl.SSLContext | None) -> None:
    turns: list[int] = []

    async def story(wire: Wire) -> None:
        loop = asyncio.get_running_loop()

        def turn() -> None:
            turns.append(len(turns))
            loop.call_soon(turn)

        loop.call_soon(turn)
        for _ in range(100):
            await wire.some()
        assert len(turns) >= 100 // 5  # of TLS one read is a record, of which four come at once

    talk(endless, server_tls, story)


def test_what_is_not_asked_for_is_not_held(server_tls: ssl.SSLContext | None) -> None:
    async def story(wire: Wire) -> None:
        for _ in range(100):
            await wire.exactly(1)
            assert len(wire._heard) <= 65536
        with pytest.raises(CheckFailed, match=r"^a line of more than 4 KiB$"):
            await wire.line()

    talk(endless, server_tls, story)


def test_a_server_that_hangs_up_is_told_by_how_far_it_came(server_tls: ssl.SSLContext | None) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"half")

    async def story(wire: Wire) -> None:
        with pytest.raises(CheckFailed, match=r"^connection closed in the middle of the answer$") as caught:
            await wire.exactly(5)
        assert caught.value.cause == "wrong_answer"
        assert await wire.some() == b"half"
        assert await wire.some() == b""
        wire.begin_anew()
        with pytest.raises(CheckFailed, match=r"^connection closed before an answer$") as caught:
            await wire.line()
        assert caught.value.cause == "unreachable"
        wire.last_word(b"nobody hears this")

    talk(hang_up, server_tls, story)


def test_what_was_said_before_tls_is_never_read_as_if_it_had_come_through_it(tls: ssl.SSLContext) -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"S and more")
        await reader.read(-1)

    async def story(wire: Wire) -> None:
        assert await wire.exactly(1) == b"S"
        with pytest.raises(CheckFailed, match=r"^expected nothing before the TLS handshake, it said 'and more'$"):
            await wire.encrypt(tls_context(verify=False), "localhost")

    talk(hasty, None, story)


@pytest.mark.parametrize("encrypted", [False, True])
def test_whoever_is_cancelled_at_any_moment_leaves_nothing_open(encrypted: bool) -> None:
    async def attempt(dialer: Dialer, port: int) -> None:
        async with connected(dialer, "localhost", port, tls_context(verify=False) if encrypted else None) as wire:
            await wire.line()

    async def story() -> None:
        dialer = Dialer()
        async with serving(silent) as port:
            before = open_files()
            for turns in range(8):
                task = asyncio.get_running_loop().create_task(attempt(dialer, port))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()
                assert len(dialer.poller) == 0
            await until(lambda: open_files() <= before + 1)  # the epoll; the server's side is gone too
        dialer.close()

    asyncio.run(story())
