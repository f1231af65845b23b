"""Does the WebSocket check see what real servers do, well or badly?"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from pathlib import Path

import pytest
from pydantic import ValidationError
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from selfheal.observe.websocket import WEBSOCKET
from tests.real.certificates import self_signed, server_side, trusting
from tests.real.daemon_process import free_port
from tests.real.servers import Handler, answering, build, outcome, page, serving, told

Talk = Callable[[ServerConnection], Awaitable[None]]


def seen(talk: Talk, table: Mapping[str, object] | None = None) -> tuple[str, Mapping[str, float]]:
    """What a check says of a server that talks like this."""

    async def story() -> tuple[str, Mapping[str, float]]:
        async with serve(talk, "127.0.0.1", 0, process_request=gate) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            return await outcome(build(WEBSOCKET, {"websocket": f"ws://127.0.0.1:{port}/live?a=1", **(table or {})}))

    return asyncio.run(story())


def seen_raw(handler: Handler) -> tuple[str, str | None]:
    async def story() -> tuple[str, str | None]:
        async with serving(handler) as port:
            check = build(WEBSOCKET, {"websocket": f"ws://127.0.0.1:{port}/"})
            reason, _, named = await told(check)
            return reason, named

    return asyncio.run(story())


def gate(connection: ServerConnection, request: Request) -> Response | None:
    if request.headers.get("X-Token", "sesame") != "sesame":
        return connection.respond(HTTPStatus.FORBIDDEN, "not with this token\n")
    return None


async def echo(connection: ServerConnection) -> None:
    await connection.send('{"hello": "world"}')
    async for message in connection:
        await connection.send(b"heard " + (message if isinstance(message, bytes) else message.encode()))


def closing(code: int, reason: str) -> Talk:
    async def talk(connection: ServerConnection) -> None:
        await connection.close(code, reason)

    return talk


def test_a_server_that_answers_a_ping_is_well_and_the_time_is_measured() -> None:
    reason, signals = seen(echo)
    assert (reason, list(signals)) == ("", ["latency"])
    assert 0 < signals["latency"] < 5
    assert seen(echo, {"send": "anything"})[0] == ""


@pytest.mark.parametrize("expect", ["world", "heard ping", "/^heard p.ng$/"])
def test_a_message_is_found_among_others_in_text_or_in_bytes(expect: str) -> None:
    assert seen(echo, {"send": "ping", "expect": expect})[0] == ""


def test_a_message_in_many_parts_is_put_together() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send(["", "po", "", "ng"])
        await connection.wait_closed()

    assert seen(talk, {"expect": "/^pong$/"})[0] == ""


def test_a_message_that_is_not_the_expected_one_is_told_rather_than_that_the_time_is_over() -> None:
    reason, _ = seen(echo, {"send": "ping", "expect": "pong", "timeout": "200ms"})
    assert reason == "expected 'pong', the last message is 'heard ping'"


def test_a_stream_of_other_messages_is_not_listened_to_for_ever() -> None:
    async def talk(connection: ServerConnection) -> None:
        while True:
            await connection.send("tick")
            await asyncio.sleep(0)

    assert seen(talk, {"expect": "pong"})[0] == "expected 'pong', the last message is 'tick'"


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (1011, "database is gone", "closed by the server with code 1011: database is gone"),
        (1000, "", "closed by the server with code 1000"),
    ],
)
def test_a_close_is_told_with_its_code_and_reason(code: int, words: str, reason: str) -> None:
    assert seen(closing(code, words))[0] == reason
    assert seen(closing(code, words), {"expect": "pong"})[0] == reason


def test_a_message_that_is_too_large_is_not_read() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send("x" * (1024 * 1024 + 1))
        await connection.wait_closed()

    assert seen(talk, {"expect": "pong"})[0] == "a message of more than 1024 KiB"


def test_parts_that_are_too_large_together_are_not_read() -> None:
    async def talk(connection: ServerConnection) -> None:
        await connection.send(["x" * 65536] * 17)
        await connection.wait_closed()

    assert seen(talk, {"expect": "pong"})[0] == "a message of more than 1024 KiB"


def test_headers_are_sent_and_what_is_refused_is_told_with_its_status() -> None:
    assert seen(echo, {"headers": {"X-Token": "sesame"}})[0] == ""
    reason, _ = seen(echo, {"headers": {"X-Token": "wrong"}})
    assert reason == "status 403, expected 101 and a WebSocket: not with this token"


def test_what_is_no_websocket_is_told() -> None:
    assert seen_raw(answering(page(b"Welcome!"))) == (
        "status 200, expected 101 and a WebSocket: Welcome!",
        "wrong_answer",
    )
    assert seen_raw(answering(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")) == (
        "not a valid HTTP answer: it begins with 'SSH-2.0-OpenSSH_9.2'",
        "wrong_answer",
    )
    assert seen_raw(answering(b"")) == ("connection closed before an answer", "unreachable")
    assert seen_raw(answering(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"))[0].startswith("no WebSocket handshake: ")


def test_a_connection_that_breaks_off_is_told() -> None:
    async def talk(connection: ServerConnection) -> None:
        connection.transport.abort()

    assert seen(talk)[0] in ("connection closed without a word", "connection reset by the other side")


def test_a_broken_frame_is_told() -> None:
    async def talk(connection: ServerConnection) -> None:
        connection.transport.write(b"\xff\xff\xff")
        await connection.wait_closed()

    assert seen(talk)[0].startswith("a broken WebSocket answer: ")


def test_nobody_at_the_port_is_a_refusal() -> None:
    check = build(WEBSOCKET, {"websocket": f"ws://127.0.0.1:{free_port()}/"})
    assert asyncio.run(outcome(check)) == ("connection refused", {})


def test_over_tls_the_certificate_must_be_trusted(tmp_path: Path) -> None:
    async def story(tls: ssl.SSLContext) -> None:
        async with serve(echo, "127.0.0.1", 0, ssl=tls) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            table = {"websocket": f"wss://localhost:{port}/"}
            reason, _ = await outcome(build(WEBSOCKET, table))
            assert reason == "the certificate is self-signed"
            assert (await outcome(build(WEBSOCKET, {**table, "verify": False})))[0] == ""
            with trusting(tmp_path / "cert.pem"):
                assert (await outcome(build(WEBSOCKET, table)))[0] == ""

    asyncio.run(story(server_side(self_signed(tmp_path))))


@pytest.mark.parametrize(
    "table",
    [
        {"websocket": "http://:geheim@a/"},
        {"websocket": "ws://geheim@a/"},
        {"websocket": "ws://x:geheim@a:99999/"},
        {"websocket": "ws://x:geheim@a/#part"},
        {"websocket": "ws://x:geheim@/"},
        {"websocket": "ws://a/", "headers": {"Upgrade": "geheim"}},
        {"websocket": "ws://a/", "headers": {"Sec-WebSocket-Key": "geheim"}},
        {"websocket": "ws://a/", "headers": {"X": "geheim\r\nY: 1"}},
        {"websocket": "ws://a/", "expect": "/(/"},
    ],
)
def test_what_cannot_be_asked_is_refused_in_words_without_the_secret(table: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        WEBSOCKET.model.model_validate(table)
    assert all("geheim" not in error["msg"] for error in caught.value.errors())


def test_secrets_are_nowhere_to_be_read() -> None:
    check = build(WEBSOCKET, {"websocket": "ws://me:geheim@a/", "headers": {"X-Token": "sesame"}})
    assert "geheim" not in repr(check)
    assert "sesame" not in repr(check)
