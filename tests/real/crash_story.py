"""What does a daemon do with its state directory, with as few system calls as will do all of it?

One life: the start as the daemon makes it, events in segments that are soon full, syncs, saves of views, old segments
dropped, an end. It tells what it has promised, so that whoever looks afterwards knows what must be there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from selfheal.clock import RealClock
from selfheal.errors import JournalUnavailable, SelfhealError
from selfheal.store.documents import Documents, examine
from selfheal.store.journal import Damage, Journal, Record
from selfheal.store.lock import StateLock, usable
from selfheal.store.names import number_of
from selfheal.store.salvage import segments
from selfheal.store.snapshots import newest, write
from selfheal.world import EMPTY

SEGMENT = 1500
VIEWS = ("agent_status.json", "metrics.json")
EVENTS, SYNC_EACH, SAVE_EACH = 11, 3, 5
KEPT = 9  # so many of the newest events are never dropped
_CLOCK = RealClock()

Tell = Callable[[str], None]


def payload(number: int) -> bytes:
    """The event of a number: some 400 bytes, with all values of a byte and with what frames begin with."""
    return b"%d \xffSHR" % number + b"".join(hashlib.blake2b(b"%d %d" % (number, part)).digest() for part in range(6))


def view(name: str, version: int) -> dict[str, object]:
    """A document of a version: some 700 bytes, two sectors of a disk."""
    return {"name": name, "version": version, "filling": [f"{version:06} {line:06}" for line in range(32)]}


async def inline(work: Callable[[], None]) -> None:
    """Do without threads: the calls of one process then have one order."""
    work()


async def live(state: Path, tell: Tell, relieve: Callable[[], None], events: int = EVENTS) -> None:
    """One life in `state`. `relieve` is called when the disk shall refuse no more."""
    lock, journal, files = await _start(state, tell, relieve)
    for _ in range(events):
        tell(f"wrote {journal.append(payload(journal.last_seq + 1))}")
        if journal.last_seq % SYNC_EACH == 0:
            await _sync(journal, tell)
        if journal.last_seq % SAVE_EACH == 0:
            await _save(files, journal.last_seq, tell)
            _drop_the_oldest(journal, tell)
    relieve()
    await journal.sync()
    tell(f"events {journal.durable_seq}")
    await files.save({name: view(name, journal.last_seq) for name in VIEWS}, {}, renew=True)
    tell(f"views {journal.last_seq}")
    journal.close()
    lock.release()


async def abandon(state: Path, tell: Tell, relieve: Callable[[], None]) -> None:
    """A life that ends in the middle: some segments are full, and nobody has waited for the disk."""
    _, journal, _ = _started(state, tell)
    for _ in range(7):
        tell(f"wrote {journal.append(payload(journal.last_seq + 1))}")


async def _start(state: Path, tell: Tell, relieve: Callable[[], None]) -> tuple[StateLock, Journal, Documents]:
    try:
        return _started(state, tell)
    except SelfhealError as why:
        tell(f"refused {why}")
    relieve()
    return _started(state, tell)


def _started(state: Path, tell: Tell) -> tuple[StateLock, Journal, Documents]:
    lock = StateLock.acquire(state)
    try:
        journal, records, damage = opened(state)
        replayed = [record.seq for record in records]
        files = Documents(state, inline)
        examine(state, VIEWS, _CLOCK)
    except SelfhealError:
        lock.release()
        raise
    for one in damage:
        tell(f"found {one.file}: {one.what}")
    tell(f"replayed {' '.join(map(str, replayed))}")
    tell(f"events {journal.durable_seq}")
    return lock, journal, files


def opened(state: Path) -> tuple[Journal, Iterator[Record], tuple[Damage, ...]]:
    """Open the journal as a daemon does: what came before the newest snapshot may have been dropped for its age."""
    with usable(state):
        taken = newest(state / "journal", _CLOCK.now())
    since = taken.snapshot.seq if taken.snapshot is not None else 0
    journal, records, damage = Journal.open(state / "journal", inline, _CLOCK, SEGMENT, since)
    return journal, records, (*taken.damage, *damage)


async def _sync(journal: Journal, tell: Tell) -> None:
    try:
        await journal.sync()
    except JournalUnavailable as why:
        tell(f"trouble {why}")
    else:
        tell(f"events {journal.durable_seq}")


async def _save(files: Documents, version: int, tell: Tell) -> None:
    try:
        await files.save({name: view(name, version) for name in VIEWS}, {})
    except OSError as why:
        tell(f"unsaved {why.strerror}")
    else:
        tell(f"views {version}")


def _drop_the_oldest(journal: Journal, tell: Tell) -> None:
    before = journal.durable_seq - KEPT
    tell(f"dropped {before}")
    try:
        earliest = max((first for first in map(number_of, segments(journal.directory)) if first <= before), default=1)
        if earliest > 1:  # as the daemon does it: what came before is in a snapshot that stays
            write(journal.directory, earliest - 1, EMPTY)
        journal.forget(before)
    except OSError as why:
        tell(f"undropped {why.strerror}")
