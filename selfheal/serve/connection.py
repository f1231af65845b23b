"""How long may one client keep us waiting, and what is it told that speaks no proper HTTP?

uvicorn waits for ever for a request that was begun, or never begun, and says no in plain text. Here every connection
has a deadline while it is the client's turn, the oldest of those that only wait gives way where there are too many,
and every no is a problem, as those of the application are. A timer runs only while there is a connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from selfheal.serve.problems import answer
from selfheal.serve.shield import HEADERS

CONNECTIONS = 512  # more at once than any fleet's page, scraper and scripts; each costs some tens of kilobytes
REQUEST_S = 10.0  # for a request, head and body, from its first byte; a slow line carries a megabyte in that time
STALLED_S = 30.0  # for a client that reads nothing of its answer; a stream is resumed where it was cut
LARGEST_HEAD = 131_072  # bytes of request line and headers; nobody has shown a token yet
LONGEST_URL = 65_535  # bytes; the parser takes no longer one


class Connection(HttpToolsProtocol):
    """One connection, and whose turn it is on it."""

    turn_since = 0.0
    """When the client's turn began, by the loop's clock."""
    _midway = False
    """Whether a request was begun and is not complete."""
    _in_head = False
    """Whether it was begun, and its headers are not complete."""
    _head = 0
    """Bytes taken since the last request was complete, without those that came together with its end."""
    let_go = False
    """Whether it gave way already, and is only not gone yet."""
    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(transport)
        self.turn_since = self.loop.time()
        self._expect()
        if len(self.connections) > CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_deadline()
        self.resume_writing()
        super().connection_lost(exc)

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn: nothing of ours would be lost with the connection."""
        if self.cycle is None:
            return True
        return self.cycle.response_complete or self.cycle.more_body

    # --- what the client sends ---

    def data_received(self, data: bytes) -> None:
        if self.waits and self._deadline is None:
            self._expect()
        self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > LARGEST_HEAD:
            self._refuse(431, "head_too_large", f"cannot read the request: its head is over {LARGEST_HEAD} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._midway = self._in_head = True
        if self._deadline is None:
            self._expect()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_head = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._midway, self._head = False, 0
        self._unset_deadline()

    def on_response_complete(self) -> None:
        self.turn_since = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Uvicorn's name for it; what it cannot parse may also be a URL that is too long."""
        if self._midway and len(self.url) > LONGEST_URL:
            self._refuse(414, "url_too_long", f"cannot read the request: its URL is over {LONGEST_URL} bytes")
        else:
            self._refuse(400, "malformed_request", "cannot read the request: it is no proper HTTP")

    # --- how long it may take ---

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_S, self._too_late)

    def _unset_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self.flow.read_paused:  # it is we who do not read
            self._expect()
        elif self._midway:
            self._refuse(408, "request_timeout", f"cannot wait any longer: the request took over {REQUEST_S:g} s")
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """The client does not read. One that never does would hold its answer for ever."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    # --- how a connection ends ---

    def shutdown(self) -> None:
        """The daemon ends. Whoever has not sent the whole of a request by now gets no answer to it any more."""
        if self._midway and self.waits:
            self._refuse(503, "stopping", "cannot take the request: the daemon is stopping")
        else:
            super().shutdown()

    def _make_room(self) -> None:
        """Let the connection go that has waited longest; where none waits, this one is told to come back."""
        others: Iterable[Connection] = (one for one in self.connections if isinstance(one, Connection))
        waiting = [one for one in others if one is not self and one.waits and not one.let_go]
        if waiting:
            oldest = min(waiting, key=lambda one: one.turn_since)
            oldest.let_go = True
            oldest.transport.abort()
        else:
            self.app = answer(
                503,
                "too_many_connections",
                f"cannot serve more than {CONNECTIONS} connections at once; close some of them",
                headers={**HEADERS, "Connection": "close", "Retry-After": "1"},
            )

    def _refuse(self, status: int, code: str, detail: str) -> None:
        """Say no where the client still waits for a word, and close the connection."""
        if self.transport.is_closing():
            return
        if self._is_next():
            no = answer(status, code, detail, headers={**HEADERS, "Connection": "close"})
            lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
            lines += [name + b": " + value for name, value in no.raw_headers]
            self.transport.write(b"\r\n".join([*lines, b"", bytes(no.body)]))
        self.transport.close()
        if self.cycle is not None:  # whoever reads the body learns that there comes no more of it
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _is_next(self) -> bool:
        """Whether what we write now is the answer to what the client sends now, and not in the midst of another."""
        if self.cycle is None:
            return True
        if self._midway and not self._in_head:
            return not self.cycle.response_started and not self.pipeline
        return self.cycle.response_complete
