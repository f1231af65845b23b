"""How is a URL called for a fix, and what of the answer is read?

Once, without redirects, within its time, and no more than the beginning of the answer. What is raised names the host
alone: a path, a query and a header may be secrets.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from selfheal.errors import FixFailed
from selfheal.kinds import HttpAnswer, HttpCall

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 64 * 1024


async def call_http(call: HttpCall) -> HttpAnswer:
    """Call a URL, as `kinds.CallHttp` says."""
    import httpx  # noqa: PLC0415 - 16 MB and 0.2 s that a daemon without such fixes never needs

    # Certificates are read for it: 30 ms that are not the loop's.
    client = await asyncio.to_thread(lambda: httpx.AsyncClient(timeout=call.timeout_s, follow_redirects=False))
    try:
        async with client, asyncio.timeout(call.timeout_s):
            return await _ask(client, call)
    except (TimeoutError, httpx.TimeoutException):
        raise FixFailed(f"cannot call {_host(call.url)}: no answer within {call.timeout_s:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as why:
        raise FixFailed(f"cannot call {_host(call.url)}: {_why(why)}") from None


async def _ask(client: httpx.AsyncClient, call: HttpCall) -> HttpAnswer:
    headers = {name: value.get_secret_value() for name, value in call.headers.items()}
    async with client.stream(call.method, call.url, headers=headers, content=call.body or None) as answer:
        read = bytearray()
        async for part in answer.aiter_bytes():
            read += part
            if len(read) >= MAX_BYTES:
                break
    return HttpAnswer(answer.status_code, bytes(read[:MAX_BYTES]).decode(errors="replace"))


def _why(why: Exception) -> str:
    """In words that repeat nothing of what was sent; a connection that failed tells nothing but why."""
    import httpx  # noqa: PLC0415 - as above

    if isinstance(why, httpx.ConnectError):
        return f"no connection ({why}); look whether it runs and the address is right"
    return f"{type(why).__name__}; look whether the URL and the headers of the fix are right"


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:
        return "the URL"
