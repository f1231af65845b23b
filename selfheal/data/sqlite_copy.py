"""How does one get a consistent copy of a database that others write to, and see that it is sound?"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from selfheal.data.asset import Tell
from selfheal.data.sqlite_open import beside, connect, quoted, reading, weight
from selfheal.errors import DataFailed

_STEP_PAGES = 256  # 1 MB: a writer waits for a few milliseconds
_PAUSE_S = 0.002
_BUSY_S = 30.0  # a copy is worth a wait, other than a look
_RESTARTS = 5  # a writer that is never quiet waits once for one long step
_SHOWN = 3


class _Restarted(Exception):
    """A writer has made the copy begin anew too often."""


def copy_online(path: Path, target: Path, scratch: Path, tell: Tell) -> None:
    """Copy a database while others write. Raises sqlite3.Error as SQLite does."""
    _room_for(path, target)
    with (
        reading(path, scratch, unlocked=False, patience_s=_BUSY_S) as source,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        if weight(beside(path, "-wal")):
            source.connection.execute("BEGIN")  # one state of the WAL for the whole copy; no writer waits for it
        try:
            source.connection.backup(copy, pages=_STEP_PAGES, sleep=_PAUSE_S, progress=_Patience(tell))
        except _Restarted:
            source.connection.backup(copy)


class _Patience:
    """Tells how far the copy is, and counts how often it began anew."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._left = 0
        self._restarts = 0

    def __call__(self, status: int, left: int, pages: int) -> None:
        self._restarts += left > self._left > 0
        self._left = left
        if self._restarts > _RESTARTS:
            raise _Restarted
        self._tell("copying", 1 - left / max(pages, 1))


def _room_for(path: Path, target: Path) -> None:
    wanted = path.stat().st_size + weight(beside(path, "-wal"))
    free = shutil.disk_usage(target.parent).free
    if free < wanted:
        raise DataFailed(
            f"cannot copy {str(path)!r}: it needs {wanted:,} bytes below {str(target.parent)!r}, where {free:,} are "
            "free; free space, or move the state directory to a larger disk",
            "disk_full",
        )


def check(connection: sqlite3.Connection, *, quick: bool = False) -> str:
    """Let SQLite check what is open; returns what it found, empty where all is sound."""
    pragma = "quick_check(1)" if quick else f"integrity_check({_SHOWN})"
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA {pragma}")]
    except sqlite3.DatabaseError as why:
        if why.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR}:
            return str(why)
        raise
    return "" if found == ["ok"] else "; ".join(" ".join(each.split()) for each in found)


def orphans(connection: sqlite3.Connection) -> str:
    """Return which rows point to nothing, empty where none do."""
    broken = connection.execute(
        'SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2'
    ).fetchall()
    return "; ".join(
        f"{count:,} rows of {table} point to no row of {parent}" for table, parent, count in broken[:_SHOWN]
    )


def count_rows(connection: sqlite3.Connection) -> Mapping[str, float]:
    """Return the number of rows of each table. Those of modules that only the application has are not counted."""
    tables = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    ).fetchall()
    return {
        name: connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0]  # noqa: S608 - quoted
        for (name,) in tables
    }


def prove(copy: Path, *, foreign_keys: bool) -> tuple[Mapping[str, float], str]:
    """Check all of a copy that nobody else has; returns its counts and the hash of its bytes. Raises DataFailed."""
    try:
        with contextlib.closing(connect(copy, "mode=ro&immutable=1")) as connection:
            if wrong := check(connection) or (orphans(connection) if foreign_keys else ""):
                raise DataFailed(f"the copy is not sound: {wrong}", "corrupted")
            counts = count_rows(connection)
    except sqlite3.Error as why:
        raise DataFailed(f"the copy cannot be read: {why}", "corrupted") from why
    return counts, digest(copy)


def digest(path: Path) -> str:
    """Return a name of the bytes of a file."""
    with path.open("rb") as file:
        hashed = blake2b(digest_size=16)
        while piece := file.read(1 << 20):
            hashed.update(piece)
    return hashed.hexdigest()


def sync(path: Path) -> None:
    """Wait until the bytes of a file are on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
