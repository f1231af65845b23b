"""What stands in the pages of an SQLite file, whether or not SQLite can still read it?

After https://www.sqlite.org/fileformat2.html. Everything here is told apart from rubbish by its lengths, which must
fit to the last byte, and raises `Unreadable` otherwise: nothing is guessed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

MAGIC = b"SQLite format 3\0"
HEADER_BYTES = 100
TABLE_INNER, TABLE_LEAF, INDEX_INNER, INDEX_LEAF = 0x05, 0x0D, 0x02, 0x0A
ENCODINGS = {1: "utf-8", 2: "utf-16-le", 3: "utf-16-be"}
MOST_ID, LEAST_ID = 2**63 - 1, -(2**63)
# Lengths of integers by serial type; 8 and 9 are the numbers 0 and 1, 7 is a float.
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}

Value = int | float | str | bytes | None


class RawText(bytes):
    """Text that is not in the encoding of its database: kept as it is."""

    __slots__ = ()


class Unreadable(Exception):
    """These bytes are not what should be here."""


class Header(NamedTuple):
    """What the first hundred bytes say."""

    page_size: int
    reserved: int
    changes: int
    free_first: int
    free_count: int
    encoding: str
    user_version: int
    application_id: int
    wal: bool


def header_of(data: bytes) -> Header:
    """Read the header of a database. Raises Unreadable."""
    if len(data) < HEADER_BYTES or data[:16] != MAGIC:
        raise Unreadable("it does not begin as an SQLite database does")
    size = 65536 if data[16:18] == b"\0\1" else struct.unpack_from(">H", data, 16)[0]
    fractions = (64, 32, 32)  # constants of the format
    if size < 512 or size & (size - 1) or tuple(data[21:24]) != fractions or size - data[20] < 480:
        raise Unreadable("its header names an impossible page size")
    words = struct.unpack_from(">24I", data, 4)
    if not {data[18], data[19]} <= {1, 2} or words[10] > 4 or words[13] > 3:
        raise Unreadable("its header names a format that there is not")
    encoding = ENCODINGS.get(words[13], "utf-8")  # an empty database has none yet
    return Header(size, data[20], words[5], words[7], words[8], encoding, words[14], words[16], data[18] == 2)


@dataclass(frozen=True, slots=True)
class Cell:
    """A row of a table (`row_id`), or an entry of an index; `values` as they are stored."""

    row_id: int
    values: list[Value]


@dataclass(frozen=True, slots=True)
class Node:
    """A page of a b-tree. `cells` are places in the page; `last` is the rightmost child of an inner one."""

    number: int
    kind: int
    cells: tuple[int, ...]
    last: int = 0

    @property
    def inner(self) -> bool:
        return self.kind in {TABLE_INNER, INDEX_INNER}


class Pages:
    """The pages of a file that nobody writes to. `data` may be a memory map; they are numbered from 1.

    `suspect` are those that are known to be damaged, though they may look sound: nothing of them is believed.
    """

    def __init__(self, data: memoryview, header: Header, suspect: frozenset[int] = frozenset()) -> None:
        self._suspect = suspect
        self._data = data
        self._size = header.page_size
        self._usable = header.page_size - header.reserved
        self._encoding = header.encoding
        self.count = len(data) // self._size

    def page(self, number: int) -> memoryview:
        """Return the bytes of a page. Raises Unreadable where the file has no such page."""
        if not 0 < number <= self.count:
            raise Unreadable(f"page {number} is beyond the end of the file")
        if number in self._suspect:
            raise Unreadable(f"page {number} has changed without being written")
        return self._data[(number - 1) * self._size : number * self._size]

    def node(self, number: int) -> Node:
        """Read a page as one of a b-tree. Raises Unreadable."""
        page = self.page(number)
        begin = HEADER_BYTES if number == 1 else 0
        kind = page[begin]
        inner = kind in {TABLE_INNER, INDEX_INNER}
        if not inner and kind not in {TABLE_LEAF, INDEX_LEAF}:
            raise Unreadable(f"page {number} is no page of a table or index")
        cells = int.from_bytes(page[begin + 3 : begin + 5], "big")
        first = begin + (12 if inner else 8)
        if first + 2 * cells > self._usable:
            raise Unreadable(f"page {number} has more cells than room")
        places = struct.unpack_from(f">{cells}H", page, first)
        return Node(number, kind, places, struct.unpack_from(">I", page, begin + 8)[0] if inner else 0)

    def child(self, node: Node, place: int) -> int:
        """Return the page that a cell of an inner page points to."""
        return int.from_bytes(self._bytes(self.page(node.number), place, 4), "big")

    def key(self, node: Node, place: int) -> int:
        """Return the greatest row id below a cell of an inner page of a table."""
        return _signed(_varint(self.page(node.number), place + 4)[0])

    def row_id(self, node: Node, place: int) -> int:
        """Return the id of a row of a leaf; of one that cannot be read the least there can be."""
        page = self.page(node.number)
        try:
            return _signed(_varint(page, _varint(page, place)[1])[0])
        except IndexError:
            return LEAST_ID

    def cell(self, node: Node, place: int) -> Cell:
        """Read the row or the entry at a place of a page. Raises Unreadable."""
        page = self.page(node.number)
        try:
            length, at = _varint(page, place + (4 if node.kind == INDEX_INNER else 0))
            row_id = 0
            if node.kind == TABLE_LEAF:
                row_id, at = _varint(page, at)
            return Cell(_signed(row_id), self._record(self._payload(page, at, length, node.kind)))
        except (IndexError, struct.error, OverflowError) as why:
            raise Unreadable(f"a cell of page {node.number} reaches beyond its page") from why

    def free(self, first: int, count: int) -> frozenset[int]:
        """Return the pages that hold nothing. Raises Unreadable where their list is broken."""
        found: set[int] = set()
        trunk = first
        while trunk:
            if trunk in found:
                raise Unreadable("the list of free pages runs in a circle")
            following, leaves = struct.unpack_from(">II", self.page(trunk))
            if leaves > self._usable // 4 - 2:
                raise Unreadable("the list of free pages is broken")
            found.add(trunk)
            found.update(struct.unpack_from(f">{leaves}I", self.page(trunk), 8))
            trunk = following
        if len(found) != count:
            raise Unreadable("the list of free pages is not as long as it should be")
        return frozenset(found)

    def overflow(self, number: int, length: int) -> Iterator[memoryview]:
        """Give what of a payload lies on pages of its own."""
        seen: set[int] = set()
        while length > 0:
            if number in seen:
                raise Unreadable("an overflow chain runs in a circle")
            seen.add(number)
            page = self.page(number)
            piece = page[4 : min(4 + length, self._usable)]
            yield piece
            length -= len(piece)
            number = int.from_bytes(page[:4], "big")
        if number:
            raise Unreadable("an overflow chain is longer than its payload")

    def _payload(self, page: memoryview, at: int, length: int, kind: int) -> bytes:
        """Put a payload together. How much of it lies in the page itself is a formula of the format."""
        usable = self._usable
        most = usable - 35 if kind == TABLE_LEAF else (usable - 12) * 64 // 255 - 23
        if length <= most:
            return bytes(self._bytes(page, at, length))
        if length > len(self._data):
            raise Unreadable("a row is longer than the file")
        least = (usable - 12) * 32 // 255 - 23
        local = least + (length - least) % (usable - 4)
        local = local if local <= most else least
        first = int.from_bytes(self._bytes(page, at + local, 4), "big")
        return b"".join([self._bytes(page, at, local), *self.overflow(first, length - local)])

    def _bytes(self, page: memoryview, at: int, length: int) -> memoryview:
        if at + length > self._usable:
            raise Unreadable("a cell reaches beyond its page")
        return page[at : at + length]

    def _record(self, payload: bytes) -> list[Value]:
        head, at = _varint(payload, 0)
        if head > len(payload):
            raise Unreadable("the head of a row is longer than the row")
        values: list[Value] = []
        body = head
        while at < head:
            serial, at = _varint(payload, at)
            value, body = self._value(payload, serial, body)
            values.append(value)
        if at != head or body != len(payload):
            raise Unreadable("the lengths in a row do not add up")
        return values

    def _value(self, payload: bytes, serial: int, at: int) -> tuple[Value, int]:
        if serial >= 12:
            end = at + (serial - 12) // 2
            piece = payload[at:end]
            return (self._text(piece) if serial & 1 else piece), end
        if length := _INTEGERS.get(serial):
            return int.from_bytes(payload[at : at + length], "big", signed=True), at + length
        if serial == 7:
            number: float = struct.unpack_from(">d", payload, at)[0]
            return number, at + 8
        if serial in {10, 11}:
            raise Unreadable("a row has a type that there is not")
        return (None, 0, 1)[serial - 7 if serial else 0], at

    def _text(self, piece: bytes) -> str | bytes:
        try:
            return piece.decode(self._encoding)
        except UnicodeDecodeError:
            return RawText(piece)


def _varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return the number of 1 to 9 bytes at a place, and the place after it."""
    value = data[at]
    if value < 0x80:
        return value, at + 1
    value &= 0x7F
    for place in range(at + 1, at + 8):
        byte = data[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + 1
    return value << 8 | data[at + 8], at + 9


def _signed(value: int) -> int:
    return value - 2**64 if value > MOST_ID else value
