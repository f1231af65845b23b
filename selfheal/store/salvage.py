"""What of the journal can still be read after all that happened to it?

Whole frames stay, everything else is cut out and kept aside, and a hole frame takes its place, so that the next start
is silent about it. A number is never given twice: what was lost may have been shown. A start looks at those segments
alone that it has to read; the others are examined afterwards, one by one.
"""

from __future__ import annotations

import errno
from bisect import bisect_right
from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from pathlib import Path

from selfheal.durable import keep_aside, replace_file, sweep
from selfheal.store.frames import HEAD_BYTES, Frame, Unreadable, encode_hole, scan
from selfheal.store.names import Damage, content, number_of, numbered, put_right

__all__ = ["SUFFIX", "Damage", "Salvaged", "examine_older", "first_seq", "salvage", "segments"]

SUFFIX = ".log"
# What is short for the moment says nothing about a file: better no start than one without its records.
_NOT_THE_DISK = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
_FIRST_BYTES = 64 * 1024  # the first record of a segment is hardly ever longer
_AT_ONCE = 200  # frames between two pauses: about a millisecond


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was found. `tail` is the segment to go on in; None where a new one must be begun.

    `older` are the segments that were not looked at yet.
    """

    last_seq: int
    tail: Path | None
    damage: tuple[Damage, ...]
    older: tuple[Path, ...] = ()
    unreadable: frozenset[Path] = frozenset()
    """Segments of which nothing could be read."""


def segments(directory: Path) -> list[Path]:
    """Return the segments in order. A segment is named after the first number in it."""
    return numbered(directory, SUFFIX)


def first_seq(segment: Path) -> int:
    """Return the number that `segment` is named after."""
    return number_of(segment)


def salvage(directory: Path, now: float, since: int = 0, bases: Container[int] = ()) -> Salvaged:
    """Examine the segments that hold what came after record `since`, and mend what is damaged.

    A segment that cannot be mended now stays as it is. `bases` are the numbers of the snapshots that are there: what
    came before one may have been dropped for its age. Raises OSError where it is not the disk that refuses.
    """
    sweep(directory)
    damage = put_right(directory, SUFFIX, _said_number, now)
    paths = segments(directory)
    begin = max(bisect_right([first_seq(path) for path in paths], since + 1) - 1, 0)
    last, tail = _before(paths[begin:], since, older=begin > 0, bases=bases), None
    unreadable: set[Path] = set()
    for path, following in zip(paths[begin:], [*map(first_seq, paths[begin + 1 :]), None], strict=False):
        last, tail, found, read = _look(path, last, following, now)
        damage += found
        if not read:
            unreadable.add(path)
    return Salvaged(last, tail, tuple(damage), tuple(paths[:begin]), frozenset(unreadable))


def examine_older(
    path: Path, following: int, earliest: bool, bases: Container[int], now: float, breathe: Callable[[], object]
) -> list[Damage]:
    """Examine and mend a segment that the start has left out. `following` is the number of the next one. Blocks."""
    try:
        first = first_seq(path)
        last = 0 if earliest and first - 1 not in bases else first - 1
        return _look(path, last, following, now, breathe)[2]
    except FileNotFoundError:  # dropped meanwhile
        return []


def _before(paths: list[Path], since: int, *, older: bool, bases: Container[int]) -> int:
    """Return the last number that is accounted for before the first of these segments."""
    if not paths or first_seq(paths[0]) > since + 1:
        return since
    first = first_seq(paths[0])
    return first - 1 if older or first - 1 == since or first - 1 in bases else 0


def _look(
    path: Path, last: int, following: int | None, now: float, breathe: Callable[[], object] = lambda: None
) -> tuple[int, Path | None, list[Damage], bool]:
    """Examine a segment and mend it: the last number in it, where to go on, what is wrong, and whether it was read."""
    try:
        data = content(path)
    except FileNotFoundError:
        raise
    except OSError as why:  # a bad sector, or no file at all
        if why.errno in _NOT_THE_DISK:
            raise
        size = path.stat().st_size
        end = _after_lost(max(last, first_seq(path) - 1), size, following)
        what = f"the file cannot be read: {why.strerror}"
        return end, None, [Damage(path.name, 0, size, what, None, (last + 1, end))], False
    found = _Examination(path, last, following)
    found.go_through(data, breathe)
    mended = _mend(path, found, now)
    damage = mended if mended is not None else found.damage
    return max(found.last_seq, first_seq(path) - 1), path if mended is not None else None, damage, True


@dataclass(slots=True)
class _Examination:
    """Parts the whole frames of a segment from the rest. `last_seq` begins as the last number before it."""

    path: Path
    last_seq: int
    following: int | None
    sound: list[bytes] = field(default_factory=list)
    cut: list[bytes] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    unread: int = 0  # bytes since the last whole frame; they explain a gap in the numbers
    told: int = 0  # what was found before them, and is settled

    def go_through(self, data: bytes, breathe: Callable[[], object]) -> None:
        for count, item in enumerate(scan(data)):
            raw = data[item.offset : item.end]
            wrong = self._wrong(item)
            if isinstance(item, Frame) and wrong is None:
                self._take(item, raw)
            else:
                self._cut_out(item.offset, raw, wrong or "unreadable bytes")
            if count % _AT_ONCE == 0:
                breathe()
        self._end(len(data))

    def _wrong(self, item: Frame | Unreadable) -> str | None:
        if isinstance(item, Unreadable):
            return item.what
        if item.seq <= self.last_seq:
            return "a number that was there before"
        beyond = self.following is not None and item.seq >= self.following
        return "a number that belongs to a later file" if beyond else None

    def _take(self, frame: Frame, raw: bytes) -> None:
        if not frame.hole:
            self._close_gap(frame.offset, frame.seq - 1)
        self._settle(frame.seq - (not frame.hole))
        self.sound.append(raw)
        self.last_seq = frame.seq

    def _cut_out(self, offset: int, raw: bytes, what: str) -> None:
        latest = self.damage[-1] if len(self.damage) > self.told else None
        if latest is not None and latest.what == what and latest.offset + latest.length == offset:
            self.damage[-1] = replace(latest, length=latest.length + len(raw))
        else:
            self.damage.append(Damage(self.path.name, offset, len(raw), what, None))
        self.cut.append(raw)
        self.unread += len(raw)

    def _end(self, size: int) -> None:
        before = max(self.last_seq, first_seq(self.path) - 1)
        if self.unread:
            end = _after_lost(before, self.unread, self.following)
            if end > self.last_seq:
                self.sound.append(encode_hole(end))
            self._settle(end)
            self.last_seq = max(self.last_seq, end)
            return
        end = (self.following or first_seq(self.path)) - 1
        self._close_gap(size, end)
        self._settle(end)
        self.last_seq = max(self.last_seq, end)

    def _close_gap(self, offset: int, last: int) -> None:
        """Account for the numbers up to `last` that are not there."""
        first = self.last_seq + 1
        if first > last:
            return
        if not self.unread:
            missing = f"records {first} to {last} are missing"
            self.damage.append(Damage(self.path.name, offset, 0, missing, None))
        self.sound.append(encode_hole(last))

    def _settle(self, last: int) -> None:
        """Say of what was found since the last whole frame which numbers it may have cost."""
        lost = (self.last_seq + 1, last) if last > self.last_seq else None
        self.damage[self.told :] = [replace(each, records=lost) for each in self.damage[self.told :]]
        self.told, self.unread = len(self.damage), 0


def _after_lost(last: int, size: int, following: int | None) -> int:
    """Return the highest number that `size` lost bytes after number `last` can have held."""
    if following is not None:
        return max(last, following - 1)
    return last + size // HEAD_BYTES + 1


def _mend(path: Path, found: _Examination, now: float) -> list[Damage] | None:
    """Rewrite a damaged segment and return the damage with where it is kept; None where the disk refuses."""
    if not found.damage:
        return []
    try:
        aside = keep_aside(path, b"".join(found.cut), now) if found.cut else None
        replace_file(path, b"".join(found.sound))
    except OSError:
        return None
    return [replace(each, kept_as=aside.name if aside and each.length else None) for each in found.damage]


def _said_number(path: Path) -> int | None:
    """The number of the record that a segment begins with; None where it begins with none that is whole."""
    try:
        first = next(scan(content(path, _FIRST_BYTES)), None)
    except OSError:
        return None
    return first.seq if isinstance(first, Frame) and not first.hole and first.offset == 0 else None
