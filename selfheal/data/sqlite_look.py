"""Is a database of SQLite sound, fresh, unlocked, and is in it what should be?"""

from __future__ import annotations

import contextlib
import errno
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from selfheal.data import page_manifest
from selfheal.data.asset import Health, Tell
from selfheal.data.sqlite_copy import check, copy_online, count_rows, orphans
from selfheal.data.sqlite_locks import Held, held_for, writer
from selfheal.data.sqlite_memory import Canaries, Entry, Sound, now, recall, remember
from selfheal.data.sqlite_open import (
    Reading,
    Stamp,
    at_most,
    beside,
    connect,
    failed,
    is_interrupted,
    is_quiet,
    is_unfinished,
    reading,
    weight,
)
from selfheal.data.sqlite_pages import HEADER_BYTES, Unreadable, header_of
from selfheal.data.sqlite_wal import torn
from selfheal.errors import DataFailed

_TRIES = 3  # to read without a lock, while somebody writes
_NAMED_PAGES = 8
_HELD_S = 0.5  # as long as a reader's lock may hold a writer off, where there is no WAL
_COPIED_BYTES = 1_000_000_000  # what a quick look copies at most, of a database whose last user died


class Canary(msgspec.Struct, frozen=True):
    """A query that gives one number. Outside of `least` to `most` it is no good."""

    query: str
    least: float | None = None
    most: float | None = None


class Wanted(msgspec.Struct, frozen=True):
    """What is asked of the database, besides that it is sound."""

    max_wal: int
    max_lock: float
    max_age: float | None
    max_drop: float | None
    foreign_keys: bool
    canaries: Mapping[str, Canary]
    quick_s: float


class _Wrong(Exception):
    """The look has found what is wrong."""

    def __init__(self, reason: str, cause: str) -> None:
        super().__init__(reason)
        self.reason, self.cause = reason, cause


