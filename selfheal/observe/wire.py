"""How does a check talk with a server, in the clear or over TLS, so that nothing of the talk stays behind?

One connection a check, gone when the block ends: with an answer, with a failure or cut off by the scheduler. No more is
held than was asked for and one read, so the longest answer is bounded by who asks; and each read lets the loop go
first, so that no server holds it up by being fast. What the other side does wrong is a CheckFailed; what lies with this
machine stays the OSError that it is.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.net.awaiting import ready
from selfheal.net.poller import READ, WRITE, Poller
from selfheal.observe.dial import dial, in_words
from selfheal.observe.tls_session import TlsSession
from selfheal.observe.wording import excerpt

_READ_BYTES = 64 * 1024
_MAX_LINE_BYTES = 4096  # protocols of lines allow 512 to 2000
_SHOWN_BYTES = 40  # enough to recognise the greeting of another protocol


@asynccontextmanager
async def connected(dialer: Dialer, host: str, port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """A connection to a server, over TLS from the start where a context is given.

    Raises CheckFailed; the caller bounds the time.
    """
    with await dial(dialer, host, port) as sock:
        wire = Wire(sock, dialer.poller)
        if tls is not None:
            await wire.encrypt(tls, host)
        yield wire


class Wire:
    """A connected, non-blocking socket, and what came on it and was not yet asked for.

    Each method raises CheckFailed or OSError; the caller bounds the time.
    """

    def __init__(self, sock: socket.socket, poller: Poller) -> None:
        self._sock = sock
        self._poller = poller
        self._session: TlsSession | None = None
        self._heard = bytearray()
        self.first = b""
        """How what the server said begins, at most 40 bytes."""

    @property
    def own_host(self) -> str:
        """The address of this side."""
        host: str = self._sock.getsockname()[0]
        return host

    @property
    def greeting(self) -> str:
        """`first` for a person to recognise it; empty where the server has said nothing."""
        return excerpt(self.first.decode("latin-1"))

    async def encrypt(self, tls: ssl.SSLContext, name: str) -> TlsSession:
        """Go on over TLS with a server of this name. Raises Distrusted where its certificate stands in the way.

        What came before and was not asked for could be anybody's: it is never read as if it had come through TLS
        (CVE-2011-0411).
        """
        if self._heard:
            said = excerpt(self._heard.decode(errors="replace"))
            raise CheckFailed(f"expected nothing before the TLS handshake, it said {said!r}", cause="wrong_answer")
        session = TlsSession(tls, name)
        while not session.shake_hands():
            await self._carry(session)
        await self._send(session.outgoing())
        self._session = session
        self.begin_anew()
        return session

    def begin_anew(self) -> None:
        """What comes from now on is another talk, with a `first` of its own."""
        self.first = b""

    async def send(self, data: bytes) -> None:
        """Hand all of `data` to the system, no faster than the server takes it in."""
        if self._session is not None and data:
            while not self._session.write(data):
                await self._carry(self._session)
            data = self._session.outgoing()
        await self._send(data)

    async def some(self) -> bytes:
        """What is there or comes next, some 64 KiB at most; nothing where the server has hung up."""
        if not self._heard:
            await self._fill()
        return self._take(len(self._heard))

    async def exactly(self, count: int) -> bytes:
        """So many bytes; who calls this has looked at the number."""
        while len(self._heard) < count:
            await self._fill_or_fail()
        return self._take(count)

    async def line(self) -> bytes:
        """A line without its end, at most 4 KiB of it."""
        while (end := self._heard.find(b"\n", 0, _MAX_LINE_BYTES)) < 0:
            if len(self._heard) >= _MAX_LINE_BYTES:
                raise CheckFailed(f"a line of more than {_MAX_LINE_BYTES // 1024} KiB", cause="wrong_answer")
            await self._fill_or_fail()
        return self._take(end + 1).rstrip(b"\r\n")

    def last_word(self, data: bytes) -> None:
        """Send it if that can be done at once; whoever says goodbye waits for nothing."""
        with suppress(OSError, CheckFailed):
            if self._session is not None:
                self._session.write(data)
                data = self._session.outgoing()
            self._sock.send(data)

    def cut_short(self) -> CheckFailed:
        """The failure that it is when the server hangs up while an answer is awaited."""
        if self.first:
            return CheckFailed("connection closed in the middle of the answer", cause="wrong_answer")
        return CheckFailed("connection closed before an answer", cause="unreachable")

    def _take(self, count: int) -> bytes:
        taken = bytes(self._heard[:count])
        del self._heard[:count]
        return taken

    async def _fill_or_fail(self) -> None:
        if not await self._fill():
            raise self.cut_short()

    async def _fill(self) -> int:
        more = await self._receive() if self._session is None else await self._decrypted(self._session)
        self._heard += more
        if len(self.first) < _SHOWN_BYTES:
            self.first = (self.first + more)[:_SHOWN_BYTES]
        return len(more)

    async def _decrypted(self, session: TlsSession) -> bytes:
        while (more := session.read(_READ_BYTES)) is None:
            await self._carry(session)
        return more

    async def _carry(self, session: TlsSession) -> None:
        """Send what TLS wants to say, and feed it with what comes next."""
        await self._send(session.outgoing())
        session.feed(await self._receive())

    async def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                await ready(self._poller, self._sock.fileno(), WRITE)
            except OSError as why:
                raise in_words(why) from why

    async def _receive(self) -> bytes:
        while True:
            await ready(self._poller, self._sock.fileno(), READ)
            try:
                return self._sock.recv(_READ_BYTES)
            except BlockingIOError:
                continue
            except OSError as why:
                raise in_words(why) from why
