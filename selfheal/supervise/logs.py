"""What did an agent write?

Its log and the rotated pieces of it, read as the one text that they are. Times are not in it: an agent writes its log
itself.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path

from selfheal.clock import Clock
from selfheal.supervise.rotation import content, piece

_TAIL_BYTES = 64 * 1024
_LONGEST_LINE_BYTES = 64 * 1024  # a longer one is shown in parts
_CHUNK_BYTES = 1 << 20  # of one look by a follower, so that a flood is shown as it comes
_LOOK_EVERY_S = 0.2  # what a person takes for at once

_Stamp = tuple[int, int]
_NO_FILE: _Stamp = (0, 0)


def tail(path: Path, lines: int, max_bytes: int = _TAIL_BYTES) -> tuple[str, ...]:
    """The last lines, oldest first, within the last `max_bytes`. Blocking file work; no log is no lines."""
    text, _ = _last_bytes(path, max_bytes)
    return tuple(map(_decode, text.removesuffix(b"\n").split(b"\n")[-lines:])) if text and lines > 0 else ()


class Follower:
    """The last `lines` lines of a log, and every later one as it is written, across rotations and restarts.

    Lines are missing only where they were rotated away faster than they were read: a reader that comes back after
    longer finds the last MiB of each piece, and with `keep = 0` there are no pieces.
    """

    def __init__(self, path: Path, clock: Clock, lines: int = 0) -> None:
        self._path = path
        self._clock = clock
        self._first_lines = lines
        self._partial = b""

    async def lines(self) -> AsyncIterator[str]:
        """Never ends by itself. A line is given when its end is written."""
        text, place = await asyncio.to_thread(_last_bytes, self._path, _TAIL_BYTES)
        before = self._complete(text)
        for line in before[len(before) - self._first_lines if self._first_lines < len(before) else 0 :]:
            yield line
        while True:
            text, place = await asyncio.to_thread(_read_on, self._path, place)
            for line in self._complete(text):
                yield line
            if not text:
                await self._clock.sleep(_LOOK_EVERY_S)

    def _complete(self, text: bytes) -> list[str]:
        """The lines that `text` ends; the beginning of the next one is kept."""
        *complete, self._partial = (self._partial + text).split(b"\n")
        if len(self._partial) > _LONGEST_LINE_BYTES:
            complete.append(self._partial)
            self._partial = b""
        return [_decode(line) for line in complete]


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a reader came: `consumed` bytes into the live file of this inode, when `newest` was the newest piece."""

    consumed: int
    inode: int
    newest: _Stamp


def _last_bytes(path: Path, max_bytes: int) -> tuple[bytes, _Place]:
    """The end of what was written, from the beginning of a line where that is in reach, and the place behind it."""
    live = _open_locked(path)
    try:
        text, place = _end_of(live, path, max_bytes)
        for number in count(1):
            missing = max_bytes - len(text)
            if missing <= 0 or _stamp(piece(path, number)) == _NO_FILE:
                break
            text = _end_of_piece(piece(path, number), 0, missing) + text
    finally:
        _close(live)
    return (text.partition(b"\n")[2] or text) if len(text) >= max_bytes else text, place


def _end_of(live: int | None, path: Path, max_bytes: int) -> tuple[bytes, _Place]:
    newest = _stamp(piece(path, 1))
    if live is None:
        return b"", _Place(0, 0, newest)
    start, end = content(live)
    first = max(start, end - max_bytes)
    return os.pread(live, end - first, first), _Place(end - start, os.fstat(live).st_ino, newest)


def _read_on(path: Path, place: _Place) -> tuple[bytes, _Place]:
    """What was written since `place`, and the place behind it."""
    live = _open_locked(path)
    if live is None:
        return b"", place
    try:
        inode = os.fstat(live).st_ino
        consumed = place.consumed if inode == place.inode else 0
        text = b""
        for rotated in _pieces_since(path, place.newest):
            text += _end_of_piece(rotated, consumed, _CHUNK_BYTES)
            consumed = max(0, consumed - rotated.stat().st_size)
        start, end = content(live)
        if consumed > end - start:
            consumed = 0  # somebody truncated it
        fresh = os.pread(live, min(_CHUNK_BYTES, end - start - consumed), start + consumed)
        return text + fresh, _Place(consumed + len(fresh), inode, _stamp(piece(path, 1)))
    finally:
        _close(live)


def _pieces_since(path: Path, newest: _Stamp) -> list[Path]:
    """The pieces that are newer than the one stamped `newest`, oldest first."""
    pieces = (piece(path, number) for number in count(1))
    return list(takewhile(lambda older: _stamp(older) not in {newest, _NO_FILE}, pieces))[::-1]


def _end_of_piece(path: Path, consumed: int, max_bytes: int) -> bytes:
    """At most the last `max_bytes` of what follows the first `consumed` bytes."""
    with path.open("rb") as file:
        file.seek(max(consumed, os.fstat(file.fileno()).st_size - max_bytes))
        return file.read()


def _open_locked(path: Path) -> int | None:
    """Open the live file and keep a rotation from moving its content until it is closed; None where there is none."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    fcntl.flock(fd, fcntl.LOCK_SH)
    return fd


def _close(fd: int | None) -> None:
    if fd is not None:
        os.close(fd)


def _stamp(path: Path) -> _Stamp:
    """Which file this is: inode and time of writing, as an inode is given away again at once."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return _NO_FILE
    return found.st_ino, found.st_mtime_ns


def _decode(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
