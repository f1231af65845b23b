"""Is there one order of things, and is what is shown durable?"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.errors import JournalUnavailable
from selfheal.events import AgentRemoved, AlertRaised, Event, HealingPaused, HealingResumed, Unknown, decode
from selfheal.ledger import Ledger, replay
from selfheal.world import EMPTY
from tests.pure.histories import EVENTS, histories
from tests.pure.ledger_fakes import MemoryJournal

PAUSED = HealingPaused(1.0, None, "cli")
RESUMED = HealingResumed(2.0, None, "cli")


def run(story: Coroutine[object, object, None]) -> None:
    asyncio.run(story)


def test_an_event_is_journaled_folded_and_told_in_this_order() -> None:
    journal = MemoryJournal()
    ledger = Ledger(journal)
    seen: list[tuple[int, Event, bool, int]] = []
    ledger.subscribe(lambda seq, event: seen.append((seq, event, ledger.world.paused, len(journal.records))))
    assert ledger.record(PAUSED, RESUMED) == 2
    assert [(seq, event, kept) for seq, event, _, kept in seen] == [(1, PAUSED, 2), (2, RESUMED, 2)]
    assert [decode(record) for record in journal.records] == [PAUSED, RESUMED]
    assert ledger.seq == 2


def test_what_a_subscriber_records_is_told_to_all_after_what_it_answers() -> None:
    ledger = Ledger(MemoryJournal())
    first: list[Event] = []
    last: list[Event] = []

    def answering(_: int, event: Event) -> None:
        first.append(event)
        if event == PAUSED:
            ledger.record(RESUMED)
            assert not ledger.world.paused, "what is recorded is folded at once"

    ledger.subscribe(answering)
    ledger.subscribe(lambda _, event: last.append(event))
    ledger.record(PAUSED, AgentRemoved(3.0, "api"))
    assert first == last == [PAUSED, AgentRemoved(3.0, "api"), RESUMED]


def test_a_subscriber_that_fails_does_not_keep_the_ledger_from_telling_later() -> None:
    ledger = Ledger(MemoryJournal())
    told: list[Event] = []

    def failing(_: int, event: Event) -> None:
        if event == PAUSED:
            raise RuntimeError("a bug of ours")
        told.append(event)

    ledger.subscribe(failing)
    with pytest.raises(RuntimeError):
        ledger.record(PAUSED)
    ledger.record(RESUMED)
    assert told == [RESUMED]
    assert not ledger.world.paused


def test_a_ledger_goes_on_where_the_journal_ended() -> None:
    journal = MemoryJournal()
    Ledger(journal).record(PAUSED, AgentRemoved(3.0, "api"))
    read = [event for event in map(decode, journal.records) if isinstance(event, HealingPaused | AgentRemoved)]
    ledger = Ledger(journal, replay(read), journal.last)
    assert ledger.world.paused
    assert ledger.world.events == 2
    assert ledger.record(RESUMED) == 3


def test_durable_returns_when_the_event_and_all_before_it_are() -> None:
    async def story() -> None:
        journal = MemoryJournal()
        ledger = Ledger(journal)
        ledger.record(PAUSED)
        assert journal.synced == 0
        assert await ledger.durable(RESUMED) == 2
        assert journal.synced == 2

    run(story())


def test_what_is_shown_is_durable_first_and_no_newer_than_that() -> None:
    async def story() -> None:
        journal = MemoryJournal()
        ledger = Ledger(journal)
        ledger.record(PAUSED)
        journal.during_sync = lambda: ledger.record(RESUMED)
        world = await ledger.shown()
        assert world.paused, "what came meanwhile may still be lost"
        assert not ledger.world.paused
        assert journal.synced >= 1

    run(story())


def test_a_full_disk_is_said_and_the_daemon_goes_on_in_memory() -> None:
    async def story() -> None:
        journal = MemoryJournal()
        ledger = Ledger(journal)
        journal.trouble = "no space left on the disk"
        with pytest.raises(JournalUnavailable):
            await ledger.durable(PAUSED)
        assert ledger.world.paused
        assert ledger.trouble == "no space left on the disk"
        assert (await ledger.shown()).paused

    run(story())


def test_nothing_recorded_is_nothing_changed() -> None:
    ledger = Ledger(MemoryJournal())
    assert ledger.record() == 0
    assert ledger.world is EMPTY


def test_the_world_that_someone_was_given_stays_as_it_was() -> None:
    ledger = Ledger(MemoryJournal())
    before = ledger.world
    ledger.record(AlertRaised(1.0, "inc-1", "critical", "", "", "api", "inc-1"))
    assert before.undelivered == {}
    assert set(ledger.world.undelivered) == {("inc-1", False)}


def unwritable(event: Event) -> Event:
    """The event with half a character in its texts: no file can hold it."""
    texts = {field.name: "\ud800" for field in fields(event) if isinstance(getattr(event, field.name), str)}
    return replace(event, **texts)  # type: ignore[arg-type]


@given(histories(max_size=8), EVENTS.filter(lambda event: unwritable(event) != event), st.integers(0, 8))
def test_what_cannot_be_written_down_has_not_happened(history: list[Event], bad: Event, before: int) -> None:
    journal = MemoryJournal()
    ledger = Ledger(journal)
    told: list[Event] = []
    ledger.subscribe(lambda _, event: told.append(event))
    ledger.record(*history)
    world, seq, kept = ledger.world, ledger.seq, list(journal.records)
    with pytest.raises(UnicodeEncodeError):
        ledger.record(*history[:before], unwritable(bad))
    assert (ledger.world, ledger.seq, journal.records, told) == (world, seq, kept, history)
    ledger.record(PAUSED)
    assert ledger.world == replay([event for event in map(decode, journal.records) if not isinstance(event, Unknown)])
