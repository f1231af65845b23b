"""What stands around every answer, before anything else looks at the request?

The date and the security headers, the Host check that keeps other sites' scripts from a loopback address (DNS
rebinding), the limit of a body's size, counted as it comes, and HEAD wherever there is a GET. It also notes through
which door a request came: who may what hangs on the listener, never on the peer's address.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfheal.clock import Clock
from selfheal.config.address import is_loopback
from selfheal.serve.problems import Refusal, answer, too_large

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
        exchange = _Exchange(scope, receive, send, self._clock.now())
        refusal = self._refusal(scope)
        if refusal is not None:
            no = answer(refusal.status, refusal.code, str(refusal), headers=refusal.headers)
            await no(scope, exchange.receive, exchange.send)
        else:
            await self._app(exchange.scope, exchange.receive, exchange.send)

    def _refusal(self, scope: Scope) -> Refusal | None:
        """Why nobody needs to look at a request; None where somebody does."""
        headers = Headers(scope=scope)
        if self._loopback and not came_through_trusted_door(scope) and not _names_loopback(headers.get("host", "")):
            return Refusal(
                400, "foreign_host", "cannot answer: on a loopback address the Host header must be a loopback name"
            )
        if not (_is_text(scope["raw_path"]) and _is_text(scope["query_string"])):
            return Refusal(422, "invalid_request", "cannot read the request: its path or query is not UTF-8")
        declared = headers.get("content-length", "")
        return too_large(MAX_BODY) if declared.isdecimal() and int(declared) > MAX_BODY else None


class _Exchange:
    """One request and its answer on their way through the shield.

    A HEAD is asked inside as the GET that it stands for, and answered with the head of that answer alone.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, now: float) -> None:
        self._is_head = scope["method"] == "HEAD"
        self.scope: Scope = {**scope, "method": "GET"} if self._is_head else scope
        self._receive = receive
        self._send = send
        self._now = now
        self._taken = 0
        self._answered = False

    async def receive(self) -> Message:
        """Take in the next piece of the body, as far as there may be one. Raises Refusal where it is too large."""
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        if self._taken <= MAX_BODY:
            return message
        if self._answered:  # a stream that looks out for the client's end
            return {"type": "http.disconnect"}
        raise too_large(MAX_BODY)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._answered = True
            _complete(MutableHeaders(scope=message), self._now)
            await self._send(message)
            if self._is_head:
                await self._send({"type": "http.response.body", "body": b""})
        elif not self._is_head:
            await self._send(message)


def _complete(headers: MutableHeaders, now: float) -> None:
    headers.setdefault("Date", formatdate(now, usegmt=True))
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


def _is_text(escaped: bytes) -> bool:
    """Whether it is UTF-8 once its escapes are undone."""
    try:
        unquote_to_bytes(escaped).decode()
    except UnicodeDecodeError:
        return False
    return True


def _names_loopback(host: str) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["v6"] or match["name"].removesuffix(".")
    return is_loopback(name) or name.lower().endswith(".localhost")
