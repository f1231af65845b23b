"""Does a connection that is kept behave as if each request had one of its own, whatever the server does with it?"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.observe.http_connection import FRESH_EVERY, HttpConnection
from selfheal.observe.http_request import MAX_BODY_BYTES, Request, Response
from tests.real.certificates import signed_by_itself
from tests.real.daemon_process import free_port
from tests.real.processes import open_files
from tests.real.servers import Handler, answering, page, serving

OK = page(b"ok")


class Asker:
    """Asks over one connection, as a check does, and waits for each answer."""

    def __init__(self, url: str, *, keep_alive: bool = True, method: str = "GET", body: bytes = b"") -> None:
        self.dialer = Dialer()
        request = Request.build(url, method=method, body=body, keep_alive=keep_alive, verify=False)
        self.connection = HttpConnection(request, self.dialer)

    async def ask(self) -> Response:
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def tell(response: Response | None, failure: Exception | None) -> None:
            if response is not None:
                answer.set_result(response)
            else:
                answer.set_exception(failure or AssertionError("told nothing"))

        self.connection.ask(tell)
        return await answer

    def close(self) -> None:
        self.connection.close()
        assert len(self.dialer.poller) == 0
        self.dialer.close()


class Server:
    """Answers as often as it is asked on a connection, and counts both."""

    def __init__(self, answers_each: int = 10**9, answer: bytes = OK) -> None:
        self.connections = 0
        self.requests = 0
        self.answers_each = answers_each
        self.answer = answer

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for _ in range(self.answers_each):
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            writer.write(self.answer)
            await writer.drain()


def tell(handler: Handler, story: Callable[[Asker], Awaitable[None]], tls: ssl.SSLContext | None = None) -> None:
    async def run() -> None:
        async with serving(handler, tls) as port:
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
            asker = Asker(f"http{'s' if tls else ''}://localhost:{port}/")
            try:
                await story(asker)
            finally:
                asker.close()

    asyncio.run(run())


def test_a_connection_is_kept_and_renewed_from_time_to_time() -> None:
    server = Server()

    async def story(asker: Asker) -> None:
        for _ in range(2 * FRESH_EVERY + 1):
            assert (await asker.ask()).body == b"ok"
        assert (server.requests, server.connections) == (2 * FRESH_EVERY + 1, 3)

    tell(server.handle, story)


def test_a_server_that_hangs_up_between_two_requests_is_asked_anew_and_nobody_hears_of_it() -> None:
    server = Server(answers_each=1)

    async def story(asker: Asker) -> None:
        for _ in range(5):
            assert (await asker.ask()).body == b"ok"
        assert server.connections == 5

    tell(server.handle, story)


def test_a_server_that_says_it_will_close_is_believed() -> None:
    server = Server(answer=page(b"ok", headers="Connection: close\r\n"))

    async def story(asker: Asker) -> None:
        for _ in range(3):
            assert (await asker.ask()).body == b"ok"
        assert server.connections == 3

    tell(server.handle, story)


def test_a_server_that_hangs_up_on_a_fresh_connection_is_not_asked_twice() -> None:
    server = Server(answers_each=0)

    async def story(asker: Asker) -> None:
        with pytest.raises(CheckFailed, match=r"connection (closed|reset) before an answer"):
            await asker.ask()
        assert server.connections == 1

    tell(server.handle, story)


def test_what_comes_unasked_is_no_answer_to_the_next_request() -> None:
    async def talkative(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + page(b"nobody asked"))
        await reader.readuntil(b"\r\n\r\n")

    async def story(asker: Asker) -> None:
        assert (await asker.ask()).body == b"ok"
        assert (await asker.ask()).body == b"ok"

    tell(talkative, story)


async def endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def endless_frames(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1;" + b"y" * 1000 + b"\r\nx\r\n")
        await writer.drain()


async def endless_hints(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100)
        await writer.drain()


def test_a_body_that_never_ends_is_cut_and_the_connection_with_it() -> None:
    async def story(asker: Asker) -> None:
        for _ in range(2):
            response = await asker.ask()
            assert (len(response.body), response.truncated) == (MAX_BODY_BYTES, True)
            assert len(asker.dialer.poller) == 0

    tell(endless_body, story)


@pytest.mark.parametrize(
    ("handler", "reason"),
    [(endless_frames, "an answer of more than 2048 KiB"), (endless_hints, "headers of more than 64 KiB")],
)
def test_what_is_no_body_and_never_ends_is_cut_too(handler: Handler, reason: str) -> None:
    async def story(asker: Asker) -> None:
        with pytest.raises(CheckFailed, match=reason):
            await asker.ask()

    tell(handler, story)


def test_a_request_that_does_not_fit_into_the_buffers_is_sent_to_its_end() -> None:
    size = 8 * 1024 * 1024

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        heard = await reader.readexactly(size)
        writer.write(page(str(len(heard)).encode()))

    async def run() -> None:
        async with serving(slow) as port:
            asker = Asker(f"http://127.0.0.1:{port}/", method="POST", body=b"x" * size)
            assert (await asker.ask()).body == str(size).encode()
            asker.close()

    asyncio.run(run())


def test_an_early_answer_to_a_long_request_counts() -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(page(b"too large", "413 Content Too Large", "Connection: close\r\n"))
        await reader.read()

    async def run() -> None:
        async with serving(hasty) as port:
            asker = Asker(f"http://127.0.0.1:{port}/", method="POST", body=b"x" * 8 * 1024 * 1024)
            assert (await asker.ask()).status == 413
            asker.close()

    asyncio.run(run())


@pytest.mark.parametrize("steps", range(6))
def test_whoever_gives_up_at_any_moment_leaves_nothing_open(steps: int) -> None:
    async def run(port: int) -> None:
        for host in ("localhost", "127.0.0.1"):
            asker = Asker(f"https://{host}:{port}/")
            asker.connection.ask(lambda response, failure: pytest.fail("it was given up"))
            for _ in range(steps):
                await asyncio.sleep(0)
            asker.connection.give_up()
            asker.close()

    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel connects, and nobody ever accepts
        before = open_files()
        asyncio.run(run(silent.getsockname()[1]))
        assert open_files() <= before


@pytest.mark.parametrize(
    "handler",
    [answering(b""), answering(b"garbage\r\n\r\n"), answering(OK[:-1]), endless_hints],
    ids=["nothing", "garbage", "cut off", "endless"],
)
def test_failures_leave_nothing_open(handler: Handler) -> None:
    async def story(asker: Asker) -> None:
        for _ in range(30):
            with pytest.raises(CheckFailed):
                await asker.ask()
            assert len(asker.dialer.poller) == 0

    before = open_files()
    tell(handler, story)
    assert open_files() <= before


def test_a_port_at_which_nobody_listens_refuses_again_and_again_and_leaves_nothing_open() -> None:
    async def run() -> None:
        asker = Asker(f"http://127.0.0.1:{free_port()}/")
        before = open_files()
        for _ in range(100):
            with pytest.raises(CheckFailed, match="connection refused"):
                await asker.ask()
        assert open_files() <= before + 1  # the epoll
        asker.close()

    asyncio.run(run())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return signed_by_itself(tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1()))


def test_over_tls_an_answer_larger_than_a_record_is_read_to_its_end(certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    server = Server(answer=page(b"x" * 300_000))

    async def story(asker: Asker) -> None:
        for _ in range(3):
            assert len((await asker.ask()).body) == 300_000
        assert server.connections == 1
        assert asker.connection.certificate_ends is not None

    tell(server.handle, story, tls)
