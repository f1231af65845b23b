"""How does a check talk with a server so that nothing of the talk stays behind?

One connection a check, plain or over TLS, gone when the block ends: with an answer, with a failure or cut off by the
scheduler. No more is read than was asked for, so the longest answer is bounded by who asks. What the other side does
wrong is a CheckFailed; what lies with this machine stays the OSError that it is.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache

from selfheal.errors import CheckFailed
from selfheal.observe.dial import dial, in_words
from selfheal.observe.wording import excerpt

CHUNK_BYTES = 64 * 1024  # read at once, and the longest line
_SHOWN_BYTES = 40  # enough to recognise the greeting of another protocol


class Stream:
    """A connection to a server. Each method raises CheckFailed or OSError; the caller bounds the time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.first = b""
        """How what the server said begins, at most 40 bytes."""

    @property
    def greeting(self) -> str:
        """The same for a person to recognise it; empty where the server has said nothing."""
        return excerpt(self.first.decode("latin-1"))

    async def send(self, data: bytes) -> None:
        """Send it, no faster than the server takes it in."""
        self._writer.write(data)
        await self._writer.drain()

    async def some(self) -> bytes:
        """What is there or comes next, at most 64 KiB; nothing where the server has hung up."""
        return self._noted(await self._reader.read(CHUNK_BYTES))

    async def exactly(self, count: int) -> bytes:
        """So many bytes; who calls this has looked at the number."""
        try:
            return self._noted(await self._reader.readexactly(count))
        except asyncio.IncompleteReadError as why:
            raise self.cut_short(why.partial) from why

    async def line(self) -> bytes:
        """A line without its end, at most 64 KiB of it."""
        try:
            return self._noted(await self._reader.readuntil(b"\n")).rstrip(b"\r\n")
        except asyncio.IncompleteReadError as why:
            raise self.cut_short(why.partial) from why
        except asyncio.LimitOverrunError as why:
            self._noted(await self._reader.read(_SHOWN_BYTES))
            raise CheckFailed(f"a line of more than {CHUNK_BYTES // 1024} KiB", cause="wrong_answer") from why

    def last_word(self, data: bytes) -> None:
        """Send it if that can be done at once; whoever says goodbye waits for nothing."""
        if not self._writer.is_closing():
            self._writer.write(data)

    def cut_short(self, partial: bytes = b"") -> CheckFailed:
        """The failure that it is when the server hangs up while an answer is awaited."""
        if self._noted(partial) or self.first:
            return CheckFailed("connection closed in the middle of the answer", cause="wrong_answer")
        return CheckFailed("connection closed before an answer", cause="unreachable")

    def _noted(self, data: bytes) -> bytes:
        if len(self.first) < _SHOWN_BYTES:
            self.first = (self.first + data)[:_SHOWN_BYTES]
        return data


@asynccontextmanager
async def connected(host: str, port: int, tls: ssl.SSLContext | None) -> AsyncIterator[Stream]:
    """A connection to a server, over TLS where a context is given. Raises CheckFailed; the caller bounds the time."""
    async with conversing(await dial(host, port), host, tls) as stream:
        yield stream


@asynccontextmanager
async def conversing(sock: socket.socket, host: str, tls: ssl.SSLContext | None) -> AsyncIterator[Stream]:
    """The same over a socket that is connected already, which is closed with the block."""
    try:
        name = host if tls is not None else None
        reader, writer = await asyncio.open_connection(sock=sock, limit=CHUNK_BYTES, ssl=tls, server_hostname=name)
        try:
            yield Stream(reader, writer)
        finally:
            writer.transport.abort()
    except ssl.SSLCertVerificationError as why:
        raise CheckFailed(f"the certificate is not to be trusted: {why.verify_message}") from why
    except ssl.SSLError as why:
        raise CheckFailed(f"no TLS connection: {why.reason.lower().replace('_', ' ') if why.reason else why}") from why
    except OSError as why:
        raise in_words(why) from why


@lru_cache(maxsize=8)
def tls_context(verify: bool = True, alpn: str = "", check_name: bool = True) -> ssl.SSLContext:
    """One context for all that ask alike: reading the certificates of the machine takes 20 ms and half a megabyte."""
    context = ssl.create_default_context()
    if alpn:
        context.set_alpn_protocols([alpn])
    context.check_hostname = verify and check_name
    if not verify:
        context.verify_mode = ssl.CERT_NONE
    return context
