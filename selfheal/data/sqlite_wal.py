"""Has a WAL lost transactions that were committed?

A crash may leave a torn tail, which was never committed, and SQLite passes over it in silence. It is as silent about a
damaged frame in the middle: every commit after that is gone, and the next checkpoint makes it so for ever.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}
_HEADER, _FRAME = 32, 24
MOST_BYTES = 64_000_000  # about ten seconds of work; the rest of a WAL as large as this is not checked


class Torn(NamedTuple):
    """What follows on the first frame that is damaged: commits of the same round of the WAL."""

    frame: int
    commits: int


def torn(wal: Path) -> Torn | None:
    """Return where committed transactions are lost; None where none are. A WAL that is no WAL has lost all of its."""
    try:
        with wal.open("rb", buffering=0) as file:
            data = file.read(MOST_BYTES)
            file.seek(0)
            if file.read(_HEADER) != data[:_HEADER]:  # a writer began a new round meanwhile
                return None
    except FileNotFoundError:
        return None
    if len(data) < _HEADER + _FRAME:
        return None
    magic, _, page_size = struct.unpack_from(">3I", data)
    order = _MAGIC.get(magic)
    size = _FRAME + (65536 if page_size == 1 else page_size)
    if order is None or _summed(data[:24], order, (0, 0)) != struct.unpack_from(">2I", data, 24):
        return Torn(0, 1) if any(data[:_HEADER]) else None
    return _first_broken(data, size, order)


def _first_broken(data: bytes, size: int, order: str) -> Torn | None:
    salts = data[16:24]
    sums: tuple[int, int] = struct.unpack_from(">2I", data, 24)
    frames = range(_HEADER, len(data) - size + 1, size)
    for number, at in enumerate(frames, 1):
        sums = _summed(data[at + _FRAME : at + size], order, _summed(data[at : at + 8], order, sums))
        if data[at + 8 : at + 16] != salts or sums != struct.unpack_from(">2I", data, at + 16):
            lost = sum(_is_commit(data, later, salts) for later in frames[number - 1 :])
            return Torn(number, lost) if lost else None
    return None


def _is_commit(data: bytes, at: int, salts: bytes) -> bool:
    return data[at + 8 : at + 16] == salts and data[at + 4 : at + 8] != bytes(4)


def _summed(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    """The checksum of the file format: two sums that feed each other."""
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & 0xFFFFFFFF
        second = (second + words[at + 1] + first) & 0xFFFFFFFF
    return first, second