class Look:
    """One look. `run` gives what it saw."""

    def __init__(self, path: Path, wanted: Wanted, memory: Path, tell: Tell) -> None:
        self._path, self._wanted, self._memory, self._tell = path, wanted, memory, tell
        self._signals: dict[str, float] = {}
        self._counts: dict[str, float] = {}
        self._sound = recall(memory, Sound)
        self._before: Mapping[str, float] = (recall(memory, Canaries) or Canaries()).values
        self._patience_s = wanted.quick_s
        self._header = b""
        self._schema: list[Entry] = []
        self._rows: Mapping[str, float] = {}
        self._canaries: Mapping[str, float] = {}

    def run(self, *, thorough: bool) -> Health:
        try:
            self._measure()
            self._form()
            holder = self._lock()
            self._read(thorough=thorough)
            self._limits(holder)
        except _Wrong as why:
            return Health(why.reason, why.cause, self._signals, self._counts)
        return Health("", "", self._signals, self._counts)

    # --- the file ---

    def _measure(self) -> None:
        """Find the file, and say how large and how old it is."""
        try:
            stat = self._path.stat()
            with self._path.open("rb"):
                pass
        except FileNotFoundError:
            raise _Wrong(f"there is no file {str(self._path)!r}", "missing_data") from None
        except OSError as why:
            cause = "permission" if why.errno in {errno.EACCES, errno.EPERM} else ""
            raise DataFailed(f"cannot read {str(self._path)!r}: {why.strerror}; {_CURE}", cause) from why
        self._memory.mkdir(mode=0o700, parents=True, exist_ok=True)
        wal = beside(self._path, "-wal")
        written = max(stat.st_mtime, wal.stat().st_mtime if wal.exists() else 0.0)
        self._signals |= {
            "bytes": stat.st_size,
            "wal_bytes": weight(wal),
            "age": max(0.0, now(self._memory) - written),
        }

    def _form(self) -> None:
        """Look at the header. An empty file is a sound database in which nothing is yet."""
        with self._path.open("rb") as file:
            begin = self._header = file.read(HEADER_BYTES)
        if not begin:
            if self._sound and self._sound.schema and not weight(beside(self._path, "-wal")):
                raise _Wrong("the file is empty, and held tables before", "missing_data")
            return
        try:
            header = header_of(begin)
        except Unreadable as why:
            if self._sound:
                raise _Wrong(f"{why}, and did before: it was damaged or written over", "corrupted") from why
            raise _Wrong(f"{why}: it is another kind of file, or encrypted", "schema_broken") from why
        rest = int(self._signals["bytes"]) % header.page_size
        if rest and is_quiet(self._path):
            raise _Wrong(f"its last page has {rest} of {header.page_size} bytes: the file was cut off", "corrupted")

    def _lock(self) -> tuple[float, Held | None]:
        held = held_for(self._path, self._memory, now(self._memory))
        self._signals["locked_seconds"] = held[0]
        return held

    # --- what is in it ---

    def _read(self, *, thorough: bool) -> None:
        try:
            if thorough:
                self._thorough()
            else:
                self._quick()
        except DataFailed as why:
            raise _Wrong(str(why), why.cause) if why.cause == "corrupted" else why from None
        except sqlite3.Error as why:
            known = failed(self._path, why, before=self._sound is not None)
            if known.cause == "locked":
                return  # for how long says whether that is a failure
            if known.cause != "corrupted":
                raise known from why
            raise _Wrong(str(why), "corrupted") from why

    def _quick(self) -> None:
        if self._is_begun() and self._signals["bytes"] > _COPIED_BYTES:
            self._signals["checked"] = 0.0
            return
        for attempt in range(_TRIES):
            with reading(self._path, self._memory, unlocked=attempt + 1 < _TRIES) as source:
                if source.stamp is None and not self._signals["wal_bytes"]:
                    self._patience_s = min(self._wanted.quick_s, _HELD_S)
                if self._counts_as_seen(source, self._quickly):
                    return

    def _is_begun(self) -> bool:
        """Whether its last user died in the middle of something, so that only a copy can be opened."""
        return is_unfinished(self._path) or (weight(beside(self._path, "-journal")) > 0 and not writer(self._path))

    def _counts_as_seen(self, source: Reading, look: Callable[[sqlite3.Connection], None]) -> bool:
        """Look at an open database; returns False where somebody wrote meanwhile, so that it tells nothing."""
        try:
            look(source.connection)
        except (_Wrong, sqlite3.Error):
            if source.settled():
                raise
            return False
        if not source.settled():
            return False
        self._keep()
        return True

    def _quickly(self, connection: sqlite3.Connection) -> None:
        if wrong := self._checked_in_time(connection):
            raise _Wrong(wrong, "corrupted")
        self._ask_canaries(connection)
        self._schema = _schema_of(connection)

    def _checked_in_time(self, connection: sqlite3.Connection) -> str:
        try:
            with at_most(connection, self._patience_s):
                wrong = check(connection, quick=True)
        except sqlite3.Error as why:
            if not is_interrupted(why):
                raise
            self._signals["checked"] = 0.0
            return ""
        self._signals["checked"] = 1.0
        return wrong

    def _thorough(self) -> None:
        self._compare()
        if lost := torn(beside(self._path, "-wal")):
            raise _Wrong(
                f"frame {lost.frame} of its WAL is damaged: {lost.commits} commits from there on are lost", "torn_tail"
            )
        stamp = Stamp.of(self._path)
        if not self._in_place():
            self._copied()
        self._renew(stamp)

    def _in_place(self) -> bool:
        """Check it where it lies, if no writer has to wait for that; returns whether it could be.

        A WAL lets everybody write meanwhile, and a file that nobody writes to needs no lock. Else a reader's lock
        would hold every writer off.
        """
        if not (is_quiet(self._path) or weight(beside(self._path, "-wal"))):
            return False
        with reading(self._path, self._memory) as source:
            return self._counts_as_seen(source, self._thoroughly)

    def _copied(self) -> None:
        with tempfile.TemporaryDirectory(prefix="scratch-", dir=self._memory) as folder:
            copy = Path(folder) / "data.db"
            copy_online(self._path, copy, self._memory, self._tell)
            with contextlib.closing(connect(copy, "mode=ro&immutable=1")) as connection:
                self._thoroughly(connection)
        self._keep()

    def _thoroughly(self, connection: sqlite3.Connection) -> None:
        self._tell("checking", 0.0)
        if wrong := check(connection) or (orphans(connection) if self._wanted.foreign_keys else ""):
            raise _Wrong(wrong, "corrupted")
        self._signals["checked"] = 1.0
        self._rows = count_rows(connection)
        self._counts |= self._rows
        self._ask_canaries(connection)
        self._schema = _schema_of(connection)

    def _compare(self) -> None:
        """Look for pages that changed although nobody wrote."""
        strange = page_manifest.strange_runs(self._path, self._memory, self._tell)
        if strange:
            raise _Wrong(
                f"nobody has written to the file, and yet its pages {self._pages(strange)} have changed: the disk or "
                "another program has damaged them",
                "corrupted",
            )

    def _pages(self, runs: list[tuple[int, int]]) -> str:
        with self._path.open("rb") as file:
            try:
                size = header_of(file.read(HEADER_BYTES)).page_size
            except Unreadable:
                size = self._sound.page_size if self._sound else runs[0][1] - runs[0][0]
        numbers = sorted({page for run in runs for page in page_manifest.pages_of(run, size)})
        shown = ", ".join(map(str, numbers[:_NAMED_PAGES]))
        return f"{shown} and {len(numbers) - _NAMED_PAGES} more" if len(numbers) > _NAMED_PAGES else shown

    def _renew(self, checked: Stamp | None) -> None:
        """Take a manifest of just the bytes that were found sound; of a file that is never quiet there is none."""
        taken = page_manifest.take(self._path, self._memory, self._tell)
        if taken is not None and taken != checked:
            page_manifest.drop(self._memory)
            taken = None
        self._signals["manifest"] = float(taken is not None)

    def _keep(self) -> None:
        """Remember what was sound."""
        if self._header:
            counts, at = self._rows, header_of(self._header).changes
            if not counts and self._sound:
                counts, at = self._sound.counts, self._sound.counted_at
            sound = Sound(self._header, self._schema, counts, at)
            if sound != self._sound:
                remember(self._memory, sound)
        if not self._canaries.items() <= self._before.items():
            remember(self._memory, Canaries({**self._before, **self._canaries}))

    # --- what the user expects ---

    def _ask_canaries(self, connection: sqlite3.Connection) -> None:
        asked = {name: self._asked(connection, name, each) for name, each in self._wanted.canaries.items()}
        self._canaries = {name: value for name, value in asked.items() if value is not None}
        self._signals |= self._canaries
        self._counts |= self._canaries
        for name, value in self._canaries.items():
            self._expect(name, value, self._before.get(name))

    def _asked(self, connection: sqlite3.Connection, name: str, canary: Canary) -> float | None:
        """Ask one. It gives nothing where it takes too long: that says nothing of the data."""
        try:
            with at_most(connection, self._patience_s):
                row = connection.execute(canary.query).fetchone()
        except sqlite3.Error as why:
            if is_interrupted(why):
                self._signals["checked"] = 0.0
                return None
            if failed(self._path, why).cause == "corrupted":
                raise
            raise _Wrong(f"the canary {name} cannot be asked: {why}", "schema_broken") from why
        if row is None or not isinstance(row[0], int | float):
            raise _Wrong(f"the canary {name} gives no number", "missing_data")
        return float(row[0])

    def _expect(self, name: str, value: float, before: float | None) -> None:
        canary, drop = self._wanted.canaries[name], self._wanted.max_drop
        if canary.least is not None and value < canary.least:
            raise _Wrong(f"the canary {name} gives {value:g}, less than {canary.least:g}", "missing_data")
        if canary.most is not None and value > canary.most:
            raise _Wrong(f"the canary {name} gives {value:g}, more than {canary.most:g}", "wrong_answer")
        if drop is not None and before is not None and value < before * (1 - drop):
            kept = self._memory / "sqlite-canaries"
            raise _Wrong(
                f"the canary {name} gives {value:g}, and {before:g} when it was last good; if that is right, remove "
                f"{str(kept)!r}",
                "missing_data",
            )

    def _limits(self, held: tuple[float, Held | None]) -> None:
        seconds, holder = held
        if seconds > self._wanted.max_lock:
            raise _Wrong(f"{holder} has held the lock of the writer for {seconds:.0f} s and written nothing", "locked")
        if self._signals["wal_bytes"] > self._wanted.max_wal:
            raise _Wrong(f"its WAL has {self._signals['wal_bytes']:,.0f} bytes", "wal_grown")
        if self._wanted.max_age is not None and self._signals["age"] > self._wanted.max_age:
            raise _Wrong(f"nothing was written for {self._signals['age']:.0f} s", "stale")


_CURE = "let the user that selfheal runs as read it, or correct 'path'"


def _schema_of(connection: sqlite3.Connection) -> list[Entry]:
    rows = connection.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_schema").fetchall()
    return [Entry.of(list(row)) for row in rows]
