"""Does the HTTP check send what it is configured to send, and refuse what cannot be sent?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from pydantic import ValidationError

from selfheal.observe.http import HTTP
from tests.real.servers import build, outcome, page, serving


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
    assert headers["connection"] == "keep-alive"
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
    table = {"http": "http://a.example/", "headers": {"X-Key": "hush"}}
    config = HTTP.model.model_validate(table)
    assert "hush" not in repr(config) + config.model_dump_json() + repr(build(HTTP, table))


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
