"""What does a WebSocket server say, and does it answer a ping?

`websockets` knows the protocol and does no I/O here: no redirects, no proxies, no compression, which could blow up a
small message to a large one, and no tasks of its own.
"""

from __future__ import annotations

import logging
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.observe.wire import Wire, connected
from selfheal.observe.wording import excerpt, with_words

if TYPE_CHECKING:
    from websockets.client import ClientProtocol
    from websockets.frames import Frame
    from websockets.http11 import Response
    from websockets.uri import WebSocketURI

MAX_MESSAGE_BYTES = 1024 * 1024

_PING = b"selfheal"


@dataclass(frozen=True, slots=True)
class Door:
    """Where a WebSocket is opened, and with which headers. `tls` is None for ws."""

    url: str = field(repr=False)  # it may hold a password, and so may the headers
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    tls: ssl.SSLContext | None


@asynccontextmanager
async def opened(door: Door, dialer: Dialer) -> AsyncIterator[WebSocket]:
    """A WebSocket behind its handshake, gone when the block ends. Raises CheckFailed; the caller bounds the time."""
    from websockets.uri import parse_uri

    uri = parse_uri(door.url)
    async with connected(dialer, uri.host, uri.port, door.tls) as wire:
        socket = WebSocket(wire, uri)
        await socket.shake_hands(door.headers)
        yield socket
        socket.say_goodbye()


class WebSocket:
    """An open WebSocket. Each method raises CheckFailed where the server does not keep to the protocol or closes."""

    def __init__(self, wire: Wire, uri: WebSocketURI) -> None:
        from websockets.client import ClientProtocol

        # Not the library's own logger, which would write the headers at debug.
        silent = logging.Logger("websocket", logging.CRITICAL)  # noqa: LOG001 - nobody else shall find it and set it
        self._wire = wire
        self._protocol: ClientProtocol = ClientProtocol(uri, max_size=MAX_MESSAGE_BYTES, logger=silent)
        self._response: Response | None = None
        self._frames: deque[Frame] = deque()

    async def shake_hands(self, headers: Iterable[tuple[str, str]]) -> None:
        request = self._protocol.connect()
        for name, value in headers:
            request.headers.pop(name, None)
            request.headers[name] = value
        self._protocol.send_request(request)
        await self._flush()
        while self._response is None and self._protocol.handshake_exc is None:
            await self._take_in()
        if self._protocol.handshake_exc is not None:
            raise self._no_websocket(self._protocol.handshake_exc)

    async def send(self, text: str) -> None:
        self._must_be_open()
        self._protocol.send_text(text.encode())
        await self._flush()

    async def message(self) -> str:
        """The next message, put together; bytes as UTF-8, what is not replaced by marks."""
        from websockets.frames import DATA_OPCODES

        data = bytearray()
        while True:
            frame = await self._frame()
            if frame.opcode in DATA_OPCODES:
                data += frame.data
                if frame.fin:
                    return data.decode(errors="replace")

    async def ping(self) -> None:
        """Return when a ping was answered with the pong that belongs to it."""
        from websockets.frames import Opcode

        self._must_be_open()
        self._protocol.send_ping(_PING)
        await self._flush()
        frame = await self._frame()
        while frame.opcode is not Opcode.PONG or frame.data != _PING:
            frame = await self._frame()

    def say_goodbye(self) -> None:
        """Tell the server that this end was meant. Its answer is not waited for."""
        if self._is_open:
            self._protocol.send_close(1000)
            self._wire.last_word(b"".join(self._protocol.data_to_send()))

    async def _frame(self) -> Frame:
        from websockets.frames import Opcode

        while not self._frames:
            self._must_be_open()
            await self._take_in()
        frame = self._frames.popleft()
        if frame.opcode is Opcode.CLOSE:
            self._must_be_open()
        return frame

    async def _take_in(self) -> None:
        """Feed the protocol with what comes next, and send what it answers, such as a pong."""
        from websockets.frames import Frame
        from websockets.http11 import Response

        data = await self._wire.some()
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Response):
                self._response = event
            elif isinstance(event, Frame):
                self._frames.append(event)
        if self._is_open:
            await self._flush()

    async def _flush(self) -> None:
        await self._wire.send(b"".join(self._protocol.data_to_send()))

    @property
    def _is_open(self) -> bool:
        from websockets.protocol import OPEN

        return self._protocol.state is OPEN

    def _must_be_open(self) -> None:
        """Raise what ended the connection, where something did."""
        from websockets.exceptions import PayloadTooBig

        if self._is_open:
            return
        closed, broken = self._protocol.close_rcvd, self._protocol.parser_exc
        if closed is not None:
            raise CheckFailed(
                with_words(f"closed by the server with code {closed.code}", closed.reason), cause="wrong_answer"
            )
        if isinstance(broken, PayloadTooBig):
            raise CheckFailed(f"a message of more than {MAX_MESSAGE_BYTES // 1024} KiB", cause="wrong_answer")
        if broken is None or isinstance(broken, EOFError):
            raise CheckFailed("connection closed without a word", cause="unreachable")
        raise CheckFailed(f"a broken WebSocket answer: {excerpt(str(broken))}", cause="wrong_answer")

    def _no_websocket(self, why: Exception) -> CheckFailed:
        from websockets.exceptions import InvalidMessage, InvalidStatus

        if isinstance(why, InvalidStatus):
            said = why.response.body.decode(errors="replace") if why.response.body else ""
            words = with_words(f"status {why.response.status_code}, expected 101 and a WebSocket", said)
            return CheckFailed(words, cause="wrong_answer")
        if isinstance(why, InvalidMessage) and isinstance(why.__cause__, EOFError):
            return self._wire.cut_short()
        if isinstance(why, InvalidMessage):
            shown = self._wire.greeting
            return CheckFailed(f"not a valid HTTP answer: it begins with {shown!r}", cause="wrong_answer")
        return CheckFailed(f"no WebSocket handshake: {excerpt(str(why))}", cause="wrong_answer")
