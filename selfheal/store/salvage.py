"""What of the journal can still be read after all that happened to it?

Runs once, at the start. Whole frames stay, everything else is cut out and kept aside, and a hole frame takes its
place, so that the next start is silent about it. A number is never given twice: what was lost may have been shown.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field, replace
from pathlib import Path

from selfheal.durable import keep_aside, replace_file, sweep
from selfheal.store.frames import HEAD_BYTES, Frame, encode_hole, scan

SUFFIX = ".log"
# What is short for the moment says nothing about a file: better no start than one without its records.
_NOT_THE_DISK = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


@dataclass(frozen=True, slots=True)
class Damage:
    """Something found wrong in a segment: what, where, and the file in the same folder that keeps its bytes.

    `what` reads "torn tail", "checksum does not match", "unreadable bytes", "the file cannot be read: …",
    "a number that was there before", or "records 5 to 7 are missing" (then `length` is 0).
    """

    file: str
    offset: int
    length: int
    what: str
    kept_as: str | None


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was found. `tail` is the segment to go on in; None where a new one must be begun."""

    last_seq: int
    tail: Path | None
    damage: tuple[Damage, ...]
    unreadable: frozenset[Path]
    """Segments of which nothing could be read."""


def segments(directory: Path) -> list[Path]:
    """Return the segments in order. A segment is named after the first number in it."""
    return sorted(path for path in directory.glob(f"*{SUFFIX}") if path.stem.isdecimal())


def first_seq(segment: Path) -> int:
    """Return the number that `segment` is named after."""
    return int(segment.stem)


def salvage(directory: Path, now: float) -> Salvaged:
    """Examine every segment and mend what is damaged. A segment that cannot be mended now stays as it is.

    Raises OSError where it is not the disk that refuses.
    """
    sweep(directory)
    paths = segments(directory)
    last = first_seq(paths[0]) - 1 if paths else 0  # nothing is missing before it: that was dropped for its age
    tail, damage, unreadable = None, list[Damage](), set[Path]()
    for path, following in zip(paths, [*map(first_seq, paths[1:]), None], strict=False):
        try:
            data = path.read_bytes()
        except OSError as why:
            if why.errno in _NOT_THE_DISK:
                raise
            size = path.stat().st_size
            unreadable.add(path)
            damage.append(Damage(path.name, 0, size, f"the file cannot be read: {why.strerror}", None))
            last, tail = _after_lost(max(last, first_seq(path) - 1), size, following), None
            continue
        found = _examine(path, data, last, following)
        mended = _mend(path, found, now)
        damage += mended if mended is not None else found.damage
        last, tail = max(found.last_seq, first_seq(path) - 1), path if mended is not None else None
    return Salvaged(last, tail, tuple(damage), frozenset(unreadable))


@dataclass(slots=True)
class _Found:
    last_seq: int
    sound: list[bytes] = field(default_factory=list)
    cut: list[bytes] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)


def _examine(path: Path, data: bytes, last: int, following: int | None) -> _Found:
    """Part the whole frames of a segment from the rest. `last` is the last number before it."""
    found = _Found(last)
    unread = 0  # bytes since the last whole frame; they explain a gap in the numbers
    for item in scan(data):
        raw = data[item.offset : item.end]
        if isinstance(item, Frame) and item.seq > found.last_seq:
            if not item.hole:
                _close_gap(path, found, item.seq - 1, item.offset, explained=bool(unread))
            found.sound.append(raw)
            found.last_seq, unread = item.seq, 0
        else:
            what = "a number that was there before" if isinstance(item, Frame) else item.what
            found.damage.append(Damage(path.name, item.offset, len(raw), what, None))
            found.cut.append(raw)
            unread += len(raw)
    if unread:
        found.last_seq = _after_lost(max(found.last_seq, first_seq(path) - 1), unread, following)
        found.sound.append(encode_hole(found.last_seq))
    elif found.last_seq < first_seq(path) - 1:  # its name outlived a power cut, what came before it did not
        _close_gap(path, found, first_seq(path) - 1, 0, explained=False)
        found.last_seq = first_seq(path) - 1
    return found


def _close_gap(path: Path, found: _Found, last: int, offset: int, *, explained: bool) -> None:
    """Say that what is missing up to number `last` is missing, once: a hole takes its place."""
    first = found.last_seq + 1
    if first > last:
        return
    if not explained:
        found.damage.append(Damage(path.name, offset, 0, f"records {first} to {last} are missing", None))
    found.sound.append(encode_hole(last))


def _after_lost(last: int, size: int, following: int | None) -> int:
    """Return the highest number that `size` lost bytes after number `last` can have held."""
    if following is not None:
        return max(last, following - 1)
    return last + size // HEAD_BYTES + 1


def _mend(path: Path, found: _Found, now: float) -> list[Damage] | None:
    """Rewrite a damaged segment and return the damage with where it is kept; None where the disk refuses."""
    if not found.damage:
        return []
    try:
        aside = keep_aside(path, b"".join(found.cut), now) if found.cut else None
        replace_file(path, b"".join(found.sound))
    except OSError:
        return None
    return [replace(each, kept_as=aside.name if aside and each.length else None) for each in found.damage]
