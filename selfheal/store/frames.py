"""What do the records of the journal look like as bytes, and which of them are whole?

A frame is mark, length, number, checksum, body. The mark never occurs inside a body, so that a reader who has lost
its place finds the next frame by searching for it, and never takes the inside of a record for a record.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_STEM = b"\xffSH"  # 0xff occurs in no UTF-8 text, so that JSON never needs stuffing
_STUFFED = _STEM + b"\x00"
_RECORD = _STEM + b"R"
_HOLE = _STEM + b"H"
_MARK = re.compile(re.escape(_STEM) + b"[RH]")
_CHECKED = struct.Struct(">4sIQ")  # mark, length of the body, number: under the checksum together with the body
_CHECKSUM = struct.Struct(">I")

HEAD_BYTES = _CHECKED.size + _CHECKSUM.size


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame at `offset`. A hole has no payload; it says that numbers up to its own are known to be lost."""

    seq: int
    payload: bytes
    offset: int
    end: int
    hole: bool


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no whole frame. `what` is one of "torn tail", "checksum does not match", "unreadable bytes"."""

    offset: int
    end: int
    what: str


def encode(seq: int, payload: bytes) -> bytes:
    """Return the frame of one record."""
    return _encode(_RECORD, seq, payload.replace(_STEM, _STUFFED))


def encode_hole(seq: int) -> bytes:
    """Return a frame that stands for all records up to `seq` that are missing before it."""
    return _encode(_HOLE, seq, b"")


def scan(data: bytes) -> Iterator[Frame | Unreadable]:
    """Yield everything in `data` in order, without gaps: whole frames, and what lies between them."""
    offset = 0
    while offset < len(data):
        found: Frame | Unreadable | None = _frame_at(data, offset)
        if found is None:
            end = _next_frame(data, offset + 1)
            found = Unreadable(offset, end, _what_is_wrong(data, offset, end))
        yield found
        offset = found.end


def _encode(mark: bytes, seq: int, body: bytes) -> bytes:
    checked = _CHECKED.pack(mark, len(body), seq)
    return checked + _CHECKSUM.pack(zlib.crc32(body, zlib.crc32(checked))) + body


def _frame_at(data: bytes, offset: int) -> Frame | None:
    start = offset + HEAD_BYTES
    if start > len(data):
        return None
    mark, length, seq = _CHECKED.unpack_from(data, offset)
    end = start + length
    if mark not in (_RECORD, _HOLE) or end > len(data):
        return None
    body = data[start:end]
    (checksum,) = _CHECKSUM.unpack_from(data, offset + _CHECKED.size)
    if checksum != zlib.crc32(body, zlib.crc32(data[offset : offset + _CHECKED.size])):
        return None
    return Frame(seq, body.replace(_STUFFED, _STEM), offset, end, mark == _HOLE)


def _next_frame(data: bytes, start: int) -> int:
    """Return where the next whole frame begins at or after `start`, else the end of the data."""
    for mark in _MARK.finditer(data, start):
        if _frame_at(data, mark.start()) is not None:
            return mark.start()
    return len(data)


def _what_is_wrong(data: bytes, offset: int, end: int) -> str:
    begun = data[offset : offset + len(_RECORD)]
    if not _RECORD.startswith(begun) and not _HOLE.startswith(begun):
        return "unreadable bytes"
    if end < len(data):
        return "checksum does not match"
    if len(data) - offset < HEAD_BYTES:
        return "torn tail"
    _, length, _ = _CHECKED.unpack_from(data, offset)
    return "torn tail" if offset + HEAD_BYTES + length > len(data) else "checksum does not match"
