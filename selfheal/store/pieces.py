"""How does a big document become bytes without holding everybody else up?

Whoever encodes ten megabytes by one call holds the interpreter for as long, and the loop with it. Here each item of a
document is a call of its own, and after some kilobytes the others get a turn.
"""

from __future__ import annotations

import select
from collections.abc import Iterable, Iterator, Mapping

import msgspec

# What one call may make before the others get a turn: well under a millisecond of encoding.
TURN_BYTES = 16 * 1024
# Long enough that a loop which waits for the interpreter has it: to let go of it for less only makes it wait anew.
TURN_S = 0.0005

_INDENT = 2


def give_turn() -> None:
    """Let the other threads run. In a thread of its own: it blocks for a moment."""
    select.select((), (), (), TURN_S)


def compact(document: Mapping[str, object]) -> Iterator[bytes]:
    """Yield what tells one content from another, in pieces; no JSON as a whole."""
    for name, value in document.items():
        kind, items = _items(value)
        yield msgspec.json.encode(name) + kind
        yield from _in_turns(b"\n" + msgspec.json.encode(item) for item in items)  # apart: 1 and 2 are not 12


def pretty(document: Mapping[str, object]) -> Iterator[bytes]:
    """Yield the document in pieces, as JSON for a person: the same bytes as if it were written at once."""
    yield from _in_turns(_braced(b"{", map(_field, document.items()), b"}", 0))
    yield b"\n"


def _in_turns(pieces: Iterable[bytes]) -> Iterator[bytes]:
    made = 0
    for piece in pieces:
        yield piece
        made += len(piece)
        if made >= TURN_BYTES:
            made = 0
            give_turn()


def _items(value: object) -> tuple[bytes, Iterable[object]]:
    """What kind of value it is, and its parts, which are encoded one by one."""
    if isinstance(value, Mapping):
        return b"{", value.items()
    return (b"[", value) if isinstance(value, list) else (b":", (value,))


def _field(field: tuple[str, object]) -> Iterator[bytes]:
    """A field of the document: a list, or an object, item by item."""
    name, value = field
    yield msgspec.json.encode(name) + b": "
    if isinstance(value, Mapping):
        yield from _braced(b"{", (_named(key, item) for key, item in value.items()), b"}", 1)
    elif isinstance(value, list):
        yield from _braced(b"[", ((_formatted(item, 2),) for item in value), b"]", 1)
    else:
        yield _formatted(value, 1)


def _named(key: object, value: object) -> tuple[bytes, ...]:
    return msgspec.json.encode(key), b": ", _formatted(value, 2)


def _braced(begin: bytes, members: Iterable[Iterable[bytes]], end: bytes, depth: int) -> Iterator[bytes]:
    """Members between braces, each on lines of its own."""
    yield begin
    lead = b"\n" + b" " * (_INDENT * (depth + 1))
    empty = True
    for member in members:
        yield lead if empty else b"," + lead
        yield from member
        empty = False
    if not empty:
        yield b"\n" + b" " * (_INDENT * depth)
    yield end


def _formatted(value: object, depth: int) -> bytes:
    """A value on lines that are indented by its depth; a line feed within a text is escaped, and no line feed."""
    lines = msgspec.json.format(msgspec.json.encode(value), indent=_INDENT)
    return lines.replace(b"\n", b"\n" + b" " * (_INDENT * depth))
