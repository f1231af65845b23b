"""How is a file of lines whose last line was torn made whole again, in place?

The damaged end is kept beside the file before it is cut, and nothing is cut that somebody might still be writing.
"""

from __future__ import annotations

import os
from glob import escape
from pathlib import Path

from selfheal.data.asset import Tell
from selfheal.data.jsonlines import LONGEST, Bad, Found, fault_of, look_at, told
from selfheal.data.jsonlook import GRACE_S, is_torn, unended
from selfheal.data.jsontext import whole
from selfheal.data.writers import Writers, alone, file_time, writers
from selfheal.durable import keep_aside
from selfheal.errors import DataFailed


def truncate_tail(path: Path, tell: Tell) -> str:
    """Cut what is torn at the end of a file of lines, or end its last line; returns what was done, empty for nothing.

    Raises DataFailed where more than the last line is damaged, or somebody may still be writing.
    """
    with path.open("rb") as file:
        stat = os.fstat(file.fileno())
        found = look_at(file, stat.st_size, Found(), tell=tell)
        rest = unended(found)
        torn = found.bad[-1:] or []
        if rest is not None:
            torn = [Bad(rest.number, rest.number, rest.begin, rest.end, fault_of(rest))]
        if found.bad and not (rest is None and is_torn(found, stat.st_size)):
            raise _cannot(path, f"{told(found.bad)} cannot be read too; salvage all of it", "corrupted")
        if not torn:
            return ""
        _refuse_while_written(path, file.fileno(), stat)
        file.seek(torn[0].begin)
        tail = file.read(LONGEST + 1)
    if len(tail) > LONGEST:
        raise _cannot(path, f"its damaged end has more than {LONGEST >> 20} MiB; salvage it", "corrupted")
    return _mend(path, stat, torn[0].begin, tail)


def _mend(path: Path, stat: os.stat_result, begin: int, tail: bytes) -> str:
    """End the last line where it is whole, NULs after it or not; else cut it."""
    line = tail.rstrip(b"\0")
    if whole(line) and b"\n" not in tail:
        _put(path, stat, begin + len(line), b"\n")
        return f"{path.name}: ended the last line" + (f", cut {len(tail) - len(line):,} NUL bytes" * (line != tail))
    aside = _keep(path, tail, stat.st_mtime)
    _put(path, stat, begin, b"")
    return f"{path.name}: cut {len(tail):,} bytes after the last whole line, kept as {aside.name!r}"


def _keep(path: Path, tail: bytes, at: float) -> Path:
    """Keep the damaged end; where a mend before this one died after that, it is there already."""
    for kept in path.parent.glob(f"{escape(path.name)}.damaged-*"):
        if kept.stat().st_size == len(tail) and kept.read_bytes() == tail:
            return kept
    return keep_aside(path, tail, at)


def _put(path: Path, seen: os.stat_result, end: int, what: bytes) -> None:
    """Let the file end at `end` with `what` after it, durable, unless it is not as it was seen any more."""
    fd = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        with alone(fd):  # without a lease what is left is an instant, and who has it open only appends
            now = os.fstat(fd)
            if (now.st_ino, now.st_size, now.st_mtime_ns) != (seen.st_ino, seen.st_size, seen.st_mtime_ns):
                raise _cannot(path, "it was written to meanwhile; it is tried again when it is at rest")
            os.ftruncate(fd, end)
            os.write(fd, what)
            os.fsync(fd)
    finally:
        os.close(fd)


def _refuse_while_written(path: Path, fd: int, stat: os.stat_result) -> None:
    now = file_time(path.parent)
    if writers(fd, now) is Writers.LIVE:
        raise _cannot(path, "a process that may be writing its last line has it open; stop that first")
    if now - stat.st_mtime < GRACE_S:
        raise _cannot(path, f"it was written to in the last {GRACE_S:g} s; it is tried again when it is at rest")


def _cannot(path: Path, why: str, cause: str = "") -> DataFailed:
    return DataFailed(f"cannot cut the end of {str(path)!r}: {why}", cause)
