"""What happens right now?

Server-sent events, straight from the ledger and, for what a reader missed, from the journal. Only what is durable is
told. A slow reader loses the oldest and is told of the gap; it never holds up anybody else.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from selfheal.errors import JournalUnavailable
from selfheal.events import Event
from selfheal.serve.ports import Sources
from selfheal.serve.problems import Refusal, documented
from selfheal.serve.times import read_rfc3339
from selfheal.serve.views.stream import event_view

SEATS = 64  # readers at once: each costs its queue
QUEUE = 1000  # events that a reader may be behind: what a fleet of a thousand tells when all of it dies at once
PAGE = 500  # events read from the journal at a time
RECONNECT_MS = 2000
LARGEST_SEQ = 2**63 - 1
_SEAT = "selfheal.seat"


@dataclass(slots=True, eq=False)
class Seat:
    """One reader's queue. `lost` is the number of the latest event for which it had no room."""

    queue: deque[tuple[int, Event]] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    lost: int = 0

    def put(self, seq: int, event: Event) -> None:
        """Add the newest, drop the oldest where the queue is full."""
        if len(self.queue) >= QUEUE:
            self.lost, _ = self.queue.popleft()
        self.queue.append((seq, event))
        self.news.set()

    def take(self) -> list[tuple[int, Event]]:
        """Empty the queue."""
        taken = list(self.queue)
        self.queue.clear()
        self.news.clear()
        return taken


class Hub:
    """Hands each event to every reader."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._seats: set[Seat] = set()
        sources.subscribe(self._hand_out)

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """While the server runs: let the readers go once the daemon stops. No server does that by itself."""
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._let_go(), name="end of the stream")
            yield
            watch.cancel()

    async def seat(self, request: Request) -> AsyncIterator[None]:
        """Give a request a seat for as long as it lasts, or turn it away: a dependency of the stream's route."""
        if len(self._seats) >= SEATS:
            raise Refusal(503, "too_many_readers", f"cannot stream to more than {SEATS} readers; close one of them")
        seat = Seat()
        self._seats.add(seat)
        request.scope[_SEAT] = seat
        try:
            yield
        finally:
            self._seats.discard(seat)

    async def tell(self, seat: Seat, after: int | None, since: float) -> AsyncGenerator[ServerSentEvent, None]:
        """Tell what the journal holds after a number, where one is given, and then everything that comes."""
        yield ServerSentEvent(comment="selfheal", retry=RECONNECT_MS)
        last = after or 0
        if after is not None:
            if (forgotten := self._sources.forgotten()) > last:
                yield _gap(last, forgotten)
                last = forgotten
            async for seq, event in self._past(last):
                last = seq
                if event.at >= since:
                    yield _told(seq, event)
        while not self._sources.stopping.is_set():
            await seat.news.wait()
            news = seat.take()
            await self._durable()
            lost = max(seat.lost, self._sources.forgotten() if last else 0)
            if lost > last:
                yield _gap(last, lost)
            for seq, event in news:
                if seq > last:
                    last = seq
                    yield _told(seq, event)

    async def _past(self, after: int) -> AsyncIterator[tuple[int, Event]]:
        while not self._sources.stopping.is_set():
            page = await self._sources.events_after(after, PAGE)
            if not page:
                return
            await self._durable()
            for seq, event in page:
                yield seq, event
            after, _ = page[-1]

    async def _durable(self) -> None:
        """Wait until what was read can no longer be lost; while the disk refuses, what is known is shown."""
        with suppress(JournalUnavailable):
            await self._sources.shown()

    async def _let_go(self) -> None:
        await self._sources.stopping.wait()
        for seat in self._seats:
            seat.news.set()

    def _hand_out(self, seq: int, event: Event) -> None:
        for seat in self._seats:
            seat.put(seq, event)


def routes(hub: Hub) -> APIRouter:
    """Return the route of the stream."""
    router = APIRouter()

    async def events(
        request: Request,
        since: Annotated[
            str | None,
            Query(description="Begin in the past: after this number, or at this RFC 3339 time.", max_length=64),
        ] = None,
        last_event_id: Annotated[str | None, Header(description="As `since`; browsers send it.", max_length=64)] = None,
    ) -> AsyncIterator[ServerSentEvent]:
        after, from_time = begin(last_event_id or since)
        seat: Seat = request.scope[_SEAT]
        async for event in hub.tell(seat, after, from_time):
            yield event

    router.add_api_route(
        "/events",
        events,
        operation_id="stream_events",
        summary="Everything that happens, as server-sent events",
        description=(
            "The id of an event is its number in the journal; its data is the event with its `type`. A reader that "
            "falls behind loses the oldest events and gets an event `gap` with the numbers `after` and `up_to` which "
            "they lie: read `since` again, or the lists."
        ),
        response_class=EventSourceResponse,
        dependencies=[Depends(_valid_begin), Depends(hub.seat)],
        responses=documented(422, 503),
    )
    return router


def begin(since: str | None) -> tuple[int | None, float]:
    """Read where a reader wants to begin: after which number, and from what time on. Raises ValueError."""
    if not since:
        return None, 0.0
    if since.isascii() and since.isdecimal():
        return min(int(since), LARGEST_SEQ), 0.0
    return 0, read_rfc3339(since)


async def _valid_begin(
    since: Annotated[str | None, Query(include_in_schema=False)] = None,
    last_event_id: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> None:
    """A stream that has begun cannot say no any more: judge its beginning before."""
    try:
        begin(last_event_id or since)
    except ValueError as why:
        raise Refusal(
            422,
            "invalid_request",
            f"cannot begin the stream there: {why}, or give the number of an event",
        ) from why


def _gap(after: int, up_to: int) -> ServerSentEvent:
    return ServerSentEvent(event="gap", raw_data=json.dumps({"after": after, "up_to": up_to}))


def _told(seq: int, event: Event) -> ServerSentEvent:
    return ServerSentEvent(id=str(seq), raw_data=json.dumps(event_view(seq, event), ensure_ascii=False))
