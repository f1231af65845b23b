"""What did an agent write?

Its log and the rotated pieces of it, read as the one text that they are. Times are not in it: an agent writes its log
itself. All of this is blocking file work.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path

from selfheal.supervise.rotation import content, piece

_TAIL_BYTES = 64 * 1024
_PAGE_BYTES = 1 << 20  # a flood is shown as it comes, and never held as a whole
_LONGEST_LINE_BYTES = 64 * 1024  # a line that is longer, and not ended yet, is shown in parts

_Stamp = tuple[int, int]
_NO_FILE: _Stamp = (0, 0)


def tail(path: Path, lines: int, max_bytes: int = _TAIL_BYTES) -> tuple[str, ...]:
    """The last lines, oldest first, within the last `max_bytes`, with one that has not ended yet. No log, no lines."""
    with _held(path) as live:
        text = _last_text(path, live, max_bytes)
    return _decoded(_split(text)[-lines:]) if lines > 0 else ()


def page(path: Path, lines: int, cursor: str) -> tuple[tuple[str, ...], str]:
    """At most `lines` complete lines written since `cursor`, oldest first, and the cursor behind the last of them.

    From page to page nothing is left out and nothing comes twice, however often the log was rotated, as long as the
    pieces are still there. An empty or foreign cursor gives the last lines.
    """
    place = _parse(cursor)
    with _held(path) as live:
        if place is None:
            return _last_page(path, live, lines)
        if live.inode == 0:
            return (), cursor
        return _next_page(path, live, lines, place)


def cursor_at(path: Path, size: int) -> str:
    """The cursor for what is written after the log had this size, a moment ago."""
    with _held(path) as live:
        return _cursor(_Place(max(0, size - live.start), live.inode, _stamp(piece(path, 1))))


@dataclass(frozen=True, slots=True)
class _Part:
    """A file with a part of the text: `size` bytes from `start` on. A live file that is not there has inode 0."""

    path: Path
    start: int
    size: int
    inode: int


@dataclass(frozen=True, slots=True)
class _Place:
    """How far a reader came: `consumed` bytes into the live file of this inode, when `newest` was the newest piece."""

    consumed: int
    inode: int
    newest: _Stamp


def _last_page(path: Path, live: _Part, lines: int) -> tuple[tuple[str, ...], str]:
    text = _last_text(path, live, _TAIL_BYTES)
    complete = _complete(text)
    place = _Place(max(0, live.size - len(text) + len(complete)), live.inode, _stamp(piece(path, 1)))
    return _decoded(_split(complete)[-lines:]) if lines > 0 else (), _cursor(place)


def _next_page(path: Path, live: _Part, lines: int, place: _Place) -> tuple[tuple[str, ...], str]:
    older = _pieces_since(path, place.newest)
    begin = place.consumed if place.inode == live.inode else 0
    if begin > _size(older) + live.size:
        begin = 0  # somebody truncated it
    given = _split(_complete(_read([*older, live], begin, _PAGE_BYTES)))[:lines]
    end = begin + sum(map(len, given))
    if end < _size(older):  # still in a piece: told as it would have been told before that was cut off
        return _decoded(given), _cursor(_Place(end, live.inode, place.newest))
    return _decoded(given), _cursor(_Place(end - _size(older), live.inode, _stamp(piece(path, 1))))


def _last_text(path: Path, live: _Part, max_bytes: int) -> bytes:
    """The end of the text, from the beginning of a line where one is in reach."""
    parts = [*_pieces_since(path, _NO_FILE), live]
    begin = max(0, _size(parts) - max_bytes)
    text = _read(parts, begin, max_bytes)
    return text.partition(b"\n")[2] or text if begin else text


def _read(parts: Sequence[_Part], begin: int, max_bytes: int) -> bytes:
    """At most `max_bytes` of the joined parts from `begin` on."""
    text = b""
    for part in parts:
        if begin < part.size and len(text) < max_bytes:
            with part.path.open("rb") as file:
                file.seek(part.start + begin)
                text += file.read(min(part.size - begin, max_bytes - len(text)))
        begin = max(0, begin - part.size)
    return text


@contextmanager
def _held(path: Path) -> Iterator[_Part]:
    """The live file, and no rotation moves its content into a piece while it is looked at."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield _Part(path, 0, 0, 0)
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        start, end = content(fd)
        yield _Part(path, start, end - start, os.fstat(fd).st_ino)
    finally:
        os.close(fd)


def _pieces_since(path: Path, newest: _Stamp) -> list[_Part]:
    """The pieces that are newer than the one stamped `newest`, or all, oldest first."""
    names = (piece(path, number) for number in count(1))
    newer = takewhile(lambda name: _stamp(name) not in {newest, _NO_FILE}, names)
    return [_Part(name, 0, found.st_size, found.st_ino) for name in newer for found in [name.stat()]][::-1]


def _stamp(path: Path) -> _Stamp:
    """Which file this is: inode and time of writing, as an inode is given away again at once."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return _NO_FILE
    return found.st_ino, found.st_mtime_ns


def _size(parts: Sequence[_Part]) -> int:
    return sum(part.size for part in parts)


def _complete(text: bytes) -> bytes:
    """`text` without the line at its end that has not ended, unless that is too long to be waited for."""
    unfinished = len(text) - (text.rfind(b"\n") + 1)
    return text if unfinished > _LONGEST_LINE_BYTES else text[: len(text) - unfinished]


def _split(text: bytes) -> list[bytes]:
    """The lines with their ends. Only a line feed ends one: a progress bar that goes back stays in its line."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    lines[-1] = lines[-1].removesuffix(b"\n")
    return lines if lines[-1] else lines[:-1]


def _decoded(lines: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(line.removesuffix(b"\n").removesuffix(b"\r").decode(errors="replace") for line in lines)


def _cursor(place: _Place) -> str:
    return f"{place.consumed}-{place.inode}-{place.newest[0]}-{place.newest[1]}"


def _parse(cursor: str) -> _Place | None:
    numbers = cursor.split("-")
    if len(numbers) != 4 or not all(number.isdecimal() for number in numbers):
        return None
    consumed, inode, piece_inode, written_ns = map(int, numbers)
    return _Place(consumed, inode, (piece_inode, written_ns))
