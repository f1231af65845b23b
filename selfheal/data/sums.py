"""What does a file hold, in one number, and is that what it should be after what was seen before?

A file is read once: copied, hashed, and looked through for the zeros that a power cut leaves.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from selfheal.durable import make_private, replace_file
from selfheal.errors import DataFailed

Changes = Literal["never", "append", "any"]

# For so long after a write neither size nor time may show the next one: a page that is mapped and not yet written back
# changes unseen. It also lets a file that is copied into place come to its end before it counts as one that never
# changes.
SETTLED_NS = 60 * 1_000_000_000
_BLOCK = 1 << 20
_TRIES = 3
_MEMORY = "seen.json"


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file as it was, sound as far as one knows. `settled`: nobody had written to it for a while.

    `empty` says that it held nothing but zeros.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    sum: str
    settled: bool = False
    empty: bool = False


class Read(NamedTuple):
    """What was read of a file. `before` is the sum of as many bytes as it had, `added_zeros` that the rest is zero."""

    seen: Seen
    before: str
    added_zeros: bool
    steady: bool


class Memory(msgspec.Struct, frozen=True):
    """What was seen at the last looks, by relative path, with a checksum: a damaged memory must accuse nobody."""

    checksum: str
    files: dict[str, Seen]


def remembered(room: Path) -> dict[str, Seen]:
    """What was seen before; nothing where that cannot be read."""
    try:
        memory = msgspec.json.decode((room / _MEMORY).read_bytes(), type=Memory)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return memory.files if memory.checksum == _sum_of(memory.files) else {}


def remember(room: Path, files: Mapping[str, Seen]) -> None:
    """Keep what was seen, durable on return."""
    make_private(room)
    known = dict(files)
    replace_file(room / _MEMORY, msgspec.json.encode(Memory(_sum_of(known), known)))


def disk_now_ns(room: Path) -> int:
    """The time as the disk has it: that is what the times of files are compared with."""
    make_private(room)
    mark = room / ".now.tmp"
    mark.touch(mode=0o600)
    os.utime(mark)
    now = mark.stat().st_mtime_ns
    mark.unlink(missing_ok=True)
    return now


def read_file(path: Path, known: Seen | None, now_ns: int, *, to: Path | None = None, growing: bool = False) -> Read:
    """Read all of a file, and copy it where `to` is given. One that is written meanwhile is read again, a few times.

    One that is `growing` is steady as far as it went at the begin. Raises OSError.
    """
    for _ in range(_TRIES - 1):
        found = _read_once(path, known, now_ns, to, growing=growing)
        if found.steady:
            return found
    return _read_once(path, known, now_ns, to, growing=growing)


def is_settled(seen: os.stat_result, now_ns: int) -> bool:
    """Whether nobody has written to it for a while. A time to come was given to it by somebody: that says nothing."""
    written_ns = seen.st_mtime_ns if seen.st_mtime_ns <= now_ns else seen.st_ctime_ns
    return now_ns - written_ns >= SETTLED_NS


def judge(known: Seen | None, found: Read, changes: Changes) -> str:
    """Say what is wrong with a file after what was seen before; nothing where it may be as it is."""
    seen = found.seen
    if known is None or not known.settled or known.sum == seen.sum:
        return ""
    if (known.size, known.mtime_ns) == (seen.size, seen.mtime_ns):
        return "its content is another, though nobody wrote to it"
    if seen.empty and seen.size and not known.empty:
        return "it holds nothing but zeros"
    if changes == "never":
        return "it was changed, and should never be"
    if changes == "append":
        return _judge_appended(known, found)
    return ""


def _judge_appended(known: Seen, found: Read) -> str:
    if found.seen.size < known.size:
        return f"it has {found.seen.size} bytes and had {known.size}, and should only grow"
    if found.before != known.sum:
        return "what was written before is another, and should only be added to"
    return "what was added is nothing but zeros" if found.added_zeros else ""


def _read_once(path: Path, known: Seen | None, now_ns: int, to: Path | None, *, growing: bool) -> Read:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise DataFailed(f"cannot read {str(path)!r}: it is no file any more")
        out = None if to is None else os.open(to, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            sums = _Sums(known.size if known else 0)
            _pour(fd, out, before.st_size, sums)
        finally:
            if out is not None:
                os.close(out)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    same = (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    steady = sums.size == before.st_size and (same or (growing and after.st_size > before.st_size))
    settled = same and is_settled(before, now_ns)
    seen = Seen(sums.size, before.st_mtime_ns, before.st_ctime_ns, sums.whole(), settled, sums.zeros)
    return Read(seen, sums.before, sums.added_zeros and sums.size > (known.size if known else 0), steady)


class _Sums:
    """The sums of a file that is being read, of all and of its first `mark` bytes."""

    def __init__(self, mark: int) -> None:
        self._mark = mark
        self._hash = hashlib.blake2b(digest_size=32)
        self.size, self.zeros, self.added_zeros = 0, True, True
        self.before = self._hash.hexdigest() if mark == 0 else ""

    def next_step(self, left: int) -> int:
        """How much to read, so that the mark falls between two blocks."""
        to_mark = self._mark - self.size
        return min(_BLOCK, left, to_mark) if to_mark > 0 else min(_BLOCK, left)

    def take(self, block: bytes, *, zeros: bool) -> None:
        self._hash.update(block)
        self.zeros = self.zeros and zeros
        if self.size >= self._mark:
            self.added_zeros = self.added_zeros and zeros
        self.size += len(block)
        if self.size == self._mark:
            self.before = self._hash.hexdigest()

    def whole(self) -> str:
        return self._hash.hexdigest()


def _pour(fd: int, out: int | None, size: int, sums: _Sums) -> None:
    """Read `size` bytes and write them to `out`; where there is nothing but zeros a hole is left."""
    while sums.size < size:
        block = os.pread(fd, sums.next_step(size - sums.size), sums.size)
        if not block:
            break
        zeros = block.count(0) == len(block)
        if out is not None and not zeros:
            write_at(out, block, sums.size)
        sums.take(block, zeros=zeros)
    if out is not None:
        os.ftruncate(out, sums.size)


def write_at(fd: int, content: bytes, at: int) -> None:
    """Write all of it at a place of a file."""
    rest = memoryview(content)
    while rest:
        written = os.pwrite(fd, rest, at)
        rest, at = rest[written:], at + written


def _sum_of(files: Mapping[str, Seen]) -> str:
    return hashlib.blake2b(msgspec.json.encode(files), digest_size=32).hexdigest()
