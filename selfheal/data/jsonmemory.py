"""What was there when the data were last looked at, so that what has changed since can be told from what was added?

Of a file that only grows each block of 16 KiB is known by a hash: a digit that turned into another one leaves the line
sound, and the block another. Eight bytes of hash are enough against chance, and this is no defence against people.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from selfheal.data.jsonlines import CHUNK, Found
from selfheal.durable import replace_file

# What a single bit costs in a salvage; a gigabyte of them is half a megabyte of hashes.
BLOCK = 1 << 14
_HASH = 8
# As much of the end of a file as is looked at each time: a file that is smaller is known as a whole by each look.
RECENT = 64


class Seen(msgspec.Struct, frozen=True):
    """One file as it was. `size` and `mtime` are its own; `waiting` says that its end was not whole, and perhaps being
    written.

    Of lines: `blocks` are the hashes of what was sound, up to `lines.sound`, the last block as far as it went. Of a
    document: `blocks` is the hash of all of it, and `items` how many there were at its top. `doubted` are the places
    that were found changed: they are looked at each time, for else a quick look would call them sound again. `turn`
    is the block with which the part begins that the next quick look reads besides.
    """

    inode: int
    size: int
    mtime: int
    waiting: bool = False
    blocks: bytes = b""
    lines: Found | None = None
    items: int = 0
    doubted: tuple[tuple[int, int], ...] = ()
    turn: int = 0


class Memory:
    """What was seen, by the name of each file. Lost or damaged it is empty, and all is looked at anew."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "json-seen.msgpack"
        try:
            self._before = msgspec.msgpack.decode(self._path.read_bytes(), type=dict[str, Seen])
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            self._before = {}
        self._now: dict[str, Seen] = {}

    @property
    def before(self) -> Mapping[str, Seen]:
        """All that was seen the time before."""
        return self._before

    def seen(self, path: Path) -> Seen | None:
        """How a file was, None where it was not looked at."""
        return self._before.get(str(path))

    def note(self, path: Path, seen: Seen | None) -> None:
        """Remember how a file is."""
        if seen is not None:
            self._now[str(path)] = seen

    def keep(self) -> None:
        """Put it on the disk. What was not noted is forgotten."""
        if self._now != self._before:
            replace_file(self._path, msgspec.msgpack.encode(self._now))


def hashes(file: BinaryIO, end: int, known: bytes = b"", first: int = 0) -> bytes:
    """Hash a file by blocks up to the offset `end`, the last as far as it goes.

    Those of the first `first` blocks are taken from `known`.
    """
    found = bytearray(known[: first * _HASH])
    file.seek(first * BLOCK)
    at = first * BLOCK
    while at < end and (chunk := file.read(min(CHUNK, end - at))):
        found += b"".join(_hash(chunk[begin : begin + BLOCK]) for begin in range(0, len(chunk), BLOCK))
        at += len(chunk)
    return bytes(found)


def grown(file: BinaryIO, blocks: bytes, before: int, end: int) -> bytes:
    """Hash what was added from the offset `before` to `end` to a file of which `blocks` are known."""
    return hashes(file, end, blocks, before // BLOCK)


def changed(file: BinaryIO, seen: Seen, *, all_of_it: bool) -> tuple[tuple[int, int], ...]:
    """Return where a file is not what was seen: begin and end of each run of blocks.

    Where not all of it is wanted, that is the end of the file, what was found changed before, and a part in turn.
    """
    end = seen.lines.sound if seen.lines is not None else seen.size
    count = -(-end // BLOCK)
    looked_at = set(range(0 if all_of_it else max(0, count - RECENT), count))
    looked_at.update(range(seen.turn, min(count, seen.turn + RECENT)))
    looked_at.update(block for begin, stop in seen.doubted for block in range(begin // BLOCK, -(-stop // BLOCK)))
    runs: list[tuple[int, int]] = []
    for block in sorted(looked_at):
        begin, stop = block * BLOCK, min(end, (block + 1) * BLOCK)
        file.seek(begin)
        if _hash(file.read(stop - begin)) == seen.blocks[block * _HASH : (block + 1) * _HASH]:
            continue
        if runs and runs[-1][1] == begin:
            begin = runs.pop()[0]
        runs.append((begin, stop))
    return tuple(runs)


def next_turn(seen: Seen | None, end: int) -> int:
    """Which part the look after this one reads besides. So all of a large file is read again little by little."""
    after = (seen.turn if seen is not None else 0) + RECENT
    return after if after < end // BLOCK - RECENT else 0


def strange(file: BinaryIO, seen: Seen, size: int) -> tuple[tuple[int, int], ...]:
    """Return where a file of `size` is not what was seen, though parts of it may have moved.

    A byte that was lost moves all that follows it; by how much is known where nothing was added.
    """
    runs = changed(file, seen, all_of_it=True)
    moved = size - seen.size
    end = seen.lines.sound if seen.lines is not None else seen.size
    if not runs or not 0 < abs(moved) < BLOCK or runs[-1][1] < end:
        return runs
    begin, stop = runs[-1]
    found = list(runs[:-1])
    for at in range(begin, stop, BLOCK):
        place = slice(at // BLOCK * _HASH, (at // BLOCK + 1) * _HASH)
        file.seek(max(0, at + moved))
        if _hash(file.read(min(BLOCK, end - at))) != seen.blocks[place]:
            found.append((min(at, at + moved), max(at, at + moved) + BLOCK))
    return tuple(found)


def begins_with(file: BinaryIO, seen: Seen) -> bool:
    """Whether a file begins with what was seen of another."""
    end = min(BLOCK, seen.lines.sound if seen.lines is not None else seen.size)
    return end > 0 and hashes(file, end) == seen.blocks[:_HASH]


def settled(found: Found) -> Found:
    """What there is up to the last sound line: what comes after it is looked at again, for it may be mended."""
    return Found(
        lines=found.lines,
        number=found.sound_number,
        sound=found.sound,
        sound_number=found.sound_number,
        bad=[bad for bad in found.bad if bad.begin < found.sound],
        bad_bytes=found.bad_bytes - found.bad_after,
        broken=found.broken,
        form=found.form,
    )


def hash_of(data: bytes) -> bytes:
    """Hash a whole document."""
    return _hash(data)


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_HASH).digest()
