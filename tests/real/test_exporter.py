"""Do an agent's own numbers arrive, and does an exporter that fails leave its health alone?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from selfheal.config.models import SignalConfig
from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.observe.exporter import scrapes


async def answer(text: str, status: str = "200 OK") -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
        await writer.drain()
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


def url(server: asyncio.Server) -> str:
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/metrics"


def _nobody(counters: Mapping[str, bool]) -> None:
    pass


def test_the_series_that_are_named_become_signals() -> None:
    async def story() -> None:
        async with await answer("queue_depth 3\nother 4\n") as server:
            [scrape] = scrapes([SignalConfig(prometheus=url(server), take=("queue_depth",))], Dialer(), _nobody)
            assert (scrape.name, await scrape.check.run()) == ("signals", {"queue_depth": 3.0})

    asyncio.run(story())


def test_an_exporter_that_fails_is_an_error_and_no_failure_of_the_agent() -> None:
    async def story() -> None:
        async with await answer("no", "503 Unavailable") as server:
            place = url(server)
            [scrape] = scrapes([SignalConfig(prometheus=place)], Dialer(), _nobody)
            with pytest.raises(CheckFailed, match="status 503") as refused:
                await scrape.check.run()
            assert refused.value.result == "error"
        with pytest.raises(CheckFailed, match="connection refused") as gone:
            await scrape.check.run()
        assert gone.value.result == "error"

    asyncio.run(story())


def test_what_an_exporter_says_of_its_series_is_told_once() -> None:
    text = "# TYPE served_total counter\nserved_total 3\n# TYPE queue gauge\nqueue 4\nbare 5\n"
    told: list[Mapping[str, bool]] = []

    async def story() -> None:
        async with await answer(text) as server:
            named = ("served_total", "queue", "bare")
            [scrape] = scrapes([SignalConfig(prometheus=url(server), take=named)], Dialer(), told.append)
            await scrape.check.run()
            await scrape.check.run()

    asyncio.run(story())
    assert told == [{"served_total": True, "queue": False}]
