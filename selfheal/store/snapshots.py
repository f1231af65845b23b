"""What was the world after a record of the journal, so that a start need not read all that came before?

One file a snapshot, named after the number of the last record in it: a head with number, time and checksum, and the
parts of the world, compressed. It is written all or nothing, and counts once it was read back and gave the same world,
for the records that it stands for are dropped some day.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selfheal.durable import replace_file
from selfheal.store.names import Damage, content, named, number_of, numbered, put_right, set_aside
from selfheal.world import World
from selfheal.world.codec import VERSION, agrees, decode, encode

SUFFIX = ".snapshot"

_MARK = b"\xffSHworld"
_HEAD = struct.Struct(">8sIQdQ")  # mark, version of the codec, number, time, length of the body
_SUM_BYTES = 32
_LENGTH = struct.Struct(">I")
_LEVEL = 3  # half as large as without, in a tenth of the time that the best takes
_AT_ONCE = 16 * 1024  # bytes between two pauses: they take half a millisecond to make

Breathe = Callable[[], object]
"""Called now and then by whoever works in a thread, so that the loop gets its turn."""


class UnknownVersion(ValueError):
    """A newer version of selfheal has written it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The world after record `seq`; `at` is the time of that."""

    seq: int
    at: float
    world: World


@dataclass(frozen=True, slots=True)
class Found:
    """The newest snapshot that can be used, and what was found damaged on the way to it."""

    snapshot: Snapshot | None
    damage: tuple[Damage, ...]


def snapshots(directory: Path) -> list[Path]:
    """Return the snapshots in order."""
    return numbered(directory, SUFFIX)


def write(directory: Path, seq: int, world: World, breathe: Breathe = lambda: None) -> Path:
    """Write the world after record `seq`, durable on return. Raises OSError, and ValueError where it cannot be read."""
    path = named(directory, seq, SUFFIX)
    body = b"".join(_packed(encode(world), breathe))
    head = _HEAD.pack(_MARK, VERSION, seq, world.at, len(body))
    data = head + _sum(head, body) + body
    # Part by part: a second world as a whole would make the garbage collector look at all there is.
    if not all(agrees(world, part) for part in _parts(body, breathe)):
        raise ValueError(f"cannot keep the world of record {seq}: read back it is another; the journal keeps it all")
    replace_file(path, data)
    if path.read_bytes() != data:
        raise OSError(f"what was written to {path.name!r} is not what it holds")
    return path


def read(path: Path, breathe: Breathe = lambda: None) -> Snapshot:
    """Read a snapshot. Raises OSError, UnknownVersion, and ValueError where it is damaged."""
    found = _read(content(path), breathe)
    if found.seq != number_of(path):
        raise ValueError(f"it is a copy of that of record {found.seq}")
    return found


def newest(directory: Path, now: float) -> Found:
    """Return the newest snapshot that is sound; what is damaged is kept aside. Blocks. Raises OSError."""
    damage = put_right(directory, SUFFIX, _said_number, now)
    for path in reversed(snapshots(directory)):
        snapshot, wrong = _examined(path, now)
        damage += wrong
        if snapshot is not None:
            return Found(snapshot, tuple(damage))
    return Found(None, tuple(damage))


def examine(path: Path, now: float, breathe: Breathe) -> list[Damage]:
    """Look whether a snapshot is sound, and keep it aside if not. Blocks. Raises OSError."""
    return _examined(path, now, breathe)[1]


def _examined(path: Path, now: float, breathe: Breathe = lambda: None) -> tuple[Snapshot | None, list[Damage]]:
    try:
        return read(path, breathe), []
    except FileNotFoundError:  # dropped meanwhile
        return None, []
    except UnknownVersion:  # passed over: who wrote it can read it
        return None, []
    except OSError as why:
        wrong = f"the file cannot be read: {why.strerror or why}"
    except ValueError as why:
        wrong = str(why)
    return None, [set_aside(path, wrong, now)]


def time_of(path: Path) -> float:
    """Return the time of a snapshot without reading it all. Raises OSError, ValueError."""
    return _head(content(path, _HEAD.size))[1]


def _head(data: bytes) -> tuple[int, float, int]:
    """Number, time, length of the body."""
    if len(data) < _HEAD.size:
        raise ValueError("it is too short")
    mark, version, seq, at, length = _HEAD.unpack_from(data)
    if mark != _MARK:
        raise ValueError("it does not begin as a snapshot does")
    if version > VERSION:
        raise UnknownVersion(f"version {version} is newer than {VERSION}")
    return seq, at, length


def _read(data: bytes, breathe: Breathe) -> Snapshot:
    sealed = _HEAD.size + _SUM_BYTES
    if _sum(data[: _HEAD.size], data[sealed:]) != data[_HEAD.size : sealed]:
        raise ValueError("its checksum does not match")
    seq, at, _ = _head(data)
    return Snapshot(seq, at, decode(_parts(data[sealed:], breathe)))


def _said_number(path: Path) -> int | None:
    """The number in a snapshot that is whole; else nothing that it says is to be believed."""
    try:
        data = content(path)
    except OSError:
        return None
    sealed = _HEAD.size + _SUM_BYTES
    if _sum(data[: _HEAD.size], data[sealed:]) != data[_HEAD.size : sealed]:
        return None
    seq: int = _HEAD.unpack_from(data)[2]
    return seq


def _packed(parts: Iterator[bytes], breathe: Breathe) -> Iterator[bytes]:
    packer, taken = zlib.compressobj(_LEVEL), 0
    for part in parts:
        yield packer.compress(_LENGTH.pack(len(part)) + part)
        taken += len(part)
        if taken >= _AT_ONCE:
            taken = 0
            breathe()
    yield packer.flush()


def _parts(body: bytes, breathe: Breathe) -> Iterator[bytes]:
    try:
        data = zlib.decompress(body)
    except zlib.error as why:
        raise ValueError(f"it cannot be unpacked ({why})") from why
    offset = taken = 0
    while offset < len(data):
        (length,) = _LENGTH.unpack_from(data, offset)
        begin, offset = offset + _LENGTH.size, offset + _LENGTH.size + length
        yield data[begin:offset]
        taken += length
        if taken >= _AT_ONCE:
            taken = 0
            breathe()


def _sum(head: bytes, body: bytes) -> bytes:
    seal = hashlib.blake2b(head, digest_size=_SUM_BYTES)
    seal.update(body)
    return seal.digest()
