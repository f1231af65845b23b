"""Is the journal bounded, a start short, and every moment that is still held known as it was?"""

from __future__ import annotations

import asyncio
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.compose.lookback import After, At, NotHeld, recall, steps
from selfheal.compose.rollup import EVENTS, drop_before, superfluous
from selfheal.events import AgentDeclared, CheckBroke, Event, StateDamaged
from selfheal.ledger import replay
from selfheal.store.names import named, number_of
from selfheal.store.salvage import first_seq, segments
from selfheal.store.snapshots import SUFFIX, snapshots, write
from selfheal.world import EMPTY, fold
from tests.pure.histories import histories
from tests.real.rolling import Store

BEGIN = 1_800_000_000.0
API = AgentDeclared(BEGIN, "api", "process", "application", (), ("http",), True)


def broke(number: int, size: int = 20) -> CheckBroke:
    return CheckBroke(BEGIN + number, "api", "http", f"{number} ".ljust(size, "x"))


def lived(place: Path, *events: Event, size: int = 64_000_000) -> Store:
    """Let a store live and stop in order."""
    store = Store(place, size)

    async def story() -> None:
        await store.record(*events)
        await store.stop()

    asyncio.run(story())
    return store


def folder_size(place: Path) -> int:
    return sum(path.stat().st_size for path in (place / "journal").iterdir())


def test_a_stop_in_order_leaves_the_next_start_nothing_to_read(tmp_path: Path) -> None:
    first = lived(tmp_path, API, broke(1), broke(2))
    again = Store(tmp_path)
    assert again.taken.snapshot == 3
    assert again.ledger.world == first.ledger.world
    assert again.taken.damages == ()
    assert again.ledger.record(broke(3)) == 4
    again.journal.close()


def test_nothing_is_written_while_nothing_happens(tmp_path: Path) -> None:
    lived(tmp_path, API)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "journal").iterdir()}
    lived(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "journal").iterdir()} == before


def test_after_so_many_events_a_snapshot_stands_where_a_segment_begins(tmp_path: Path) -> None:
    store = lived(tmp_path, API, *map(broke, range(2 * EVENTS + 10)))
    begins = [first_seq(path) for path in segments(tmp_path / "journal")]
    assert begins == [1, EVENTS + 1, 2 * EVENTS + 1]
    assert {EVENTS, 2 * EVENTS, store.ledger.seq} <= set(map(number_of, snapshots(tmp_path / "journal")))


def test_the_journal_takes_no_more_than_it_may_and_knows_each_moment_that_it_holds(tmp_path: Path) -> None:
    limit = 1_000_000
    events: list[Event] = [API, *(broke(number, 2000) for number in range(1, 2500))]
    store = Store(tmp_path, limit)
    sizes: list[int] = []

    async def story() -> None:
        for begin in range(0, len(events), 50):
            await store.record(*events[begin : begin + 50])
            sizes.append(folder_size(tmp_path))
        await store.stop()

    asyncio.run(story())
    assert max(sizes) <= limit * 1.2
    assert folder_size(tmp_path) <= limit
    earliest = first_seq(segments(tmp_path / "journal")[0])
    assert earliest > 1
    worlds = [EMPTY, *accumulate(events, fold, initial=EMPTY)][1:]
    for seq in {earliest - 1, earliest, earliest + 200, len(events) - 1, len(events)}:
        for moment in (At(events[seq - 1].at), After(seq)):
            found = recall(tmp_path, moment)
            assert (found.seq, found.first) == (seq, 1), "a snapshot stands for what was dropped"
            assert found.world == worlds[seq]
    told = recall(tmp_path, After(len(events)), keep=300).events
    assert [seq for seq, _ in told] == list(range(len(events) - 299, len(events) + 1))
    assert next(steps(tmp_path)).before == worlds[earliest - 1]
    with pytest.raises(NotHeld, match=rf"^cannot tell how it was then: .* event #{earliest - 1};"):
        recall(tmp_path, At(events[earliest - 3].at))
    assert Store(tmp_path).taken.damages == ()


