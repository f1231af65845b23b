"""How many probes does a second of processor give, by each way to ask?

A probe is a GET, its whole body, and a look at both: the status must be 200, and the body contain a text. There are as
many in flight as there are URLs, each at a URL of its own, again and again.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import cast

import httptools

from benchmarks.checks.alone import answers, spent_s
from benchmarks.gauges import memory
from selfheal.net import Dialer
from selfheal.observe.http_connection import HttpConnection
from selfheal.observe.http_request import Request, Response

LOOPS = ("asyncio", "uvloop")
WARM_UP_S = 0.6


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked, by which engine in which loop, and for how long."""

    engine: str
    loop: str
    urls: tuple[str, ...]
    needle: str
    seconds: float


class Tally:
    """How many probes came to an end, and how many of them were good."""

    __slots__ = ("done", "good", "needle")

    def __init__(self, needle: str) -> None:
        self.needle = needle.encode()
        self.done = self.good = 0

    def count(self, status: int, body: bytes) -> None:
        self.done += 1
        self.good += status == 200 and self.needle in body


Engine = Callable[[tuple[str, ...], Tally], AbstractAsyncContextManager[None]]
"""Asks for as long as it is entered."""


# --- ours ---


class _Asker:
    """Asks one URL again as soon as it has answered."""

    def __init__(self, url: str, dialer: Dialer, tally: Tally) -> None:
        self.connection = HttpConnection(Request.build(url, verify=False, keep_alive=True), dialer)
        self._tally = tally

    def ask(self) -> None:
        self.connection.ask(self._heard)

    def _heard(self, response: Response | None, failure: Exception | None) -> None:
        if response is None:
            self._tally.done += 1  # and it is asked no more: what fails at once would fail for ever
            return
        self._tally.count(response.status, response.body)
        self.ask()


@asynccontextmanager
async def selfheal(urls: tuple[str, ...], tally: Tally) -> AsyncIterator[None]:
    dialer = Dialer()
    askers = [_Asker(url, dialer, tally) for url in urls]
    for one in askers:
        one.ask()
    try:
        yield
    finally:
        for one in askers:
            one.connection.give_up()
        dialer.close()


# --- clients ---


@asynccontextmanager
async def _again(urls: tuple[str, ...], ask: Callable[[str], Awaitable[None]]) -> AsyncIterator[None]:
    """A task for each URL, which asks it for ever."""

    async def ask_for_ever(url: str) -> None:
        while True:
            await ask(url)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask_for_ever(url)) for url in urls]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def one_httpx_client(urls: tuple[str, ...], tally: Tally) -> AsyncIterator[None]:
    import httpx

    limits = httpx.Limits(max_connections=len(urls), max_keepalive_connections=len(urls))
    async with httpx.AsyncClient(limits=limits, verify=False, timeout=5.0) as client:

        async def ask(url: str) -> None:
            answer = await client.get(url)
            tally.count(answer.status_code, answer.content)

        async with _again(urls, ask):
            yield


@asynccontextmanager
async def one_aiohttp_session(urls: tuple[str, ...], tally: Tally) -> AsyncIterator[None]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=len(urls), ssl=False)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=5.0)) as session:

        async def ask(url: str) -> None:
            async with session.get(url) as answer:
                tally.count(answer.status, await answer.read())

        async with _again(urls, ask):
            yield


# --- the plain reference ---


class _Conversation(asyncio.Protocol):
    """The least that a protocol of asyncio's can do with a parser: one connection, asked again and again."""

    def __init__(self, request: Request, tally: Tally, closed: asyncio.Future[None]) -> None:
        self._request = request
        self._tally = tally
        self._closed = closed
        self._body = b""
        self._over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods alone
        self._ask()

    def _ask(self) -> None:
        self._body, self._over = b"", False
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(self._request.payload)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        if self._over:
            self._tally.count(self._parser.get_status_code(), self._body)
            if self._alive:
                self._ask()
            else:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed.done():
            self._closed.set_result(None)

    def on_headers_complete(self) -> None:
        self._alive = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._over = True


async def _converse(tally: Tally, tls: ssl.SSLContext, url: str) -> None:
    request = Request.build(url, verify=False, keep_alive=True)
    loop = asyncio.get_running_loop()
    closed: asyncio.Future[None] = loop.create_future()
    transport, _ = await loop.create_connection(
        lambda: _Conversation(request, tally, closed),
        request.host,
        request.port,
        ssl=tls if request.tls is not None else None,
    )
    try:
        await closed
    finally:
        transport.abort()


@asynccontextmanager
async def plain_protocol(urls: tuple[str, ...], tally: Tally) -> AsyncIterator[None]:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    async with _again(urls, partial(_converse, tally, tls)):
        yield


# In the order of the tables.
ENGINES: Mapping[str, Engine] = {
    "selfheal": selfheal,
    "protocol + httptools": plain_protocol,
    "aiohttp": one_aiohttp_session,
    "httpx": one_httpx_client,
}


async def _measured(asking: Asking) -> dict[str, float]:
    tally = Tally(asking.needle)
    async with ENGINES[asking.engine](asking.urls, tally):
        await asyncio.sleep(WARM_UP_S)
        done, before_s, began = tally.done, spent_s(), time.monotonic()
        await asyncio.sleep(asking.seconds)
        done, cpu_s, took_s = tally.done - done, spent_s() - before_s, time.monotonic() - began
        rss_mb = memory([os.getpid()]).rss
    if done == 0 or tally.good != tally.done:
        raise RuntimeError(f"{tally.done - tally.good} of {tally.done} probes did not get what they should")
    return {"per_cpu_s": done / cpu_s, "per_s": done / took_s, "rss_mb": rss_mb}


def measure(asking: Asking) -> dict[str, float]:
    if asking.loop == "uvloop":
        # By its name: it is there for the benchmarks alone, and who checks types need not have it.
        with asyncio.Runner(loop_factory=import_module("uvloop").new_event_loop) as runner:
            return runner.run(_measured(asking))
    return asyncio.run(_measured(asking))


if __name__ == "__main__":
    answers(Asking, measure)
