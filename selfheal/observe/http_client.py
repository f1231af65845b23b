"""What does an HTTP server answer to one request?

One request on one fresh connection, so that a full accept queue, a changed name or an expired certificate is seen.
No redirects, no cookies, no proxies: a check wants to know what this server says, not what the web makes of it.
Everything that an agent may do wrong ends in a CheckFailed with the words for it; what is read is bounded.
"""

from __future__ import annotations

import asyncio
import base64
import re
import ssl
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

import httptools

from selfheal.config.address import check_url
from selfheal.errors import CheckFailed
from selfheal.observe.dial import dial, in_words
from selfheal.observe.wording import excerpt, with_words

MAX_BODY_BYTES = 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024  # what nginx and Apache would send at most is a fraction of it

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_PATH_CHARS = "/%:@!$&'()*+,;=~"  # RFC 3986, 3.3; the percent sign since what is quoted already stays as it is
_NO_BODY_METHODS = ("GET", "HEAD", "OPTIONS", "DELETE")
_SHOWN_BYTES = 40  # enough to recognise the greeting of another protocol


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. Names of headers are lower case; `truncated` says that more than `MAX_BODY_BYTES` came."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool = False

    @property
    def text(self) -> str:
        """The body as UTF-8, what is not replaced by marks."""
        return self.body.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Request:
    """A request ready to be sent, as often as one likes. `tls` is None for plain http."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    payload: bytes = field(repr=False)  # it may hold a password
    wants_body: bool

    @classmethod
    def build(
        cls, url: str, *, method: str = "GET", headers: Iterable[tuple[str, str]] = (), body: bytes = b"",
        verify: bool = True,
    ) -> Request:  # fmt: skip
        """Prepare a request. A user and password in the URL are sent as Basic authorization.

        Raises ValueError, which does not repeat the URL, where it cannot be asked.
        """
        parts = urlsplit(check_url(url))
        host = _ascii_host(parts.hostname or "")
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        lines = {
            "host": _host_header(host, parts.port),
            "user-agent": "selfheal",
            "accept": "*/*",
            "accept-encoding": "identity",
        }
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            lines["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        if body or method not in _NO_BODY_METHODS:
            lines["content-length"] = str(len(body))
        lines |= {name.lower(): value for name, value in headers}
        lines["connection"] = "close"
        target = quote(parts.path or "/", safe=_PATH_CHARS) + _query(parts.query)
        payload = _head(f"{method} {target} HTTP/1.1", lines) + body
        return cls(host, port, _tls(verify) if secure else None, payload, wants_body=method != "HEAD")


async def get(
    url: str, *, timeout_s: float, method: str = "GET", headers: Iterable[tuple[str, str]] = (), body: bytes = b"",
    verify: bool = True,
) -> Response:  # fmt: skip
    """Ask once within the time. Raises CheckFailed where there is no answer, ValueError where it cannot be asked."""
    request = Request.build(url, method=method, headers=headers, body=body, verify=verify)
    try:
        async with asyncio.timeout(timeout_s):
            return await exchange(request)
    except TimeoutError:
        raise CheckFailed(f"no answer within {timeout_s:g} s", "timeout") from None


async def probe_http(url: str, timeout_s: float) -> None:
    """Return where the URL answers with a status below 400 within the time; raises CheckFailed else."""
    response = await get(url, timeout_s=timeout_s)
    if response.status >= 400:
        raise CheckFailed(with_words(f"status {response.status}, expected one below 400", response.text))


async def exchange(request: Request) -> Response:
    """Send a request and return the answer to it. Raises CheckFailed; the caller bounds the time."""
    sock = await dial(request.host, request.port)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Response | CheckFailed] = loop.create_future()
    try:
        transport, _ = await loop.create_connection(
            lambda: _Conversation(request, answer),
            sock=sock,
            ssl=request.tls,
            server_hostname=request.host if request.tls is not None else None,
        )
    except ssl.SSLCertVerificationError as why:
        raise CheckFailed(f"the certificate is not to be trusted: {why.verify_message}") from why
    except ssl.SSLError as why:
        raise CheckFailed(f"no TLS connection: {_tls_reason(why)}") from why
    except OSError as why:
        raise in_words(why) from why
    try:
        outcome = await answer
    finally:
        transport.abort()
    if isinstance(outcome, CheckFailed):
        raise outcome
    return outcome


class _Conversation(asyncio.Protocol):
    """One request and what comes back, fed to the parser until it is complete, broken or too much."""

    def __init__(self, request: Request, answer: asyncio.Future[Response | CheckFailed]) -> None:
        self._request = request
        self._answer = answer
        self._parser = httptools.HttpResponseParser(self)
        self._first = b""
        self._head_bytes = 0
        self._headers: dict[str, str] = {}
        self._status: int | None = None  # known once the head is complete
        self._body = bytearray()

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request.payload)

    def data_received(self, data: bytes) -> None:
        if self._answer.done():
            return
        self._first = self._first or data[:_SHOWN_BYTES]
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._finish()
        except httptools.HttpParserError as why:
            self._fail(self._broken(why))
        if self._status is None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._fail(f"headers of more than {MAX_HEAD_BYTES // 1024} KiB")

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer.done():
            return
        if self._status is not None and exc is None and self._ends_with_connection():
            self._finish()
        elif not self._first:
            reset = isinstance(exc, ConnectionResetError)
            self._fail(f"connection {'reset' if reset else 'closed'} before an answer", "unreachable")
        else:
            self._fail("connection closed in the middle of the answer")

    # --- the parser's callbacks: called from within feed_data, and what they would raise it would rename ---

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if not self._request.wants_body:
            self._finish()

    def on_body(self, body: bytes) -> None:
        self._body += body
        if len(self._body) > MAX_BODY_BYTES:
            self._finish()

    def on_message_complete(self) -> None:
        if self._status is not None and 100 <= self._status < 200 and self._status != 101:
            self._status = None  # an interim answer, such as 103 Early Hints: the real one follows
            self._headers.clear()
        else:
            self._finish()

    # --- the outcome ---

    def _finish(self) -> None:
        if self._answer.done() or self._status is None:
            return
        try:
            body = _decoded(bytes(self._body), self._headers.get("content-encoding", ""))
        except zlib.error:
            self._fail("the body is not valid gzip")
            return
        truncated = max(len(self._body), len(body)) > MAX_BODY_BYTES
        self._answer.set_result(Response(self._status, self._headers, body[:MAX_BODY_BYTES], truncated))

    def _fail(self, reason: str, cause: str = "wrong_answer") -> None:
        if not self._answer.done():
            self._answer.set_result(CheckFailed(reason, cause=cause))

    def _broken(self, why: httptools.HttpParserError) -> str:
        if self._status is None and not self._first.startswith(b"HTTP/"):
            return f"not an HTTP answer: it begins with {excerpt(self._first.decode('latin-1'))!r}"
        return f"a broken HTTP answer: {why}"

    def _ends_with_connection(self) -> bool:
        return "content-length" not in self._headers and "transfer-encoding" not in self._headers


def _decoded(body: bytes, encoding: str) -> bytes:
    """At most one byte more than the limit, however much a small body would unpack to."""
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate") or not body:
        return body
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, MAX_BODY_BYTES + 1)


def _head(first: str, lines: Mapping[str, str]) -> bytes:
    for name, value in lines.items():
        if _TOKEN.fullmatch(name) is None or not value.isprintable() or not value.isascii():
            raise ValueError(f"{name!r} is not a header that can be sent; write printable ASCII on one line")
    return "\r\n".join([first, *(f"{name}: {value}" for name, value in lines.items()), "", ""]).encode("ascii")


def _ascii_host(host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as why:
        raise ValueError(f"{host!r} is not the name of a host; write one such as 'example.org'") from why


def _host_header(host: str, port: int | None) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def _query(query: str) -> str:
    return f"?{quote(query, safe=_PATH_CHARS + '?')}" if query else ""


@lru_cache(maxsize=2)
def _tls(verify: bool) -> ssl.SSLContext:
    """One context for all: reading the certificates of the machine takes 20 ms and half a megabyte each time."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _tls_reason(why: ssl.SSLError) -> str:
    return why.reason.lower().replace("_", " ") if why.reason else str(why)
