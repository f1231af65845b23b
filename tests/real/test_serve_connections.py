"""Can a client that is slow, silent or speaks no HTTP hold anything up, and what is it told?"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

import httpx
import pytest

from selfheal.serve import connection
from tests.real.serving import TOKEN, Daemon, bearer, declared, protected

SOON_S = 10.0
LOGIN = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


class Line:
    """A bare connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def said(self) -> bytes:
        """All that comes until the server closes."""
        async with asyncio.timeout(SOON_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""
            finally:
                self.writer.close()


async def call(url: str, sent: bytes = b"") -> Line:
    line = Line(*await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2])))
    line.writer.write(sent)
    return line


def problem(said: bytes) -> tuple[int, str]:
    """The status and the code of an answer that is a problem."""
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head, said
    assert b"content-security-policy" in head.lower()
    told = json.loads(body)
    assert f"HTTP/1.1 {told['status']} ".encode() in head
    return told["status"], told["code"]


def with_server(use: Callable[[Daemon, str], Awaitable[None]], daemon: Daemon | None = None) -> None:
    async def run() -> None:
        served = daemon or Daemon(protected())
        async with served.running() as url:
            await use(served, url)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", None),
        (b"\r\n", None),
        (b"GET / HTTP/1.1\r\nHost: loc", (408, "request_timeout")),
        (LOGIN + b'Content-Length: 30\r\n\r\n{"token', (408, "request_timeout")),
        (LOGIN + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc", (408, "request_timeout")),
    ],
)
def test_a_request_that_is_not_complete_in_time_ends_its_connection(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, said: tuple[int, str] | None
) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 0.1)

    async def use(daemon: Daemon, url: str) -> None:
        answer = await (await call(url, sent)).said()
        assert (problem(answer) if answer else None) == said

    with_server(use)


def test_after_an_answer_half_a_request_has_no_more_time_than_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 0.1)

    async def use(daemon: Daemon, url: str) -> None:
        line = await call(url, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /he")
        answer = await line.said()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert problem(answer[answer.rindex(b"HTTP/1.1 ") :]) == (408, "request_timeout")

    with_server(use)


def test_a_stream_and_a_slow_order_outlive_the_time_for_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 0.1)

    async def use(daemon: Daemon, url: str) -> None:
        async with (
            httpx.AsyncClient(base_url=url, headers=bearer()) as client,
            client.stream("GET", "/observability/events") as stream,
        ):
            silent = await call(url)
            assert await silent.said() == b"", "the time is over for others"
            daemon.ledger.record(declared("api"))
            async with asyncio.timeout(SOON_S):
                async for text in stream.aiter_lines():
                    if text.startswith("data:"):
                        return

    with_server(use)


def test_whatever_is_no_http_is_told_so_as_a_problem() -> None:
    async def use(daemon: Daemon, url: str) -> None:
        for sent, said in (
            (b"nonsense\r\n\r\n", (400, "malformed_request")),
            (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", (400, "malformed_request")),
            (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", (414, "url_too_long")),
        ):
            assert problem(await (await call(url, sent)).said()) == said

    with_server(use)


def test_a_head_without_end_is_cut_off() -> None:
    async def use(daemon: Daemon, url: str) -> None:
        line = await call(
            url, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ".ljust(connection.LARGEST_HEAD + 1, b"a")
        )
        assert problem(await line.said()) == (431, "head_too_large")

    with_server(use)


def test_silent_connections_give_way_to_those_that_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECTIONS", 4)

    async def use(daemon: Daemon, url: str) -> None:
        silent = [await call(url) for _ in range(4)]
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert await silent[0].said() == b"", "the oldest"
            assert (await client.get("/healthz")).status_code == 200
        for line in silent[1:]:
            line.writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert (await line.said()).startswith(b"HTTP/1.1 200 ")

    with_server(use)


def test_where_every_connection_is_at_work_the_next_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CONNECTIONS", 2)

    async def use(daemon: Daemon, url: str) -> None:
        async with (
            httpx.AsyncClient(base_url=url, headers=bearer()) as client,
            client.stream("GET", "/observability/events"),
            client.stream("GET", "/observability/events"),
        ):
            line = await call(url, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert problem(await line.said()) == (503, "too_many_connections")

    with_server(use)


def test_a_client_that_never_reads_its_answer_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALLED_S", 0.1)

    async def use(daemon: Daemon, url: str) -> None:
        daemon.ledger.record(*(declared(f"agent-{number}") for number in range(1000)))
        token = f"Authorization: Bearer {TOKEN}\r\n".encode()
        ask = b"GET /observability/agents HTTP/1.1\r\nHost: localhost\r\n" + token + b"\r\n"
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]), limit=1)
        writer.write(ask * 30)  # its answers are more than the kernel takes for one who does not read
        async with asyncio.timeout(SOON_S):
            with pytest.raises(ConnectionError):
                await _write_on(writer)
        writer.close()

    with_server(use)


async def _write_on(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0)


def test_an_order_without_leave_is_refused_before_its_body_is_read() -> None:
    async def use(daemon: Daemon, url: str) -> None:
        for path in ("/webhooks/alertmanager", "/control/pause", "/control/reload", "/heartbeat/api"):
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n\r\n{{"
            line = await call(url, head.encode())
            async with asyncio.timeout(SOON_S):
                assert b" 401 " in await line.reader.readline(), path
            line.writer.close()
        assert daemon.orders.given == []

    with_server(use)


def test_a_login_takes_little_whoever_sends_much() -> None:
    async def use(daemon: Daemon, url: str) -> None:
        for head in (b"Content-Length: 900000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n9c40\r\n"):
            line = await call(url, LOGIN + head + b"x" * 40_000)
            async with asyncio.timeout(SOON_S):
                assert b" 413 " in await line.reader.readline()
            line.writer.close()

    with_server(use)


@pytest.mark.parametrize("sent", [LOGIN + b"Content-Length: 30\r\n\r\n{", b"GET /healthz HTTP/1.1\r\nHo", b""])
def test_a_stop_waits_for_no_request_that_is_only_half_there_and_logs_no_failure(
    caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    async def run() -> bytes:
        daemon = Daemon(protected())
        async with daemon.running() as url:
            line = await call(url, sent)
            async with httpx.AsyncClient(base_url=url) as client:
                await client.get("/healthz")  # what was sent before has arrived
        return await line.said()

    with caplog.at_level(logging.WARNING, "uvicorn.error"):
        said = asyncio.run(run())
    assert (problem(said) if said else None) == ((503, "stopping") if sent else None)
    assert caplog.records == []


@pytest.mark.parametrize("path", ["/healthz", "/", "/login", "/assets/app.js", "/observability/events", "/metrics"])
def test_head_is_answered_wherever_get_is(path: str) -> None:
    async def use(daemon: Daemon, url: str) -> None:
        async with httpx.AsyncClient(base_url=url, headers=bearer(), timeout=SOON_S) as client:
            answer = await client.head(path)
            assert answer.content == b""
            assert "date" in answer.headers
            if path == "/observability/events":
                assert answer.status_code == 200
                return
            got = await client.get(path)
            assert (answer.status_code, answer.headers["content-length"]) == (
                got.status_code,
                got.headers["content-length"],
            )

    with_server(use)
