"""Does the HTTP check see what real servers do, well or badly?"""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import zlib
from collections.abc import Awaitable, Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import ValidationError

from selfheal.errors import CheckFailed
from selfheal.observe import http_client
from selfheal.observe.http import HTTP
from selfheal.observe.http_client import MAX_BODY_BYTES, Response, get, probe_http
from tests.real.servers import Handler, answering, build, free_port, outcome, page, serving


def seen(handler: Handler, table: Mapping[str, object] | None = None) -> tuple[str, Mapping[str, float]]:
    """What a check says of a server."""

    async def story() -> tuple[str, Mapping[str, float]]:
        async with serving(handler) as port:
            return await outcome(build(HTTP, {"http": f"http://127.0.0.1:{port}/health", **(table or {})}))

    return asyncio.run(story())


def answer_of(handler: Handler, path: str = "/", method: str = "GET", body: bytes = b"") -> Response:
    async def story() -> Response:
        async with serving(handler) as port:
            return await get(f"http://127.0.0.1:{port}{path}", timeout_s=5.0, method=method, body=body)

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
                await get(f"http://127.0.0.1:{port}/", timeout_s=0.05)
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
    ("encoding", "packed"), [("gzip", gzip.compress(b"hello")), ("deflate", zlib.compress(b"hello"))]
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


# --- what is sent ---


def sent(table: Mapping[str, object], path: str = "/", user: str = "") -> tuple[str, dict[str, str], bytes]:
    """The request line, the headers and the body that arrive."""
    arrived: list[bytes] = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        arrived.extend((head, await reader.readexactly(length)))
        writer.write(page(b""))
        await writer.drain()

    async def story() -> None:
        async with serving(keep) as port:
            reason, _ = await outcome(build(HTTP, {"http": f"http://{user}127.0.0.1:{port}{path}", **table}))
            assert reason == ""

    asyncio.run(story())
    first, *lines = arrived[0].decode().strip().split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), arrived[1]


def test_a_request_says_what_a_server_needs_to_know() -> None:
    first, headers, body = sent({}, path="/ab?q=ü&r=%20")
    assert first == "GET /ab?q=%C3%BC&r=%20 HTTP/1.1"
    assert headers["host"].startswith("127.0.0.1:")
    assert headers["connection"] == "close"
    assert "content-length" not in headers
    assert body == b""


def test_method_headers_and_body_are_sent_as_configured() -> None:
    table = {"method": "POST", "headers": {"Authorization": "Bearer abc", "Host": "shop.example"}, "body": "ping ü"}
    first, headers, body = sent(table, path="/x")
    assert first == "POST /x HTTP/1.1"
    assert headers["authorization"] == "Bearer abc"
    assert headers["host"] == "shop.example"
    assert body == "ping ü".encode()


def test_a_user_in_the_url_is_sent_as_basic_authorization() -> None:
    _, headers, _ = sent({}, user="me:p%40ss@")
    assert headers["authorization"] == "Basic bWU6cEBzcw=="
    assert "p%40ss" not in headers["host"]


def test_headers_are_shown_to_nobody() -> None:
    config = HTTP.model.model_validate({"http": "http://a.example/", "headers": {"X-Key": "hush"}})
    assert "hush" not in repr(config) + config.model_dump_json()


@pytest.mark.parametrize(
    "table",
    [
        {"http": "ftp://a.example/"},
        {"http": "http:///x"},
        {"http": "http://a.example:99999/"},
        {"http": "http://me:hush@a.example:port/"},
        {"http": "http://a.example/ b"},
        {"http": "http://a.example/", "headers": {"X-A": "hush\r\nX-B: 1"}},
        {"http": "http://a.example/", "headers": {"X A": "hush"}},
        {"http": "http://a.example/", "headers": {"X-A": "hush\N{SNOWMAN}"}},
        {"http": f"http://{'ü' * 80}.example/"},
        {"http": "http://a.example/", "method": "BREW"},
        {"http": "http://a.example/", "expect": {"statsu": 200}},
    ],
)
def test_what_cannot_be_asked_is_refused_before_it_is_asked_and_secrets_are_not_repeated(table: object) -> None:
    with pytest.raises(ValidationError) as caught:
        HTTP.model.model_validate(table)
    assert "hush" not in str(caught.value)


# --- readiness ---


def test_a_probe_is_content_with_any_status_below_400() -> None:
    async def story(raw: bytes) -> None:
        async with serving(answering(raw)) as port:
            await probe_http(f"http://127.0.0.1:{port}/", 5.0)

    asyncio.run(story(page(b"", "302 Found")))
    with pytest.raises(CheckFailed, match=r"^status 404, expected one below 400: nothing here$"):
        asyncio.run(story(page(b"nothing here", "404 Not Found")))
    with pytest.raises(CheckFailed, match=r"^status 500, expected one below 400$"):
        asyncio.run(story(page(b"", "500 Oops")))


# --- https ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody signed, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed, and nothing else here can make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    command = (
        f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost "
        f"-addext subjectAltName=DNS:localhost -keyout {folder}/key.pem -out {folder}/cert.pem"
    )
    subprocess.run(command.split(), check=True, capture_output=True, timeout=30)
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return both


def over_tls(certificate: Path, story: Callable[[int], Awaitable[None]], handler: Handler | None = None) -> None:
    async def run() -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        async with serving(handler or answering(page(b"ok")), tls) as port:
            # The server's own complaint about a client that hangs up is not what is tested.
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
            await story(port)

    asyncio.run(run())


def test_a_certificate_that_nobody_signed_is_not_trusted_unless_told_to(certificate: Path) -> None:
    async def story(port: int) -> None:
        table = {"http": f"https://localhost:{port}/", "expect": {"body": "ok"}}
        reason, _ = await outcome(build(HTTP, table))
        assert reason == "the certificate is not to be trusted: self-signed certificate"
        assert (await outcome(build(HTTP, {**table, "verify": False})))[0] == ""

    over_tls(certificate, story)


def test_a_trusted_certificate_is_accepted_for_its_own_names_only(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    http_client._tls.cache_clear()

    async def story(port: int) -> None:
        assert (await get(f"https://localhost:{port}/", timeout_s=5.0)).body == b"ok"
        with pytest.raises(CheckFailed, match=r"^the certificate is not to be trusted: .*127\.0\.0\.1"):
            await get(f"https://127.0.0.1:{port}/", timeout_s=5.0)

    try:
        over_tls(certificate, story)
    finally:
        http_client._tls.cache_clear()


def test_plain_http_at_a_tls_port_and_the_other_way_round_are_said_as_they_are(certificate: Path) -> None:
    async def plain_at_tls(port: int) -> None:
        reason, _ = await outcome(build(HTTP, {"http": f"http://localhost:{port}/"}))
        assert reason.startswith(("connection closed", "connection reset", "not an HTTP answer"))

    async def tls_at_plain() -> None:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(page(b"ok"))
            await reader.read(-1)

        async with serving(speak) as port:
            reason, _ = await outcome(build(HTTP, {"http": f"https://localhost:{port}/", "verify": False}))
            assert reason.startswith("no TLS connection: ")

    over_tls(certificate, plain_at_tls)
    asyncio.run(tls_at_plain())
