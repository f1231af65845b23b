"""What is sent to an HTTP server, and what comes back?

A request is put into bytes once, when its check is built, and sent as often as one likes.
"""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

import msgspec

from selfheal.config.address import check_url
from selfheal.observe.trust import tls_context

MAX_BODY_BYTES = 1024 * 1024

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_PATH_CHARS = "/%:@!$&'()*+,;=~"  # RFC 3986, 3.3; the percent sign since what is quoted already stays as it is
_NO_BODY_METHODS = ("GET", "HEAD", "OPTIONS", "DELETE")
# Only what may be sent twice goes over a connection that the server may be about to close (RFC 9112, 9.3.1).
_REPEATABLE = ("GET", "OPTIONS")


class Headers(Mapping[str, str]):
    """The headers of an answer, read when one is asked for. Names are lower case; several of a name are joined."""

    __slots__ = ("_raw", "_read")

    def __init__(self, raw: Sequence[tuple[bytes, bytes]]) -> None:
        self._raw = raw
        self._read: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, str]:
        if self._read is None:
            self._read = {}
            for name, value in self._raw:
                key, text = name.decode("latin-1").lower(), value.decode("latin-1")
                self._read[key] = f"{self._read[key]}, {text}" if key in self._read else text
        return self._read


class Response(msgspec.Struct, frozen=True):
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
    wants_body: bool = True
    keeps: bool = False
    """Whether the connection may be used again for the same request."""

    @classmethod
    def build(
        cls, url: str, *, method: str = "GET", headers: Iterable[tuple[str, str]] = (), body: bytes = b"",
        verify: bool = True, keep_alive: bool = False,
    ) -> Request:  # fmt: skip
        """Prepare a request. A user and password in the URL are sent as Basic authorization.

        With `keep_alive` the connection may be used again, where it is a request that may be sent twice.

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
        keeps = keep_alive and method in _REPEATABLE and not body
        lines["connection"] = "keep-alive" if keeps else "close"
        target = quote(parts.path or "/", safe=_PATH_CHARS) + _query(parts.query)
        payload = _head(f"{method} {target} HTTP/1.1", lines) + body
        return cls(
            host, port, tls_context(verify, alpn="http/1.1") if secure else None, payload, method != "HEAD", keeps
        )


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
