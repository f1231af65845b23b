"""How do two sides talk over a connected socket, in bytes, lines or parts of a known size?

All that is read is bounded, and what the other side does to the connection is a CheckFailed. A wire owns no socket:
who dialled closes it.
"""

from __future__ import annotations

import asyncio
import socket

from selfheal.errors import CheckFailed
from selfheal.observe.dial import in_words

_CHUNK_BYTES = 4096
_MAX_LINE_BYTES = 4096  # protocols of lines allow 512 to 2000


class Wire:
    """A connected, non-blocking socket, and what came on it and was not yet asked for."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._heard = bytearray()

    @property
    def own_host(self) -> str:
        """The address of this side."""
        host: str = self._sock.getsockname()[0]
        return host

    @property
    def unread(self) -> bytes:
        """What came and was not yet asked for."""
        return bytes(self._heard)

    async def send(self, data: bytes) -> None:
        """Hand all of `data` to the system."""
        try:
            await self._loop.sock_sendall(self._sock, data)
        except OSError as why:
            raise in_words(why) from why

    async def receive(self, at_most: int) -> bytes:
        """Return what comes next; nothing at the end."""
        if not self._heard:
            await self._fill(at_most)
        return self._take(at_most)

    async def exactly(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        while len(self._heard) < size:
            await self._fill_or_fail()
        return self._take(size)

    async def line(self) -> str:
        """Return the next line without its end; what is no UTF-8 is replaced by marks."""
        while (end := self._heard.find(b"\n")) < 0:
            if len(self._heard) > _MAX_LINE_BYTES:
                raise CheckFailed(f"it sends a line of more than {_MAX_LINE_BYTES} bytes", cause="wrong_answer")
            await self._fill_or_fail()
        return self._take(end + 1).rstrip(b"\r\n").decode(errors="replace")

    async def _fill_or_fail(self) -> None:
        if not await self._fill(_CHUNK_BYTES):
            raise CheckFailed("connection closed in the middle of the conversation", cause="unreachable")

    async def _fill(self, at_most: int) -> int:
        try:
            more = await self._loop.sock_recv(self._sock, at_most)
        except OSError as why:
            raise in_words(why) from why
        self._heard += more
        return len(more)

    def _take(self, at_most: int) -> bytes:
        taken = bytes(self._heard[:at_most])
        del self._heard[:at_most]
        return taken
