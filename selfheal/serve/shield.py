"""What stands around every answer, before anything else looks at the request?

The date and the security headers, the Host check that keeps other sites' scripts from a loopback address (DNS
rebinding), and the limit of a body's size. It also notes through which door a request came: who may what hangs on the
listener, never on the peer's address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfheal.clock import Clock
from selfheal.config.address import is_loopback
from selfheal.serve.problems import answer

MAX_BODY = 1_000_000  # 1 MB; Alertmanager's largest posts are a few hundred kilobytes
TRUSTED = "selfheal.trusted"

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_HOST = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]+)?")


class Door:
    """Marks every request with the listener that took it. No client can set this mark."""

    def __init__(self, app: ASGIApp, *, trusted: bool) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, TRUSTED: self._trusted}, receive, send)


def came_through_trusted_door(scope: Scope) -> bool:
    """Whether the request came over the Unix socket, which only the daemon's own user can open."""
    return scope.get(TRUSTED) is True


class Shield:
    """The outermost layer. `loopback` says that the TCP listener is on a loopback address."""

    def __init__(self, app: ASGIApp, clock: Clock, *, loopback: bool) -> None:
        self._app = app
        self._clock = clock
        self._loopback = loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _complete(MutableHeaders(scope=message), self._clock.now())
            await send(message)

        headers = Headers(scope=scope)
        if self._loopback and not came_through_trusted_door(scope) and not _names_loopback(headers.get("host", "")):
            no = answer(
                400, "foreign_host", "cannot answer: on a loopback address the Host header must be a loopback name"
            )
            await no(scope, receive, send_with_headers)
            return
        body = await _body(headers, receive)
        if body is None:
            no = answer(413, "body_too_large", f"cannot take the body: it is larger than {MAX_BODY} bytes")
            no.headers["Connection"] = "close"  # the rest of the body is not read
            await no(scope, receive, send_with_headers)
            return
        await self._app(scope, _replay(body, receive), send_with_headers)


def _complete(headers: MutableHeaders, now: float) -> None:
    headers.setdefault("Date", formatdate(now, usegmt=True))
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


def _names_loopback(host: str) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["v6"] or match["name"].removesuffix(".")
    return is_loopback(name) or name.lower().endswith(".localhost")


async def _body(headers: Headers, receive: Receive) -> list[Message] | None:
    """Take in the whole body, however it is sent; None where it is too large."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY:
        return None
    if not declared and "transfer-encoding" not in headers:
        return []
    taken: list[Message] = []
    size = 0
    while not taken or (taken[-1]["type"] == "http.request" and taken[-1].get("more_body", False)):
        taken.append(await receive())
        size += len(taken[-1].get("body", b""))
        if size > MAX_BODY:
            return None
    return taken


def _replay(taken: list[Message], receive: Receive) -> Receive:
    waiting = iter(taken)

    async def replay() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return replay
