"""What does an HTTP server answer, asked again and again?

One object a check: it owns its connection, sends the bytes that were made ready, and is driven by callbacks alone. A
connection is kept for the next request and renewed from time to time, and after every failure, so that a full accept
queue, a changed name or a new certificate is seen. Everything that a server may do wrong ends in a CheckFailed with the
words for it; what is read is bounded.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import httptools

from selfheal.errors import CheckFailed
from selfheal.net.poller import READ, WRITE
from selfheal.observe.certificate import Certificate
from selfheal.observe.dial import cannot_connect
from selfheal.observe.http_request import MAX_BODY_BYTES, Headers, Request, Response
from selfheal.observe.trust import no_tls
from selfheal.observe.wording import excerpt

if TYPE_CHECKING:
    from selfheal.net import Dialer, Dialing

# A kept connection is renewed at each so many requests, and when it is so old.
FRESH_EVERY = 20
FRESH_S = 300.0
MAX_HEAD_BYTES = 64 * 1024  # what nginx and Apache would send at most is a fraction of it
_MOST_BYTES = 2 * MAX_BODY_BYTES  # of an answer as it comes: chunks of a byte each are mostly frame
_READ_BYTES = 64 * 1024
_SHOWN_BYTES = 40  # enough to recognise the greeting of another protocol
_GZIPPED = (b"gzip", b"x-gzip", b"deflate")

Tell = Callable[[Response | None, Exception | None], None]
"""Gets the answer, or why there is none: CheckFailed, or OSError where that lies with this machine."""


class HttpConnection:
    """Asks one server one request, as often as one likes, never twice at a time."""

    __slots__ = (
        "_alive", "_asked", "_body", "_body_bytes", "_complete", "_dialer", "_dialing", "_fd", "_first", "_head",
        "_now", "_opened_at", "_parser", "_request", "_rest", "_sock", "_status", "_taken", "_tell", "certificate_ends",
    )  # fmt: skip

    def __init__(self, request: Request, dialer: Dialer) -> None:
        self._request = request
        self._dialer = dialer
        self._tell: Tell | None = None
        self._dialing: Dialing | None = None
        self._sock: socket.socket | None = None
        self._fd = -1
        self._opened_at = 0.0
        self._asked = 0
        self._rest = b""
        self._forget_answer()
        self.certificate_ends: float | None = None
        """Wall time at which the certificate of this connection expires, where it was looked at."""

    def ask(self, tell: Tell) -> None:
        """Send the request. `tell` is called exactly once, perhaps before this returns, unless it is given up."""
        self._tell = tell
        if self._sock is None or self._is_old():
            self._open()
        else:
            self._send()

    def give_up(self) -> None:
        """Tell nothing any more of what was asked."""
        self._tell = None
        self.close()

    def close(self) -> None:
        """Close the connection, if there is one: the next request goes over a fresh one."""
        if self._dialing is not None:
            self._dialing.give_up()
            self._dialing = None
        if self._sock is not None:
            self._dialer.poller.forget(self._fd)
            self._sock.close()
            self._sock = None
        self._rest = b""

    # --- the connection ---

    def _is_old(self) -> bool:
        return self._asked >= FRESH_EVERY or self._now() - self._opened_at > FRESH_S

    def _open(self) -> None:
        self.close()
        dialing = self._dialer.dial(self._request.host, self._request.port, self._connected)
        if not dialing.over:
            self._dialing = dialing

    def _connected(self, sock: socket.socket | None, failure: Exception | None) -> None:
        self._dialing = None
        if sock is None:
            assert failure is not None
            self._end(None, cannot_connect(self._request.host, failure))
            return
        request, poller = self._request, self._dialer.poller
        self._now = asyncio.get_running_loop().time
        self._opened_at = self._now()
        self._asked = 0
        self._forget_answer()
        if request.tls is None:
            self._sock, self._fd = sock, sock.fileno()
            poller.watch(self._fd, READ, self._readable)
            self._start()
            return
        self._sock = request.tls.wrap_socket(sock, server_hostname=request.host, do_handshake_on_connect=False)
        self._fd = self._sock.fileno()
        poller.watch(self._fd, READ, self._shake_hands)
        self._shake_hands()

    def _shake_hands(self) -> None:
        secure, request, poller = self._sock, self._request, self._dialer.poller
        assert isinstance(secure, ssl.SSLSocket)
        try:
            secure.do_handshake()
        except ssl.SSLWantReadError:
            poller.change(self._fd, READ, self._shake_hands)
        except ssl.SSLWantWriteError:
            poller.change(self._fd, WRITE, self._shake_hands)
        except ssl.SSLError as why:
            self._fail(no_tls(why, request.host))
        except OSError as why:
            self._fail(cannot_connect(request.host, why))
        else:
            self.certificate_ends = _expiry(secure)
            poller.change(self._fd, READ, self._readable)
            self._start()

    def _start(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._send()

    def _send(self) -> None:
        self._asked += 1
        self._rest = self._request.payload
        self._go_on_sending()

    def _go_on_sending(self) -> None:
        assert self._sock is not None
        whole = self._rest
        try:
            sent = self._sock.send(whole)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            sent = 0
        except OSError as why:
            self._lost(why)
            return
        self._rest = whole[sent:]
        if self._rest:
            self._dialer.poller.change(self._fd, READ | WRITE, self._ready)
        elif whole is not self._request.payload:
            self._dialer.poller.change(self._fd, READ, self._readable)

    def _ready(self) -> None:
        """While not all is sent yet: a server may answer before it has heard everything."""
        self._readable()
        if self._tell is not None and self._rest:
            self._go_on_sending()

    def _readable(self) -> None:
        sock = self._sock
        assert sock is not None
        try:
            data = sock.recv(_READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as why:
            self._lost(why)
            return
        if not data:
            self._lost(None)
        elif self._tell is None:  # nobody has asked for this, so it is no answer to the next question either
            self.close()
        else:
            self._take(data)
            if isinstance(sock, ssl.SSLSocket) and self._is_waiting_on(sock) and sock.pending():
                self._readable()  # what is decrypted already makes no socket readable

    def _is_waiting_on(self, sock: socket.socket) -> bool:
        return self._tell is not None and self._sock is sock

    def _lost(self, why: OSError | None) -> None:
        """The other side has closed or broken the connection."""
        if self._tell is None:
            self.close()
        elif not self._first and self._asked > 1:
            self._open()  # it had closed what was kept, which is its right
        elif isinstance(why, ssl.SSLError) and not isinstance(why, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            self._fail(no_tls(why, self._request.host))
        elif self._status is not None and why is None and self._ends_with_connection():
            self._alive = False
            self._finish()
        elif not self._first:
            reset = isinstance(why, ConnectionResetError)
            self._fail(f"connection {'reset' if reset else 'closed'} before an answer", "unreachable")
        else:
            self._fail("connection closed in the middle of the answer")

    # --- the answer ---

    def _forget_answer(self) -> None:
        self._first = b""
        self._taken = 0
        self._head: list[tuple[bytes, bytes]] = []
        self._status: int | None = None  # known once the head is complete
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._complete = False
        self._alive = False

    def _take(self, data: bytes) -> None:
        if not self._first:
            self._first = data
        self._taken += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._complete, self._alive = True, False
        except httptools.HttpParserError as why:
            if not self._complete:
                self._fail(self._broken(why))
                return
            self._alive = False  # the answer is whole, and what follows it is of no interest
        if self._complete:
            self._finish()
        elif self._body_bytes > MAX_BODY_BYTES:
            self._alive = False
            self._finish()
        elif self._status is None and self._taken > MAX_HEAD_BYTES:
            self._fail(f"headers of more than {MAX_HEAD_BYTES // 1024} KiB")
        elif self._taken > _MOST_BYTES:
            self._fail(f"an answer of more than {_MOST_BYTES // 1024} KiB")

    # The parser's callbacks: called from within feed_data, and what they would raise it would rename. What comes after
    # the answer in the same breath was not asked for.

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._complete:
            self._head.append((name, value))

    def on_headers_complete(self) -> None:
        if self._complete:
            self._alive = False
            return
        self._status = self._parser.get_status_code()
        self._alive = self._request.keeps and self._parser.should_keep_alive()
        if not self._request.wants_body:
            self._complete = True

    def on_body(self, body: bytes) -> None:
        if not self._complete:
            self._body.append(body)
            self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        if self._status is not None and 100 <= self._status < 200 and self._status != 101:
            self._status = None  # an interim answer, such as 103 Early Hints: the real one follows
            self._head = []
        else:
            self._complete = True

    # --- the outcome ---

    def _finish(self) -> None:
        body = b"".join(self._body)
        try:
            body = _decoded(body, self._header(b"content-encoding"))
        except zlib.error:
            self._fail("the body is not valid gzip")
            return
        truncated = max(self._body_bytes, len(body)) > MAX_BODY_BYTES
        assert self._status is not None
        self._end(Response(self._status, Headers(self._head), body[:MAX_BODY_BYTES], truncated), None)

    def _fail(self, failure: Exception | str, cause: str = "wrong_answer") -> None:
        self._alive = False
        self._end(None, CheckFailed(failure, cause=cause) if isinstance(failure, str) else failure)

    def _end(self, response: Response | None, failure: Exception | None) -> None:
        tell, self._tell = self._tell, None
        if not self._alive or self._rest:
            self.close()
        self._forget_answer()
        if tell is not None:
            tell(response, failure)

    def _broken(self, why: httptools.HttpParserError) -> str:
        if self._status is None and not self._first.startswith(b"HTTP/"):
            said = excerpt(self._first[:_SHOWN_BYTES].decode("latin-1"))
            return f"not an HTTP answer: it begins with {said!r}"
        return f"a broken HTTP answer: {why}"

    def _ends_with_connection(self) -> bool:
        return not self._header(b"content-length") and not self._header(b"transfer-encoding")

    def _header(self, wanted: bytes) -> bytes:
        """The value of a header, named in lower case."""
        size = len(wanted)
        for name, value in self._head:
            if len(name) == size and name.lower() == wanted:
                return value
        return b""


def _decoded(body: bytes, encoding: bytes) -> bytes:
    """At most one byte more than the limit, however much a small body would unpack to."""
    if not encoding or encoding.strip().lower() not in _GZIPPED or not body:
        return body
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, MAX_BODY_BYTES + 1)


def _expiry(secure: ssl.SSLSocket) -> float | None:
    try:
        return Certificate.read(secure.getpeercert(binary_form=True) or b"").not_after
    except ValueError:  # it was accepted all the same: with `verify = false` anything is
        return None
