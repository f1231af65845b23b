"""How does a coroutine ask an HTTP server once?

For what is asked now and then: one request on one fresh connection. No redirects, no cookies, no proxies: who asks
wants to know what this server says, not what the web makes of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.net.awaiting import Answer
from selfheal.observe.http_connection import HttpConnection
from selfheal.observe.http_request import Request, Response
from selfheal.observe.wording import with_words


async def exchange(request: Request, dialer: Dialer) -> Response:
    """Send a request and return the answer to it. Raises CheckFailed; the caller bounds the time."""
    answer: Answer[Response] = Answer()
    connection = HttpConnection(request, dialer)
    try:
        connection.ask(answer.tell)
        return await answer.wait()
    finally:
        connection.give_up()


async def get(
    url: str, dialer: Dialer, *, timeout_s: float, method: str = "GET", headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"", verify: bool = True,
) -> Response:  # fmt: skip
    """Ask once within the time. Raises CheckFailed where there is no answer, ValueError where it cannot be asked."""
    request = Request.build(url, method=method, headers=headers, body=body, verify=verify)
    try:
        async with asyncio.timeout(timeout_s):
            return await exchange(request, dialer)
    except TimeoutError:
        raise CheckFailed(f"no answer within {timeout_s:g} s", "timeout") from None


async def probe_http(url: str, timeout_s: float, dialer: Dialer) -> None:
    """Return where the URL answers with a status below 400 within the time; raises CheckFailed else."""
    response = await get(url, dialer, timeout_s=timeout_s)
    if response.status >= 400:
        raise CheckFailed(with_words(f"status {response.status}, expected one below 400", response.text))
