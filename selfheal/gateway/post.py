"""How does a push get to the gateway?

By POST, with the token in a header, over one connection that is kept. The client is made at the first push, in a
thread, so that a daemon without a gateway never loads it; what is raised repeats nothing of what was sent.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from pydantic import SecretStr

from selfheal.errors import SelfhealError
from selfheal.gateway.wire import MEDIA_TYPE, PATH

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 10.0


class GatewaySilent(SelfhealError):
    """The gateway cannot be reached, or did not answer in time."""


class Reply(NamedTuple):
    """What the gateway answered."""

    status: int
    body: bytes


class Poster:
    """Posts to one gateway."""

    def __init__(self, url: str, token: SecretStr) -> None:
        self._url = url.rstrip("/") + PATH
        self._token = token
        self._client: httpx.AsyncClient | None = None

    async def __call__(self, body: bytes) -> Reply:
        """Post one request. Raises GatewaySilent."""
        if self._client is None:
            self._client = await asyncio.to_thread(_new_client)
        import httpx  # noqa: PLC0415 - as below; by now it is there

        headers = {
            "Authorization": f"Bearer {self._token.get_secret_value()}",
            "Content-Type": MEDIA_TYPE,
        }
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._client.post(self._url, content=body, headers=headers)
        except (TimeoutError, httpx.TimeoutException):
            await self.close()  # what was cut without a word is not asked again
            raise GatewaySilent(f"no answer within {TIMEOUT_S:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as why:
            await self.close()
            raise GatewaySilent(f"no connection ({type(why).__name__})") from None
        return Reply(answer.status_code, answer.content)

    async def close(self) -> None:
        """Let go of the connection; the next push makes another."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _new_client() -> httpx.AsyncClient:
    """In a thread: to load it and to read its certificates takes time that is not the loop's."""
    import httpx  # noqa: PLC0415 - 16 MB and 0.2 s that a daemon without a gateway never needs

    return httpx.AsyncClient(timeout=TIMEOUT_S)
