from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from selfheal.events import DaemonStarted, Event
from selfheal.serve import stream
from tests.real.serving import T0, Daemon, declared, started, story_of_a_day


async def messages(answer: httpx.Response) -> AsyncIterator[tuple[str, str, dict[str, object]]]:
    """The stream's messages: event, id, data."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if not line and "data" in fields:
            yield fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"])
        fields = {**fields, name: value} if line else {}


async def first(answer: httpx.Response, count: int, within_s: float = 5) -> list[tuple[str, str, dict[str, object]]]:
    taken: list[tuple[str, str, dict[str, object]]] = []
    async with asyncio.timeout(within_s):
        async for message in messages(answer):
            taken.append(message)
            if len(taken) == count:
                break
    return taken


def test_what_happens_is_told_as_it_happens() -> None:
    async def run() -> None:
        daemon = Daemon()
        async with (
            daemon.running() as url,
            httpx.AsyncClient(base_url=url) as client,
            client.stream("GET", "/observability/events") as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            daemon.ledger.record(declared("api"))
            ((kind, number, data),) = await first(answer, 1)
            assert (kind, number, data["type"], data["agent"]) == ("message", "1", "AgentDeclared", "api")
            assert data["at"] == "2026-01-02T03:04:05.000Z"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "query", "begin"),
    [
        ({"Last-Event-ID": "3"}, {}, 4),
        ({}, {"since": "3"}, 4),
        ({}, {"since": "0"}, 1),
        ({}, {"since": "2026-01-02T03:04:06Z"}, 4),
        ({"Last-Event-ID": "5"}, {"since": "0"}, 6),
    ],
)
def test_a_reader_goes_on_where_it_stopped(headers: dict[str, str], query: dict[str, str], begin: int) -> None:
    async def run() -> None:
        daemon = Daemon()
        daemon.ledger.record(*story_of_a_day())
        async with (
            daemon.running() as url,
            httpx.AsyncClient(base_url=url) as client,
            client.stream("GET", "/observability/events", headers=headers, params=query) as answer,
        ):
            past = await first(answer, daemon.ledger.seq - begin + 1)
            assert [int(number) for _, number, _ in past] == list(range(begin, daemon.ledger.seq + 1))

    asyncio.run(run())


def test_a_reader_that_resumes_misses_and_repeats_nothing_that_happens_meanwhile() -> None:
    async def run() -> None:
        daemon = Daemon()
        daemon.ledger.record(*(declared(f"a{number}") for number in range(stream.PAGE + 20)))
        async with (
            daemon.running() as url,
            httpx.AsyncClient(base_url=url) as client,
            client.stream("GET", "/observability/events?since=0") as answer,
        ):
            daemon.ledger.record(*(declared(f"b{number}") for number in range(30)))
            told = await first(answer, daemon.ledger.seq)
            assert [int(number) for _, number, _ in told] == list(range(1, daemon.ledger.seq + 1))

    asyncio.run(run())


def test_nothing_is_told_that_could_still_be_lost() -> None:
    async def run() -> None:
        daemon = Daemon()
        async with (
            daemon.running() as url,
            httpx.AsyncClient(base_url=url) as client,
            client.stream("GET", "/observability/events") as answer,
        ):
            daemon.journal.disk.clear()
            daemon.ledger.record(declared("api"))
            with pytest.raises(TimeoutError):
                await first(answer, 1, within_s=0.2)
            daemon.journal.disk.set()

    asyncio.run(run())


def test_a_reader_that_falls_behind_is_told_of_the_gap() -> None:
    async def run() -> None:
        daemon = Daemon()
        hub = stream.Hub(daemon.sources)
        seat = stream.Seat()
        hub._seats.add(seat)
        lost = 7
        daemon.ledger.record(*(declared(f"a{number}") for number in range(stream.QUEUE + lost)))
        told = hub.tell(seat, None, 0.0)
        assert (await anext(told)).comment
        gap = await anext(told)
        assert (gap.event, json.loads(gap.raw_data or "")) == ("gap", {"after": 0, "up_to": lost})
        assert (await anext(told)).id == str(lost + 1)
        await told.aclose()

    asyncio.run(run())


def test_events_that_nobody_has_any_more_are_a_gap_for_who_asks_for_them() -> None:
    async def run() -> None:
        daemon, forgotten = Daemon(), 2
        daemon.ledger.record(*(declared(f"a{number}") for number in range(4)))
        hub = stream.Hub(replace(daemon.sources, forgotten=lambda: forgotten))
        seat = stream.Seat()
        hub._seats.add(seat)
        told = hub.tell(seat, 1, 0.0)
        assert (await anext(told)).comment
        gap = await anext(told)
        assert (gap.event, json.loads(gap.raw_data or "")) == ("gap", {"after": 1, "up_to": 2})
        assert [(await anext(told)).id for _ in range(2)] == ["3", "4"]
        forgotten = 7
        seat.put(8, declared("later"))
        assert json.loads((await anext(told)).raw_data or "") == {"after": 4, "up_to": 7}
        assert (await anext(told)).id == "8"
        await told.aclose()
        fresh = hub.tell(seat, None, 0.0)
        seat.put(9, declared("last"))
        assert (await anext(fresh)).comment
        assert (await anext(fresh)).id == "9", "who begins now misses nothing"
        await fresh.aclose()

    asyncio.run(run())


def test_more_readers_than_there_are_seats_are_turned_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SEATS", 1)

    async def run() -> None:
        daemon = Daemon()
        async with daemon.running() as url, httpx.AsyncClient(base_url=url) as client:
            async with client.stream("GET", "/observability/events"):
                refused = await client.get("/observability/events")
                assert (refused.status_code, refused.json()["code"]) == (503, "too_many_readers")
            async with asyncio.timeout(5):  # the seat is free again once the server has seen the end
                while True:
                    async with client.stream("GET", "/observability/events") as answer:
                        if answer.status_code == 200:
                            return

    asyncio.run(run())


def test_the_end_of_the_daemon_ends_every_stream_at_once() -> None:
    async def run() -> float:
        daemon = Daemon()
        async with (
            daemon.running() as url,
            httpx.AsyncClient(base_url=url, timeout=5) as client,
            client.stream("GET", "/observability/events") as answer,
        ):
            began = time.monotonic()
            daemon.stopping.set()
            async for _ in answer.aiter_lines():  # a clean end, no error
                pass
        return time.monotonic() - began

    assert asyncio.run(run()) < 0.9


@pytest.mark.parametrize("since", ["-1", "soon", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "1e9"])
def test_a_beginning_that_is_none_is_refused_before_the_stream_begins(since: str) -> None:
    async def run() -> None:
        daemon = Daemon()
        async with daemon.client() as client:
            assert (await client.get("/observability/events", params={"since": since})).status_code == 422

    asyncio.run(run())


def test_a_beginning_is_a_number_or_a_time() -> None:
    assert stream.begin(None) == (None, 0.0)
    assert stream.begin("12") == (12, 0.0)
    assert stream.begin("9" * 60) == (stream.LARGEST_SEQ, 0.0)
    assert stream.begin("2026-01-02T03:04:05Z") == (0, T0)
    assert stream.begin("2026-01-02T04:04:05 01:00") == (0, T0)


def test_the_fixture_tells_events_that_the_journal_can_read() -> None:
    history: tuple[Event, ...] = (DaemonStarted(T0, "0.1.0", 1, False), declared("api"), *started("api", T0))

    async def run() -> None:
        daemon = Daemon()
        daemon.ledger.record(*history)
        assert await daemon.sources.events_after(1, 2) == list(enumerate(history, 1))[1:3]

    asyncio.run(run())
