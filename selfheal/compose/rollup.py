"""How does the journal stay bounded, and a start quick?

After so many events the world is written down as it is, and the journal goes on in another segment: a start reads the
newest snapshot and what came after it. Over its size the journal drops its oldest segments, as far as a snapshot
stands where the first that stays begins, so that what was known can be told for every moment that it still holds. What
a start has not looked at is examined here, in small steps.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from selfheal.clock import Clock
from selfheal.compose.takeover import TakenOver, told_damage
from selfheal.errors import JournalUnavailable
from selfheal.events import Event, LoopFailed
from selfheal.ledger import Ledger
from selfheal.loops import Loop, describe
from selfheal.ports import RunInThread
from selfheal.store import held
from selfheal.store.journal import SEGMENT_BYTES, Damage
from selfheal.store.names import number_of
from selfheal.store.salvage import examine_older, first_seq, segments
from selfheal.store.snapshots import SUFFIX, examine, snapshots, write
from selfheal.world import World

# A start folds no more events than these after the newest snapshot: a third of a second with a thousand agents.
EVENTS = 10_000
# Before a segment is full the next begins by itself, and no snapshot stands there: three quarters leave time for one.
BYTES = SEGMENT_BYTES * 3 // 4
# Of a small journal a segment is no more than this share: what is dropped is a small step.
SHARE = 8
GENERATIONS = 2  # snapshots that are kept whatever else: the newest may be what is damaged next
RETRY_S = 5.0
# In these the loop gets its turn while a thread works.
PAUSE_S = 0.0005


class Outside(Protocol):
    """Of the ports what is needed here."""

    @property
    def clock(self) -> Clock: ...

    @property
    def run_in_thread(self) -> RunInThread: ...


class Rollup:
    """Writes snapshots and drops what is too old. `size` is what the journal may take, in bytes."""

    def __init__(
        self, ledger: Ledger, ports: Outside, taken: TakenOver, size: Callable[[], int], wake: Callable[[str], None]
    ) -> None:
        self._ledger = ledger
        self._ports = ports
        self._journal = taken.journal
        self._directory = taken.journal.directory
        self._size = size
        self._wake = wake
        self._kept = taken.snapshot
        self._unseen = unseen(taken)
        self._busy = threading.Lock()  # a cancelled write goes on in its thread; the next must not overtake it
        self._breathe = partial(threading.Event().wait, PAUSE_S)
        self._trouble = ""
        self.loop = Loop("rollup", self.keep, every_s=RETRY_S, idle=self._has_nothing_to_do, least_s=RETRY_S)
        ledger.subscribe(self._heard)

    async def keep(self) -> None:
        """Do what is due. Where the disk refuses it is told once, and tried again."""
        trouble = ""
        try:
            if self._is_due():
                await self._roll()
            while self._unseen:
                await self._look(self._unseen[0])
                del self._unseen[0]
        except JournalUnavailable:
            return  # that is told already
        except OSError as why:
            trouble = f"cannot keep a snapshot of what is known: {describe(why)}"
        if trouble and trouble != self._trouble:
            self._ledger.record(LoopFailed(self._ports.clock.now(), "rollup", trouble, RETRY_S))
        self._trouble = trouble

    async def close(self) -> None:
        """Write down what is known a last time, if anything happened, so that the next start has nothing to read."""
        if self._ledger.seq > self._kept:
            try:
                await self._roll()
            except (OSError, JournalUnavailable):
                return  # the journal holds it all

    def _heard(self, _seq: int, _event: Event) -> None:
        if self._is_due():
            self._wake(self.loop.name)

    def _is_due(self) -> bool:
        return self._ledger.seq - self._kept >= EVENTS or self._is_full()

    def _is_full(self) -> bool:
        """Whether the journal's newest segment is long enough to be dropped by itself one day."""
        records, size = self._journal.newest
        return records >= EVENTS or size >= min(BYTES, self._size() // SHARE)

    def _has_nothing_to_do(self) -> bool:
        return not self._unseen and not self._is_due()

    async def _roll(self) -> None:
        """Write down the world as it is now. The journal is durable first: a snapshot is never ahead of it."""
        world, seq = self._ledger.world, self._ledger.seq
        if self._is_full():
            self._journal.cut()
        await self._journal.sync(seq)
        await self._ports.run_in_thread(lambda: self._write(seq, world))
        self._kept = seq

    async def _look(self, path: Path) -> None:
        now = self._ports.clock.now()
        for damage in await self._ports.run_in_thread(lambda: self._examine(path, now)):
            self._ledger.record(told_damage(now, damage, self._kept))

    # --- in a thread ---

    def _write(self, seq: int, world: World) -> None:
        if not self._busy.acquire(blocking=False):
            raise BlockingIOError("the disk is still at the last one")
        try:
            write(self._directory, seq, world, self._breathe)
            self._journal.forget(drop_before(self._directory, self._size()))
            drop_superfluous(self._directory)
        finally:
            self._busy.release()

    def _examine(self, path: Path, now: float) -> list[Damage]:
        with self._busy:
            return look_at(path, now, self._breathe)


def unseen(taken: TakenOver) -> list[Path]:
    """Return what of the journal a start has not looked at: the older snapshots, then the older segments."""
    older = (path for path in snapshots(taken.journal.directory) if number_of(path) < taken.snapshot)
    return [*older, *taken.journal.older]


def look_at(path: Path, now: float, breathe: Callable[[], object] = lambda: None) -> list[Damage]:
    """Examine one of these files, and mend it or keep it aside. Blocks. Raises OSError."""
    if path.suffix == SUFFIX:
        found = examine(path, now, breathe)
        if found:
            held.note(path.parent)
        return found
    there = segments(path.parent)
    if path not in there[:-1]:  # dropped meanwhile
        return []
    place = there.index(path)
    return examine_older(path, first_seq(there[place + 1]), place == 0, _bases(path.parent), now, breathe)


def drop_before(directory: Path, limit: int) -> int:
    """Return before which number the journal is to be dropped so that it takes no more than `limit` bytes; 0 for none.

    Only where a snapshot stands at the beginning of what stays. Where there is none for long, as in a journal of a
    version that knew no snapshots, it stays larger for a while rather than to lose all that is recent.
    """
    bases, sizes = _bases(directory), _sizes_from(directory)
    if not sizes or sizes[0][1] <= limit:
        return 0
    marks = [(size, first) for first, size in sizes[1:] if first - 1 in bases]
    fitting = [mark for mark in marks if limit / 2 <= mark[0] <= limit]
    if fitting:
        return max(fitting)[1]
    return min((mark for mark in marks if mark[0] > limit), default=(0, 0))[1]


def drop_superfluous(directory: Path) -> None:
    """Drop the snapshots that nothing needs, and list those that stay. Blocks. Raises OSError."""
    gone = superfluous(directory)
    held.note(directory, gone)
    for path in gone:
        path.unlink(missing_ok=True)


def superfluous(directory: Path) -> list[Path]:
    """Return the snapshots that no segment begins with, nor the newest of them."""
    there = snapshots(directory)
    begins = [first_seq(path) for path in segments(directory)]
    numbers = [number_of(path) for path in there]
    places = {bisect_left(numbers, begin) - 1 for begin in begins}
    return [path for place, path in enumerate(there[:-GENERATIONS]) if place not in places]


def _bases(directory: Path) -> frozenset[int]:
    return frozenset(map(number_of, snapshots(directory)))


def _sizes_from(directory: Path) -> list[tuple[int, int]]:
    """The first number of each segment, and how many bytes the folder takes from there on."""
    files = [(number_of(path), _size(path)) for path in (*segments(directory), *snapshots(directory))]
    begins = [first_seq(path) for path in segments(directory)]
    return [(begin, sum(size for number, size in files if number >= begin - 1)) for begin in begins]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
