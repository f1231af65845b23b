"""What happened, in order, so that nothing that was acknowledged is ever lost?

An append-only log of numbered payloads in segment files. `append` hands the record to the kernel, which is enough
to outlive a `kill -9` of the daemon; `sync` waits until the disk has it, which is enough to outlive a power cut.
A disk that refuses loses nothing while the daemon lives: records wait in memory and are written when it can be done.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selfheal.clock import Clock
from selfheal.durable import make_private, replace_file, sync_directory, sync_file
from selfheal.errors import JournalUnavailable, StateDirUnusable
from selfheal.store.frames import Frame, encode, encode_hole, scan
from selfheal.store.names import Damage, content, named, number_of
from selfheal.store.salvage import SUFFIX, first_seq, salvage, segments
from selfheal.store.segment import Segment
from selfheal.store.snapshots import snapshots

__all__ = ["Damage", "Journal", "Record", "RunInThread", "records_in"]

SEGMENT_BYTES = 4 * 1024 * 1024  # the newest records are found in 40 ms, and the oldest are dropped in small steps

RunInThread = Callable[[Callable[[], None]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Record:
    """One payload and its number. Numbers start at 1, rise, and are never given twice."""

    seq: int
    payload: bytes


class Journal:
    """One writer, in the event loop; only the waiting for the disk happens in a thread."""

    def __init__(self, directory: Path, run_in_thread: RunInThread, segment_size: int, last_seq: int) -> None:
        self._directory = directory
        self._run_in_thread = run_in_thread
        self._segment_size = segment_size
        self._last_seq = last_seq
        self._durable_seq = 0
        self._trouble: str | None = None
        self._open: list[Segment] = []  # the last is appended to, the others are full and wait for the disk
        self._doubtful: list[
            Path
        ] = []  # segments of an earlier daemon of which the disk refused to say that it has them
        self._pass: _Pass | None = None
        self._closed = False
        self._cut = False  # the next record begins a segment
        self.older: tuple[Path, ...] = ()
        """Segments that the start has not looked at: all that is in them comes before what it has read."""

    @classmethod
    def open(
        cls,
        directory: Path,
        run_in_thread: RunInThread,
        clock: Clock,
        segment_size: int = SEGMENT_BYTES,
        since: int = 0,
        known: int = 0,
    ) -> tuple[Journal, Iterator[Record], tuple[Damage, ...]]:
        """Return the journal in `directory`, its records after number `since`, and what was found damaged there.

        `known` is the highest number that anything else says was given: there it goes on, at least. Blocks; for the
        start. Raises StateDirUnusable where the directory cannot be used at all.
        """
        try:
            make_private(directory)
            sync_directory(directory.parent)
            found = salvage(directory, clock.now(), since, frozenset(map(number_of, snapshots(directory))))
            journal = cls(directory, run_in_thread, segment_size, found.last_seq)
            journal.older = found.older
            if found.tail is not None:
                journal._open.append(Segment.go_on(found.tail))
            readable = [path for path in segments(directory) if path not in found.unreadable]
        except OSError as why:
            raise StateDirUnusable(directory.parent, why) from why
        behind = journal._go_on_after(max(since, known))
        journal._settle_start(readable)
        later = [path for path in readable if path not in found.older]
        records = records_in(later, since, found.last_seq, content=_content_or_refuse)
        return journal, records, (*found.damage, *behind)

    @property
    def first_seq(self) -> int:
        """The earliest number that the journal may still hold."""
        held = segments(self._directory)
        return first_seq(held[0]) if held else 1

    @property
    def directory(self) -> Path:
        return self._directory

    @property
    def newest(self) -> tuple[int, int]:
        """Records and bytes in the segment that is written now; none where the next record begins another."""
        if self._cut or not self._open:
            return 0, 0
        segment = self._open[-1]
        return self._last_seq - number_of(segment.path) + 1, segment.size

    @property
    def last_seq(self) -> int:
        """The number of the last record, 0 for none."""
        return self._last_seq

    @property
    def durable_seq(self) -> int:
        """Every record up to this number is on the disk."""
        return self._durable_seq

    @property
    def trouble(self) -> str | None:
        """Why the journal cannot be made durable now; None where the disk did what it was asked last."""
        return self._trouble

    @property
    def waiting(self) -> int:
        """How many records wait in memory for a disk that refuses them."""
        return sum(len(segment.waiting) for segment in self._open)

    def append(self, payload: bytes) -> int:
        """Record `payload`, return its number. Where the disk refuses it waits in memory: see `trouble`."""
        self._last_seq += 1
        if self._cut or not self._open or self._open[-1].size >= self._segment_size:
            self._open.append(Segment(named(self._directory, self._last_seq, SUFFIX)))
            self._cut = False
        self._open[-1].put(self._last_seq, encode(self._last_seq, payload))
        with contextlib.suppress(OSError):  # said in `trouble`, tried again with the next append or sync
            self._flush()
        return self._last_seq

    def cut(self) -> None:
        """Let the next record begin a segment, so that what came before can be dropped by itself one day."""
        self._cut = self.newest[0] > 0

    async def sync(self, seq: int | None = None) -> None:
        """Return when the records up to `seq`, or all so far, are on the disk. All who wait share one wait.

        Raises JournalUnavailable where the disk refuses; the records are kept, and another sync tries again.
        """
        wanted = self._last_seq if seq is None else min(seq, self._last_seq)
        while self._durable_seq < wanted:
            under_way = self._pass
            if under_way is None or under_way.done.done():
                under_way = self._pass = self._begin_pass()
                await under_way.run(self._run_in_thread)
            why = await asyncio.shield(under_way.done)
            if why is not None:
                raise self._unavailable(why) from why

    def read(self, since: int = 0, limit: int | None = None) -> Iterator[Record]:
        """Return the records after number `since` that are there now, at most `limit`. Blocks: call in a thread."""
        paths = segments(self._directory)
        start = bisect_right([first_seq(path) for path in paths], since + 1) - 1
        # Copies, for the loop may append meanwhile.
        waiting = [pair for segment in tuple(self._open) for pair in tuple(segment.waiting)]
        taken = waiting[0][0] - 1 if waiting else self._last_seq
        records = records_in(paths[max(start, 0) :], since, taken, b"".join(frame for _, frame in waiting))
        return itertools.islice(records, limit)

    def forget(self, before: int) -> int:
        """Drop the oldest segments as far as all their records come before `before`; return how many. Blocks.

        Raises OSError. A snapshot must hold what they said: else the next start misses them.
        """
        dropped = 0
        for path, following in itertools.pairwise(segments(self._directory)):
            if first_seq(following) > before:
                break
            path.unlink(missing_ok=True)
            dropped += 1
        if dropped:
            sync_directory(self._directory)
        return dropped

    def close(self) -> None:
        """Wait for the disk a last time and let go. Blocks. Raises JournalUnavailable where records are lost by it."""
        if self._closed:
            return
        try:
            self._flush()
            for segment in self._open:
                os.fdatasync(segment.fileno())
            sync_directory(self._directory)
            self._durable_seq = self._last_seq
        except OSError as why:
            self._note(why)
            raise self._unavailable(why) from why
        finally:
            self._closed = True
            for segment in self._open:
                segment.close()

    def _go_on_after(self, known: int) -> list[Damage]:
        """Give no number again that was given, though the journal has not got that far."""
        first = self._last_seq + 1
        if first > known:
            return []
        if not self._open:
            self._open.append(Segment(named(self._directory, known + 1, SUFFIX)))
        segment = self._open[-1]
        segment.put(known, encode_hole(known))
        self._last_seq = known
        with contextlib.suppress(OSError):
            self._flush()
        missing = f"records {first} to {known} are missing"
        return [Damage(segment.path.name, segment.size, 0, missing, None, (first, known))]

    def _settle_start(self, there: list[Path]) -> None:
        """Make durable what the last daemon may have left in the kernel, also in segments that it had filled."""
        try:
            for path in there:
                sync_file(path)
            sync_directory(self._directory)
        except OSError as why:
            self._note(why)
            # Only written anew are they on the disk, see `Segment.distrust`; what is appended to cannot be.
            self._doubtful = [path for path in there if first_seq(path) <= self._last_seq]
            while self._open:
                self._open.pop().close()
        else:
            self._durable_seq = self._last_seq

    def _flush(self) -> None:
        try:
            if self._closed:
                raise OSError("it is closed")
            for segment in self._open:
                segment.flush()
        except OSError as why:
            self._note(why)
            raise

    def _begin_pass(self) -> _Pass:
        try:
            self._flush()
        except OSError as why:
            raise self._unavailable(why) from why
        sizes = [(segment, segment.size) for segment in self._open]
        upto, doubtful = self._last_seq, tuple(self._doubtful)

        def ended(error: OSError | None) -> None:
            if self._closed:
                return
            if error is None:
                self._doubtful.clear()
                self._confirm(upto, sizes)
            else:
                self._distrust(error)

        names = None if all(segment.named for segment in self._open) else self._directory
        files = [(segment.fileno(), segment.path) for segment in self._open]
        return _Pass(doubtful, files, names, ended)

    def _confirm(self, upto: int, sizes: list[tuple[Segment, int]]) -> None:
        for segment, size in sizes:
            segment.confirm(upto, size)
        self._durable_seq = max(self._durable_seq, upto)
        while len(self._open) > 1 and self._open[0].settled:
            self._open.pop(0).close()
        if not any(segment.waiting for segment in self._open):
            self._trouble = None

    def _distrust(self, why: OSError) -> None:
        self._note(why)
        for segment in self._open:
            segment.distrust()

    def _note(self, why: OSError) -> None:
        self._trouble = _words(why)

    def _unavailable(self, why: OSError) -> JournalUnavailable:
        return JournalUnavailable(
            f"cannot make the journal in {str(self._directory)!r} durable: {_words(why)}; free space on its disk "
            f"or mend it: what happens meanwhile is kept in memory and written as soon as the disk takes it"
        )


class _Pass:
    """One wait for the disk, shared by all who want it.

    It outlives the task that began it: the kernel reports a failed write once, and that report must not be lost
    with a cancelled task. So the thread itself tells the loop how it ended.
    """

    def __init__(
        self,
        doubtful: tuple[Path, ...],
        files: list[tuple[int, Path]],
        directory: Path | None,
        ended: Callable[[OSError | None], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[OSError | None] = self._loop.create_future()
        self._doubtful = doubtful  # to be written anew
        self._files = files
        self._directory = directory  # None where it holds no new names
        self._ended = ended
        self._begun = False
        self._withdrawn = False

    async def run(self, run_in_thread: RunInThread) -> None:
        """Do it. When cancelled before a thread took it, those who wait try again by themselves."""
        try:
            await run_in_thread(self._work)
        finally:
            self._withdrawn = True  # set before `_begun` is read, and `_work` does it the other way round
            if not self._begun:
                self._withdraw()

    def _work(self) -> None:
        self._begun = True
        if self._withdrawn:
            self._loop.call_soon_threadsafe(self._withdraw)
            return
        error: OSError | None = None
        try:
            for path in self._doubtful:
                with contextlib.suppress(FileNotFoundError):  # dropped for its age meanwhile
                    replace_file(path, path.read_bytes())
            for fd, _ in self._files:
                os.fdatasync(fd)
            for fd, newest in self._files[-1:]:
                if not os.fstat(fd).st_nlink and not newest.exists():
                    raise FileNotFoundError(errno.ENOENT, "its file was removed")  # what is written there is lost
            if self._directory is not None:
                sync_directory(self._directory)
        except OSError as why:
            error = why
        self._loop.call_soon_threadsafe(self._end, error)

    def _end(self, error: OSError | None) -> None:
        self._ended(error)
        self.done.set_result(error)

    def _withdraw(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def records_in(
    paths: list[Path], since: int, last: int, waiting: bytes = b"", content: Callable[[Path], bytes] | None = None
) -> Iterator[Record]:
    """Yield the records after number `since` of segments, up to number `last`, then the frames that wait in memory.

    `content` reads a segment; without it one that cannot be read is passed over.
    """
    read = content or _held
    for path in paths:
        for item in scan(read(path)):
            if isinstance(item, Frame) and not item.hole and since < item.seq <= last:
                since = item.seq
                yield Record(item.seq, item.payload)
    for item in scan(waiting):
        if isinstance(item, Frame) and item.seq > since:
            yield Record(item.seq, item.payload)


def _held(path: Path) -> bytes:
    try:
        return content(path)
    except OSError:  # dropped for its age meanwhile; one that is broken was reported at the start
        return b""


def _content_or_refuse(path: Path) -> bytes:
    """Return what is in a segment that could be read a moment ago. Raises StateDirUnusable: nothing is passed over."""
    try:
        return path.read_bytes()
    except OSError as why:
        raise StateDirUnusable(path.parent.parent, why) from why


def _words(why: OSError) -> str:
    return why.strerror or str(why)
