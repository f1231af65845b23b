"""How is a database that others use read without any harm to them?

Three ways, by what lies beside it:

- Nothing, or nothing of weight: it is read as it lies there, with no lock at all (`immutable`), and what was read
  counts only if nobody wrote meanwhile (`Stamp`). No writer ever waits for us, and no file appears beside it.
- A WAL with its index: somebody uses it, and an ordinary reader blocks nobody.
- A hot journal, or a WAL without an index: its last user died, and who opens it must put it right. That is not ours to
  do while we only look; a copy of all files is opened instead.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from selfheal.errors import DataFailed

COMPANIONS = ("-journal", "-wal", "-shm")
BUSY_S = 0.2  # who waits longer is told as locked
_AGAIN = 5  # a file that is written so often has a moment of peace in as many tries, or another way is taken
_COUNTER_AT = 24

_CAUSES = {
    sqlite3.SQLITE_CORRUPT: "corrupted", sqlite3.SQLITE_NOTADB: "corrupted", sqlite3.SQLITE_FORMAT: "corrupted",
    sqlite3.SQLITE_BUSY: "locked", sqlite3.SQLITE_LOCKED: "locked", sqlite3.SQLITE_PERM: "permission",
    sqlite3.SQLITE_READONLY: "permission", sqlite3.SQLITE_CANTOPEN: "permission", sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_NOMEM: "out_of_memory", sqlite3.SQLITE_IOERR: "corrupted",
}  # fmt: skip


class Stamp(NamedTuple):
    """What changes with every write to a file: where it is, how long, when written, SQLite's count of changes."""

    device: int
    inode: int
    size: int
    written_ns: int
    changes: bytes

    @classmethod
    def of(cls, path: Path) -> Stamp:
        with path.open("rb") as file:
            stat = os.fstat(file.fileno())
            changes = os.pread(file.fileno(), 4, _COUNTER_AT)
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, changes)

    def is_write_of(self, other: Stamp) -> bool:
        """Whether both tell of one file that nobody has written to in between, whatever became of its bytes."""
        return self[:2] == other[:2] and self.written_ns == other.written_ns


def quoted(name: str) -> str:
    """Return a name as it stands in SQL."""
    return '"' + name.replace('"', '""') + '"'


def beside(path: Path, suffix: str) -> Path:
    """Return a companion of a database: its journal, its WAL or the index of that."""
    return path.with_name(path.name + suffix)


def weight(path: Path) -> int:
    """Return the size of a file, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def failed(path: Path, why: sqlite3.Error, *, before: bool = False) -> DataFailed:
    """Return what an error of SQLite means to who watches the data. `before` says that it could be read once."""
    code = getattr(why, "sqlite_errorcode", 0) & 0xFF
    cause = _CAUSES.get(code, "corrupted" if before and code == sqlite3.SQLITE_ERROR else "")
    return DataFailed(f"cannot read the database {str(path)!r}: {why}; {_CURES.get(cause, _CURES[''])}", cause)


_CURES = {
    "": "try the same with the sqlite3 program to see what it lacks",
    "corrupted": "salvage it, or restore a backup",
    "locked": "look which process has it open",
    "permission": "let the user that selfheal runs as read it",
    "disk_full": "free space",
    "out_of_memory": "give the look more memory",
}


def is_unfinished(path: Path) -> bool:
    """Whether the last user died in the middle of something, as far as the names beside the database tell."""
    return weight(beside(path, "-wal")) > 0 and not beside(path, "-shm").exists()


def is_quiet(path: Path) -> bool:
    """Whether all that was written stands in the database itself, and nobody is writing to it."""
    return not (weight(beside(path, "-wal")) or weight(beside(path, "-journal")) or beside(path, "-shm").exists())


def connect(path: Path, how: str, patience_s: float = BUSY_S) -> sqlite3.Connection:
    """Open a database: `how` is what stands behind the question mark."""
    uri = f"file:{quote(str(path))}?{how}"
    connection = sqlite3.connect(uri, uri=True, timeout=patience_s, isolation_level=None)
    connection.execute("PRAGMA query_only = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


class Reading(NamedTuple):
    """A database that is open for reading. `settled` says that no write of others can have come between."""

    connection: sqlite3.Connection
    stamp: Stamp | None
    path: Path

    def settled(self) -> bool:
        """Whether what was read is what was there, all of one moment."""
        return self.stamp is None or (self.stamp == Stamp.of(self.path) and is_quiet(self.path))


@contextlib.contextmanager
def reading(path: Path, scratch: Path, *, unlocked: bool = True, patience_s: float = BUSY_S) -> Iterator[Reading]:
    """Open a database of others for one read, in the way that harms nobody.

    Raises sqlite3.Error as SQLite does. `scratch` holds the copy where one is needed.
    """
    if is_unfinished(path):
        with _copied(path, scratch) as copy, contextlib.closing(connect(copy, "mode=rw")) as connection:
            yield Reading(connection, None, path)
        return
    if unlocked and is_quiet(path):
        with contextlib.closing(connect(path, "mode=ro&immutable=1")) as connection:
            yield Reading(connection, Stamp.of(path), path)
        return
    with contextlib.closing(connect(path, "mode=ro", patience_s)) as connection:
        if not _needs_repair(connection):
            yield Reading(connection, None, path)
            return
    with _copied(path, scratch) as copy, contextlib.closing(connect(copy, "mode=rw")) as connection:
        yield Reading(connection, None, path)


def _needs_repair(connection: sqlite3.Connection) -> bool:
    """Whether a journal is hot, so that a reader who may not write is refused."""
    try:
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    except sqlite3.OperationalError as why:
        if why.sqlite_errorcode & 0xFF == sqlite3.SQLITE_READONLY:
            return True
        raise
    return False


@contextlib.contextmanager
def _copied(path: Path, scratch: Path) -> Iterator[Path]:
    """Give a copy of a database with what belongs to it, gone afterwards."""
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=scratch) as folder:
        yield copy_all(path, Path(folder))


def copy_all(path: Path, folder: Path) -> Path:
    """Copy a database with its journal or WAL, of one moment where the writer leaves us one; returns the copy."""
    copy = folder / "data.db"
    for _ in range(_AGAIN):
        before = _stamps(path)
        for suffix in ("", "-journal", "-wal"):
            source, target = beside(path, suffix), beside(copy, suffix)
            target.unlink(missing_ok=True)
            if not suffix or source.exists():
                shutil.copyfile(source, target)
        if _stamps(path) == before:
            break
    return copy


def _stamps(path: Path) -> list[Stamp | None]:
    return [
        Stamp.of(each) if each.exists() else None for each in (path, beside(path, "-journal"), beside(path, "-wal"))
    ]


@contextlib.contextmanager
def at_most(connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Stop what the connection does after a time: it raises SQLITE_INTERRUPT then."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def is_interrupted(why: sqlite3.Error) -> bool:
    """Whether it was `at_most` that ended it."""
    return getattr(why, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT
