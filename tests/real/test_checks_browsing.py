"""Does a check that follows redirects, or goes through a proxy, see what is there in the end?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from selfheal.observe.http import HTTP
from tests.real.servers import Handler, build, outcome, page, serving


def redirecting(to: Callable[[str], str | None]) -> Handler:
    """A server that sends each path on to another one, or answers where there is none."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1].decode()
        place = to(path)
        close = "Connection: close\r\n"
        if place is None:
            writer.write(page(b"arrived", headers=close))
        else:
            writer.write(page(b"", "302 Found", f"Location: {place}\r\n{close}"))
        await writer.drain()

    return handler


def steps(count: int) -> Callable[[str], str | None]:
    """`/0` leads to `/1`, and so on."""
    return lambda path: f"/{int(path[1:]) + 1}" if int(path[1:]) < count else None


def test_redirects_are_followed_to_their_end() -> None:
    async def story() -> None:
        async with serving(redirecting(steps(3))) as port:
            check = build(HTTP, {"http": f"http://127.0.0.1:{port}/0", "redirects": 3, "expect": {"body": "arrived"}})
            reason, signals = await outcome(check)
            assert (reason, signals["redirects"], signals["status"]) == ("", 3.0, 200.0)

    asyncio.run(story())


def test_too_many_are_told_and_so_is_a_ring() -> None:
    async def story() -> None:
        for to in (steps(4), lambda path: "/0"):
            async with serving(redirecting(to)) as port:
                reason, _ = await outcome(build(HTTP, {"http": f"http://127.0.0.1:{port}/0", "redirects": 3}))
                assert reason == "it redirects more than 3 times"

    asyncio.run(story())


def test_a_proxy_is_asked_in_place_of_the_server_with_its_own_password() -> None:
    heard: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(page(b"by proxy", headers="Connection: close\r\n"))
        await writer.drain()

    async def story() -> None:
        async with serving(proxy) as port:
            table = {
                "http": "http://nowhere.invalid/health",
                "proxy": f"http://me:secret@127.0.0.1:{port}",
                "expect": {"body": "by proxy"},
            }
            assert (await outcome(build(HTTP, table)))[0] == ""
            assert "secret" not in repr(HTTP.model.model_validate(table))

    asyncio.run(story())
    assert heard[0].startswith(b"GET http://nowhere.invalid/health HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " in heard[0]


def test_a_proxy_that_is_not_there_is_named_as_the_reason() -> None:
    async def story() -> None:
        table = {"http": "http://nowhere.invalid/", "proxy": "http://127.0.0.1:1"}
        assert (await outcome(build(HTTP, table)))[0] == "connection refused"

    asyncio.run(story())
