"""How is one block found among tens of thousands in a file, without the others being read?

A file of frames that ends with an index, in order of the hash of each block's key, and a frame that says where that
begins. It is written once, and has its name only when it is whole. A block that is damaged costs that block; where the
index is, the file is read from end to end instead.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import sys
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path

from selfheal.store.frames import HEAD_BYTES, Frame, encode, scan

_INDEX, _END = 0, 1  # numbers of frames that are no blocks; those of blocks have the highest bit
_COUNT = struct.Struct(">I")
_PLACE = struct.Struct(">Q")
_KEY = struct.Struct(">H")
_BUFFER = 256 * 1024

_Index = tuple["array[int]", "array[int]", "array[int]"]


def number_of(key: bytes) -> int:
    """The number that a block is found by. Two keys of one number would be a wonder: 64 bits of a good hash."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") | 1 << 63


class BlockWriter:
    """Writes a file beside its name. `claim` is asked for room before each write, and may raise."""

    def __init__(self, path: Path, claim: Callable[[int], None]) -> None:
        self._path = path
        self._claim = claim
        self._fd, self._tmp = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        self._waiting = bytearray()
        self._places: dict[int, tuple[int, int]] = {}
        self.size = 0

    def add(self, key: bytes, body: bytes) -> None:
        """Write a block. Raises OSError."""
        number, begin = number_of(key), self.size
        self._put(encode(number, _KEY.pack(len(key)) + key + body))
        self._places[number] = (begin, self.size - begin)

    def finish(self) -> bool:
        """Make the file durable, and give it its name. Returns whether there is one: of no blocks there is none."""
        if not self._places:
            return False
        place = self.size
        self._put(encode(_INDEX, _packed(self._places)))
        self._put(encode(_END, _PLACE.pack(place)))
        self._write()
        os.fsync(self._fd)
        os.replace(self._tmp, self._path)
        return True

    def close(self) -> None:
        """Let go; what has no name yet is gone."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._tmp)

    def _put(self, frame: bytes) -> None:
        self._waiting += frame
        self.size += len(frame)
        if len(self._waiting) >= _BUFFER:
            self._write()

    def _write(self) -> None:
        self._claim(len(self._waiting))
        rest = memoryview(bytes(self._waiting))
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._waiting.clear()


class BlockFile:
    """Reads a file that a `BlockWriter` has written. `damaged` is told what cannot be read."""

    def __init__(self, path: Path, damaged: Callable[[str], None]) -> None:
        """Raises OSError."""
        self._damaged = damaged
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.numbers, self._offsets, self._sizes = self._index() or self._looked_through()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> BlockFile:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def find(self, key: bytes) -> bytes | None:
        """The body of a block; None where there is none of that key. Raises OSError."""
        found = self.block(number_of(key))
        return found[1] if found is not None and found[0] == key else None

    def block(self, number: int) -> tuple[bytes, bytes] | None:
        """Key and body by the number of the key; None where there is none, or it is damaged. Raises OSError."""
        place = bisect_left(self.numbers, number)
        if place == len(self.numbers) or self.numbers[place] != number:
            return None
        begin, size = self._offsets[place], self._sizes[place]
        frame = self._frame(begin, begin + size)
        if frame is None or frame.seq != number:
            self._damaged(f"checksum does not match: {size} bytes at {begin}")
            return None
        (length,) = _KEY.unpack_from(frame.payload)
        return frame.payload[_KEY.size : _KEY.size + length], frame.payload[_KEY.size + length :]

    def blocks(self) -> Iterator[tuple[bytes, bytes]]:
        """Every block that is whole, key and body. Raises OSError."""
        for number in self.numbers:
            found = self.block(number)
            if found is not None:
                yield found

    def _index(self) -> _Index | None:
        size = os.fstat(self._fd).st_size
        end = self._frame(size - HEAD_BYTES - _PLACE.size, size)
        if end is None or end.seq != _END:
            return None
        (place,) = _PLACE.unpack(end.payload)
        index = self._frame(place, size - HEAD_BYTES - _PLACE.size)
        return _unpacked(index.payload) if index is not None and index.seq == _INDEX else None

    def _looked_through(self) -> _Index:
        """The index, made again from the blocks that are whole."""
        self._damaged("its index cannot be read")
        data = os.pread(self._fd, os.fstat(self._fd).st_size, 0)
        whole = [item for item in scan(data) if isinstance(item, Frame) and item.seq > _END]
        return _unpacked(_packed({item.seq: (item.offset, item.end - item.offset) for item in whole}))

    def _frame(self, begin: int, end: int) -> Frame | None:
        if not 0 <= begin < end:
            return None
        try:
            item = next(scan(os.pread(self._fd, end - begin, begin)), None)
        except OSError:  # a bad sector costs what lies on it
            return None
        return item if isinstance(item, Frame) else None


def _packed(places: dict[int, tuple[int, int]]) -> bytes:
    """The index as bytes: how many, their numbers in order, where they begin, how long they are."""
    numbers = array("Q", sorted(places))
    offsets, sizes = (array("I", (places[number][part] for number in numbers)) for part in (0, 1))
    return _COUNT.pack(len(numbers)) + b"".join(_ordered(column).tobytes() for column in (numbers, offsets, sizes))


def _unpacked(index: bytes) -> _Index:
    (count,) = _COUNT.unpack_from(index)
    first, second = _COUNT.size + 8 * count, _COUNT.size + 12 * count
    columns = array("Q", index[_COUNT.size : first]), array("I", index[first:second]), array("I", index[second:])
    return _ordered(columns[0]), _ordered(columns[1]), _ordered(columns[2])


def _ordered(numbers: array[int]) -> array[int]:
    """Turn numbers between this machine's order of bytes and that of the file, the lowest first; in place."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
