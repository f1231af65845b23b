"""What does an HTTP server answer when it is asked as a browser would ask: through a proxy, and where it leads to?

For the few checks that need it: a client that knows all of that, a thousand times slower than `HttpConnection`.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from selfheal.clock import Clock
from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.net.names import Names
from selfheal.observe.dial import cannot_connect, resolve
from selfheal.observe.http_config import HttpCheckConfig, judged
from selfheal.observe.http_request import MAX_BODY_BYTES, Response
from selfheal.observe.trust import no_tls, tls_context


class BrowsingCheck:
    """Signals: as of `HttpCheck`; `latency` is that of all answers together, and `redirects` how many came before the
    last.
    """

    def __init__(self, config: HttpCheckConfig, dialer: Dialer, clock: Clock) -> None:
        self._config = config
        self._names = dialer.names
        self._clock = clock

    async def run(self) -> Mapping[str, float]:
        began = self._clock.monotonic()
        response, redirects = await self._ask()
        took_s = self._clock.monotonic() - began
        signals = {"latency": took_s, "status": float(response.status), "redirects": float(redirects)}
        wrong = judged(self._config.expect, response, signals)
        if wrong is not None:
            raise wrong
        return signals

    async def _ask(self) -> tuple[Response, int]:
        try:
            connector = aiohttp.TCPConnector(resolver=_Resolver(self._names), use_dns_cache=False)
            async with aiohttp.ClientSession(connector=connector, raise_for_status=False, trust_env=False) as session:
                return await self._answer(session)
        except aiohttp.TooManyRedirects as why:
            raise CheckFailed(f"it redirects more than {self._config.redirects} times", cause="wrong_answer") from why
        except aiohttp.ClientConnectorError as why:
            raise _unconnected(why.host, why.os_error) from why
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError) as why:
            raise CheckFailed("connection closed in the middle of the answer", cause="unreachable") from why
        except aiohttp.ClientError as why:
            raise CheckFailed(f"no HTTP answer: {why}", cause="wrong_answer") from why

    async def _answer(self, session: aiohttp.ClientSession) -> tuple[Response, int]:
        config = self._config
        async with session.request(
            config.method,
            config.http,
            headers=config.plain_headers(),
            data=config.body.encode() or None,
            allow_redirects=config.redirects > 0,
            max_redirects=config.redirects + 1,
            proxy=config.proxy.get_secret_value() if config.proxy is not None else None,
            ssl=tls_context(config.verify, alpn="http/1.1"),
            timeout=aiohttp.ClientTimeout(total=None),  # the scheduler bounds the time
        ) as answer:
            body = await _at_most(answer.content, MAX_BODY_BYTES + 1)
            headers = {name.lower(): value for name, value in answer.headers.items()}
            truncated = len(body) > MAX_BODY_BYTES
            return Response(answer.status, headers, body[:MAX_BODY_BYTES], truncated), len(answer.history)


class _Resolver(AbstractResolver):
    """Names as everybody here has them resolved; the client's own way would be the loop's pool of threads."""

    def __init__(self, names: Names) -> None:
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in await resolve(self._names, host)
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        """There is nothing to be closed."""


def _unconnected(host: str, why: OSError) -> Exception:
    return no_tls(why, host) if isinstance(why, ssl.SSLError) else cannot_connect(host, why)


async def _at_most(stream: aiohttp.StreamReader, limit: int) -> bytes:
    body = b""
    while len(body) < limit and (more := await stream.read(limit - len(body))):
        body += more
    return body
