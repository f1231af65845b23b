"""Who holds a lock on a database?

The kernel is asked who would be in the way (F_GETLK); no lock is ever taken, so nobody waits for the question. The
places of the locks are part of SQLite's file format, and stay what they are.
"""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path
from typing import NamedTuple

import msgspec

from selfheal.data.sqlite_memory import forget, recall, remember
from selfheal.data.sqlite_open import Stamp, beside

PENDING = 0x40000000
_WRITERS = (PENDING, 2)  # PENDING and RESERVED; an exclusive lock holds both
_WAL_WRITER = (120, 1)
_WAL_READERS = (123, 5)
_FLOCK = "hhqqi4x"


class Held(NamedTuple):
    """A lock. `pid` is 0 where its holder cannot be seen from here."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.name})" if self.pid else "a process outside this container"


class Waiting(msgspec.Struct, frozen=True):
    """A writer's lock that was seen at several looks, with nothing written between them."""

    pid: int
    since: float
    written: list[int]


def writer(path: Path) -> Held | None:
    """Return who holds the lock of the one writer."""
    return _asked(path, *_WRITERS) or _asked(beside(path, "-shm"), *_WAL_WRITER)


def reader(path: Path) -> Held | None:
    """Return one of those who read an old state, so that the WAL must be kept."""
    return _asked(beside(path, "-shm"), *_WAL_READERS)


def held_for(path: Path, memory: Path, at: float) -> tuple[float, Held | None]:
    """Return for how many seconds the same writer has held its lock without a commit, as far as looks have seen."""
    holder = writer(path)
    if holder is None:
        forget(memory, Waiting)
        return 0.0, None
    written = [Stamp.of(each).written_ns for each in (path, beside(path, "-wal")) if each.exists()]
    before = recall(memory, Waiting)
    if before is None or (before.pid, before.written) != (holder.pid, written) or before.since > at:
        before = Waiting(holder.pid, at, written)
        remember(memory, before)
    return at - before.since, holder


def _asked(path: Path, first: int, length: int) -> Held | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, first, length, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    except OSError:  # a file system without locks
        return None
    finally:
        os.close(fd)
    return Held(max(0, pid), _name(pid)) if kind != fcntl.F_UNLCK else None


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return "gone"