def test_a_long_journal_without_snapshots_keeps_what_is_recent(tmp_path: Path) -> None:
    """As a version left it that knew none: it shrinks with time, and loses nothing at once."""
    for first in range(1, 101, 10):
        named(tmp_path, first, ".log").write_bytes(bytes(100))
    assert drop_before(tmp_path, 400) == 0
    named(tmp_path, 100, SUFFIX).write_bytes(b"")
    named(tmp_path, 101, ".log").write_bytes(bytes(100))
    assert drop_before(tmp_path, 400) == 0, "what is recent would be gone"
    named(tmp_path, 201, ".log").write_bytes(bytes(150))
    assert drop_before(tmp_path, 400) == 101


def test_a_snapshot_for_each_segment_and_the_two_newest_stay(tmp_path: Path) -> None:
    for first in (21, 41, 61):
        named(tmp_path, first, ".log").write_bytes(b"")
    for number in (10, 20, 30, 40, 50, 55, 70, 80, 90):
        named(tmp_path, number, SUFFIX).write_bytes(b"")
    assert [number_of(path) for path in superfluous(tmp_path)] == [10, 30, 50, 70]


def test_a_damaged_snapshot_is_told_and_the_older_one_and_the_journal_do(tmp_path: Path) -> None:
    lived(tmp_path, API, broke(1))
    store = lived(tmp_path, broke(2), broke(3))
    newest = snapshots(tmp_path / "journal")[-1]
    newest.write_bytes(newest.read_bytes()[:-1])
    again = Store(tmp_path)
    assert again.taken.snapshot == 2
    assert again.ledger.world == store.ledger.world
    (told,) = again.taken.damages
    assert (told.file, told.what[:27]) == (newest.name, "its checksum does not match")
    assert told.kept_as is not None
    assert told.lost.startswith("nothing")
    again.journal.close()


def test_damage_in_what_a_start_passes_over_is_found_afterwards(tmp_path: Path) -> None:
    lived(tmp_path, API, *map(broke, range(EVENTS + 10)))
    oldest = segments(tmp_path / "journal")[0]
    data = bytearray(oldest.read_bytes())
    data[len(data) // 2] ^= 1
    oldest.write_bytes(data)
    store = Store(tmp_path)
    assert store.taken.damages == ()
    told: list[Event] = []
    store.ledger.subscribe(lambda seq, event: told.append(event))

    async def story() -> None:
        await store.rollup.keep()
        await store.stop()

    asyncio.run(story())
    (damaged,) = (event for event in told if isinstance(event, StateDamaged))
    assert damaged.file == oldest.name
    assert damaged.kept_as is not None
    assert damaged.lost.startswith("nothing of what is known")


@settings(max_examples=25, deadline=None)
@given(histories(max_size=30), st.data())
def test_what_was_known_at_a_time_is_the_same_from_a_snapshot_as_from_the_beginning(
    tmp_path_factory: pytest.TempPathFactory, history: list[Event], data: st.DataObject
) -> None:
    if not history:
        return
    place = tmp_path_factory.mktemp("state")
    store = Store(place)
    kept = data.draw(st.sets(st.integers(1, len(history)), max_size=3))
    for seq, event in enumerate(history, start=1):
        store.ledger.record(event)
        if seq in kept:
            write(place / "journal", seq, store.ledger.world)
    at = data.draw(st.sampled_from(history)).at
    later = (seq for seq, event in enumerate(history, start=1) if event.at > at)
    last = next(later, len(history) + 1) - 1
    keep = data.draw(st.integers(0, 5))
    if last:
        found = recall(place, At(at), keep)  # beside the store, which is still open
        assert (found.seq, found.world) == (last, replay(history[:last]))
        assert [event for _, event in found.events] == history[max(0, last - keep) : last]
    else:
        with pytest.raises(NotHeld):
            recall(place, At(at), keep)
    assert recall(place, After(len(history))).world == store.ledger.world
    store.journal.close()
