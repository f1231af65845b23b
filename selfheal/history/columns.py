"""How do columns of numbers become few bytes, and the same numbers again?

Whole numbers, and thousandths, become differences in as few bytes as the largest needs; other numbers stay doubles. The
bytes of equal weight are put together, where they resemble each other, and the whole is deflated. Nothing is lost.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Literal

Table = list["array[float]"]
"""Columns of equal length."""

# Up to here every whole number is a double of its own.
_EXACT = 2.0**53
_SCALES = (1, 1000)
_DOUBLES = 0
_WIDTHS: tuple[tuple[Literal["b", "h", "i", "q"], int], ...] = (("b", 7), ("h", 15), ("i", 31), ("q", 63))
_CODE_OF = {code: place for place, (code, _) in enumerate(_WIDTHS)}
_HEAD = struct.Struct("<BI")  # columns, rows
_COLUMN = struct.Struct("<BBqI")  # scale, width of the differences, first number, bytes that follow
# No block holds more than a segment does; a length that says so is damage, and asks for no memory.
_MOST_BYTES = 64_000_000


def encode(table: Sequence[array[float]]) -> bytes:
    """Return the columns, which must be of equal length, as bytes."""
    rows = len(table[0]) if table else 0
    return zlib.compress(_HEAD.pack(len(table), rows) + b"".join(map(_packed, table)), 6)


def decode(data: bytes) -> Table:
    """Return the columns again. Raises ValueError where these bytes are none."""
    try:
        plain = zlib.decompressobj().decompress(data, _MOST_BYTES)
        count, rows = _HEAD.unpack_from(plain)
        table = list(_unpacked(plain, count, rows))
    except (zlib.error, struct.error, OverflowError, IndexError) as why:
        raise ValueError(f"these are no columns: {why}") from why
    return table


def _packed(column: array[float]) -> bytes:
    for scale in _SCALES:
        whole = _whole(column, scale)
        if whole is not None:
            steps = [after - before for before, after in pairwise(whole)]
            code = _narrowest(steps)
            body = _shuffled(array(code, steps))
            return _COLUMN.pack(scale // 1000 + 1, _CODE_OF[code], whole[0], len(body)) + body
    body = _shuffled(column)
    return _COLUMN.pack(_DOUBLES, 0, 0, len(body)) + body


def _unpacked(plain: bytes, count: int, rows: int) -> Iterator[array[float]]:
    place = _HEAD.size
    for _ in range(count):
        kind, width, first, size = _COLUMN.unpack_from(plain, place)
        place += _COLUMN.size
        body, place = plain[place : place + size], place + size
        column = _doubles(body) if kind == _DOUBLES else _from_steps(body, width, first, _SCALES[kind - 1])
        if len(column) != rows:
            raise ValueError(f"these are no columns: {len(column)} rows of {rows}")
        yield column


def _doubles(body: bytes) -> array[float]:
    column = array("d")
    column.frombytes(_unshuffled(body, column.itemsize))
    return column


def _from_steps(body: bytes, width: int, first: int, scale: int) -> array[float]:
    steps = array(_WIDTHS[width][0])
    steps.frombytes(_unshuffled(body, steps.itemsize))
    whole = accumulate(steps, initial=first)
    return array("d", whole if scale == 1 else (number / scale for number in whole))


def _whole(column: array[float], scale: int) -> list[int] | None:
    """The numbers as so many parts of one, where they are whole ones; None where any is not."""
    most = _EXACT / scale
    if not column or not (-most < min(column) and max(column) < most):
        return None
    if round(column[0] * scale) / scale != column[0]:
        return None  # as nearly always where they are no whole numbers: then no other is looked at
    whole = [round(value * scale) for value in column]
    same = all(number / scale == value for number, value in zip(whole, column, strict=True))
    return whole if same else None


def _narrowest(steps: Sequence[int]) -> Literal["b", "h", "i", "q"]:
    most = max(map(abs, steps), default=0)
    return next(code for code, bits in _WIDTHS if most < 2**bits)


def _shuffled(column: array[int] | array[float]) -> bytes:
    """The first bytes of all numbers, then all the second ones, …, the lowest first on every machine."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    plain, width = column.tobytes(), column.itemsize
    return b"".join(plain[place::width] for place in range(width))


def _unshuffled(body: bytes, width: int) -> bytes:
    count, rest = divmod(len(body), width)
    if rest:
        raise ValueError(f"these are no columns: {rest} bytes too many")
    plain = bytearray(len(body))
    for place in range(width):
        target = place if sys.byteorder == "little" else width - 1 - place
        plain[target::width] = body[place * count : (place + 1) * count]
    return bytes(plain)
