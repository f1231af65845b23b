"""How do calls get to Render's API? One HTTP client for the life of the daemon, made when it is first needed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from pydantic import SecretStr

from selfheal.render.api import ANSWER_S, CONNECT_S, Answer, Request, Unanswered

if TYPE_CHECKING:
    import httpx

# A page of a hundred services or deploys is a tenth of this.
MAX_BYTES = 4 * 1024 * 1024


class HttpTransport:
    """The transport over HTTP. `url` is the address of the API, with its version."""

    def __init__(self, url: str, key: SecretStr) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._client: httpx.AsyncClient | None = None
        self._making = asyncio.Lock()

    async def __call__(self, request: Request, timeout_s: float) -> Answer:
        import httpx  # noqa: PLC0415 - 16 MB and 0.2 s that a daemon without such agents never needs

        client = await self._made()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(client, request)
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.PoolTimeout,
            httpx.InvalidURL,
            httpx.UnsupportedProtocol,
        ):
            raise Unanswered("no connection", sent=False) from None
        except (TimeoutError, httpx.TimeoutException):
            raise Unanswered(f"no answer within {timeout_s:g} s", sent=True) from None
        except httpx.HTTPError as why:
            raise Unanswered(f"the connection was lost ({type(why).__name__})", sent=True) from None

    async def close(self) -> None:
        """Close what is open; a call after that opens it again."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _made(self) -> httpx.AsyncClient:
        async with self._making:
            if self._client is None:
                # Certificates are read for it: 30 ms that are not the loop's.
                self._client = await asyncio.to_thread(_client)
            return self._client

    async def _exchange(self, client: httpx.AsyncClient, request: Request) -> Answer:
        headers = {"Authorization": f"Bearer {self._key.get_secret_value()}", "Accept": "application/json"}
        content = None
        if request.body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(request.body)
        url = f"{self._url}{request.path}"
        async with client.stream(
            request.method, url, params=dict(request.query), headers=headers, content=content
        ) as answer:
            read = bytearray()
            async for part in answer.aiter_bytes():
                read += part
                if len(read) > MAX_BYTES:
                    break
        told = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status_code, told, bytes(read))


def _client() -> httpx.AsyncClient:
    import httpx  # noqa: PLC0415 - as above

    return httpx.AsyncClient(timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S), follow_redirects=False)
