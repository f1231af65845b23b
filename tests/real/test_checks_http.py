"""Does the HTTP check see what real servers do, well or badly?"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import threading
import zlib
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.observe.http import HTTP
from selfheal.observe.http_client import get, probe_http
from selfheal.observe.http_request import MAX_BODY_BYTES, Response
from tests.real.daemon_process import free_port
from tests.real.servers import Handler, answering, build, cause, outcome, page, serving


def seen(handler: Handler, table: Mapping[str, object] | None = None) -> tuple[str, Mapping[str, float]]:
    """What a check says of a server."""

    async def story() -> tuple[str, Mapping[str, float]]:
        async with serving(handler) as port:
            return await outcome(build(HTTP, {"http": f"http://127.0.0.1:{port}/health", **(table or {})}))

    return asyncio.run(story())


def answer_of(handler: Handler, path: str = "/", method: str = "GET", body: bytes = b"") -> Response:
    async def story() -> Response:
        async with serving(handler) as port:
            return await get(f"http://127.0.0.1:{port}{path}", Dialer(), timeout_s=5.0, method=method, body=body)

    return asyncio.run(story())


class Agent(BaseHTTPRequestHandler):
    """An agent as the standard library would serve it."""

    def do_GET(self) -> None:
        body = json.dumps({"db": {"state": "up"}, "path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def test_a_healthy_agent_is_well_and_its_latency_and_status_are_measured() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Agent) as server:
        serving_thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving_thread.start()
        try:
            expect = {"status": 200, "body": "up", "json": {"db.state": "up", "path": "/health?a=1"}, "latency": 5}
            table = {"http": f"http://localhost:{server.server_port}/health?a=1", "expect": expect}
            reason, signals = asyncio.run(outcome(build(HTTP, table)))
        finally:
            server.shutdown()
            serving_thread.join()
    assert reason == ""
    assert set(signals) == {"latency", "status"}
    assert signals["status"] == 200.0
    assert 0 < signals["latency"] < 5


def test_a_wrong_status_fails_and_still_measures() -> None:
    reason, signals = seen(answering(page(b"down\nfor maintenance", "503 Service Unavailable")))
    assert reason == "status 503, expected 200-299: down for maintenance"
    assert signals["status"] == 503.0
    assert signals["latency"] > 0


@pytest.mark.parametrize(
    ("expect", "reason"),
    [
        ({"body": "ok"}, '\'ok\' is not in the body: {"db":"down"}'),
        ({"json": {"db": "up"}}, "db is 'down', expected 'up'"),
        ({"headers": {"X-Version": "2"}}, "header X-Version is missing, expected '2'"),
    ],
)
def test_a_wrong_answer_is_told_in_words(expect: dict[str, object], reason: str) -> None:
    assert seen(answering(page(b'{"db":"down"}')), {"expect": expect})[0] == reason


def test_an_answer_that_comes_too_late_fails_with_both_times() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asyncio.get_running_loop().call_later(0.05, writer.write, page(b"ok"))
        await reader.read()

    reason, signals = seen(slow, {"expect": {"latency": "20ms"}})
    assert reason == f"took {signals['latency']:.3g} s, expected at most 0.02 s"
    assert signals["latency"] >= 0.05


@pytest.mark.parametrize(
    ("says", "expect", "cause_named"),
    [
        (page(b"", "503 Service Unavailable"), {}, "wrong_answer"),
        (page(b"", "401 Unauthorized"), {}, "credential_expired"),
        (page(b"", "429 Too Many Requests"), {}, "rate_limited"),
        (page(b"no", "429 Too Many Requests"), {"status": "4xx", "body": "ok"}, "wrong_answer"),
        (page(b"no"), {"body": "ok"}, "wrong_answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", {}, "wrong_answer"),
        (page(b"ok"), {"latency": 1e-9}, "slow"),
        (b"", {}, "unreachable"),
        (page(b"ok"), {"body": "ok"}, None),
    ],
)
def test_an_answer_names_the_cause_by_what_is_wrong_with_it(
    says: bytes, expect: dict[str, object], cause_named: str | None
) -> None:
    async def story() -> str | None:
        async with serving(answering(says)) as port:
            return await cause(build(HTTP, {"http": f"http://127.0.0.1:{port}/health", "expect": expect}))

    assert asyncio.run(story()) == cause_named


def test_nobody_at_the_port_of_an_url_is_named_unreachable() -> None:
    assert asyncio.run(cause(build(HTTP, {"http": f"http://127.0.0.1:{free_port()}/health"}))) == "unreachable"


def test_a_redirect_is_just_a_status() -> None:
    moved = answering(page(b"", "301 Moved", "Location: http://127.0.0.1:1/\r\n"))
    assert seen(moved)[0] == "status 301, expected 200-299"
    assert seen(moved, {"expect": {"status": 301}})[0] == ""


# --- servers that do not speak as they should ---


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    # To linger for no time at all is to reset.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
    await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (hang_up, "connection closed before an answer"),
        (reset, "connection reset before an answer"),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Le"), "connection closed in the middle of the answer"),
        (
            answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
            "connection closed in the middle of the answer",
        ),
        (
            answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"),
            "connection closed in the middle of the answer",
        ),
        (answering(b"SSH-2.0-OpenSSH_9.2\r\n"), "not an HTTP answer: it begins with 'SSH-2.0-OpenSSH_9.2'"),
        (answering(b"\x00\x01\x02\xff" * 10), "not an HTTP answer: it begins with "),
        (answering(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"), "a broken HTTP answer: "),
        (
            answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n"),
            "a broken HTTP answer: ",
        ),
        (answering(b"HTTP/1.1 200 OK\r\n" + b"X-Long: x\r\n" * 10_000), "headers of more than 64 KiB"),
        (answering(b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000), "headers of more than 64 KiB"),
        (
            answering(page(b"no gzip at all", headers="Content-Encoding: gzip\r\n")),
            "the body is not valid gzip",
        ),
    ],
)
def test_what_a_broken_server_does_is_said_as_it_is(handler: Handler, reason: str) -> None:
    said, signals = seen(handler)
    assert said.startswith(reason)
    assert signals == {}


def test_nobody_at_the_port_is_a_refusal() -> None:
    for host in ("127.0.0.1", "localhost"):
        check = build(HTTP, {"http": f"http://{host}:{free_port()}/"})
        assert asyncio.run(outcome(check)) == ("connection refused", {})


def test_a_name_that_leads_nowhere_is_said_to() -> None:
    reason, _ = asyncio.run(outcome(build(HTTP, {"http": "http://nowhere.invalid/"}), limit_s=20.0))
    assert reason in ("no such host 'nowhere.invalid'", "the name 'nowhere.invalid' cannot be resolved now")


def test_a_silent_server_is_a_timeout() -> None:
    async def story() -> None:
        async with serving(stay_silent) as port:
            with pytest.raises(CheckFailed, match=r"^no answer within 0\.05 s$") as caught:
                await get(f"http://127.0.0.1:{port}/", Dialer(), timeout_s=0.05)
            assert caught.value.result == "timeout"

    asyncio.run(story())


def test_a_check_that_is_cancelled_lets_go_of_its_connection() -> None:
    gone = threading.Event()

    async def wait_for_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        gone.set()

    async def story() -> None:
        async with serving(wait_for_the_end) as port:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await build(HTTP, {"http": f"http://127.0.0.1:{port}/"}).run()
            assert await asyncio.to_thread(gone.wait, 5.0)

    asyncio.run(story())


# --- the forms of an answer ---


def test_a_chunked_body_in_small_pieces_is_put_together() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n":
            writer.write(bytes([byte]))
            await writer.drain()

    assert answer_of(drip).body == b"hello world"


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    assert answer_of(answering(b"HTTP/1.0 200 OK\r\n\r\nhello")).body == b"hello"


def test_interim_answers_are_passed_over() -> None:
    raw = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + page(b"real", "202 Accepted")
    response = answer_of(answering(raw))
    assert (response.status, response.body) == (202, b"real")
    assert "link" not in response.headers


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "101 Switching Protocols"])
def test_an_answer_without_a_body_is_complete_with_its_head(status: str) -> None:
    async def stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".encode())
        await reader.read(-1)

    assert answer_of(stay).status == int(status[:3])


def test_head_waits_for_no_body() -> None:
    async def stay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HEAD / HTTP/1.1\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        await reader.read(-1)

    response = answer_of(stay, method="HEAD")
    assert (response.status, response.body, response.headers["content-length"]) == (200, b"", "1000")


def test_headers_that_come_twice_are_joined() -> None:
    response = answer_of(answering(page(b"", headers="X-A: 1\r\nx-a: 2\r\n")))
    assert response.headers["x-a"] == "1, 2"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        pytest.param("gzip", gzip.compress(b"hello"), id="gzip"),
        pytest.param("deflate", zlib.compress(b"hello"), id="deflate"),
    ],
)
def test_a_packed_body_is_unpacked(encoding: str, packed: bytes) -> None:
    assert answer_of(answering(page(packed, headers=f"Content-Encoding: {encoding}\r\n"))).body == b"hello"


def test_a_body_is_read_up_to_a_limit_and_no_further() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    response = answer_of(endless)
    assert (len(response.body), response.truncated) == (MAX_BODY_BYTES, True)


def test_a_small_body_that_unpacks_to_a_huge_one_is_cut() -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    response = answer_of(answering(page(bomb, headers="Content-Encoding: gzip\r\n")))
    assert (len(response.body), response.truncated) == (MAX_BODY_BYTES, True)


# --- readiness ---


def test_a_probe_is_content_with_any_status_below_400() -> None:
    async def story(raw: bytes) -> None:
        async with serving(answering(raw)) as port:
            await probe_http(f"http://127.0.0.1:{port}/", 5.0, Dialer())

    asyncio.run(story(page(b"", "302 Found")))
    with pytest.raises(CheckFailed, match=r"^status 404, expected one below 400: nothing here$"):
        asyncio.run(story(page(b"nothing here", "404 Not Found")))
    with pytest.raises(CheckFailed, match=r"^status 500, expected one below 400$"):
        asyncio.run(story(page(b"", "500 Oops")))
