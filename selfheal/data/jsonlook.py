"""Is a file of JSON sound? One look at it, by what was seen before.

A file that is being written is never taken for a damaged one. What is not whole counts only when nobody will go on with
it: no process has it open since before its last write, and that is some seconds ago, or was so at the last look.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from selfheal.data.asset import Tell
from selfheal.data.inplace import ASIDE, put_in_place
from selfheal.data.jsonlines import Found, Line, add_bad, fault_of, form_of, is_blank, look_at, told
from selfheal.data.jsonmemory import Seen, begins_with, changed, grown, hash_of, next_turn, settled
from selfheal.data.jsonschema import Judge
from selfheal.data.jsontext import BOM, fault, first_document, items_of
from selfheal.data.writers import Writers, writers
from selfheal.errors import DataFailed

# Writers pause within a line for far less; a machine under load for about as long.
GRACE_S = 3.0
# Who has a document open and has not written for so long does not write it: it keeps it open.
_REWRITTEN_WITHIN_S = 60.0
# A document is held in memory, and so is what it is read into.
LARGEST = 256 << 20
# A document that looks untouched is read in spite of it where that costs a millisecond.
_READ_ANYWAY = 1 << 20
_TRIES = 3
# Where a salvage keeps what it could not save: that it was tried changes nothing.
LOST = ".lines"
_PACKED = frozenset({".gz", ".xz", ".bz2", ".zst"})


class Asked(msgspec.Struct, frozen=True):
    """What is wanted of a file. `base` is where plans of swaps lie, `now` wall time."""

    base: Path
    now: float
    thorough: bool
    append_only: bool
    max_drop: float | None
    judge: Judge | None
    tell: Tell


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong."""

    cause: str
    reason: str


class Look(msgspec.Struct):
    """What a look gave. `count` are lines, or items of a document.

    `unfinished` bytes at the end of a file belong to a line that is being written.
    """

    seen: Seen | None
    count: int = 0
    size: int = 0
    mtime: float = 0.0
    unfinished: int = 0
    faults: list[Fault] = []


def look(path: Path, seen: Seen | None, asked: Asked, *, lines: bool) -> Look:
    """Look at one file. Raises FileNotFoundError where it is not there, DataFailed where nothing can be said of it."""
    found = Look(seen)
    for left in reversed(range(_TRIES)):
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            try:
                found = (_look_at_lines if lines else _look_at_document)(file, path, seen, asked)
            except OSError as why:
                if why.errno != errno.EIO:
                    raise
                return Look(seen, faults=[Fault("corrupted", f"{path.name}: the disk cannot read it")])
            after = os.fstat(file.fileno())
            if _held_still(path, before, after, grows=lines and asked.append_only) and not (
                left and found.faults and after.st_mtime_ns != before.st_mtime_ns  # cut and filled again, perhaps
            ):
                return found
    # Somebody writes it again and again: the next look may find it at rest.
    return Look(seen, found.count, found.size, found.mtime)


def _held_still(path: Path, before: os.stat_result, after: os.stat_result, *, grows: bool) -> bool:
    """Whether the file was the same from begin to end of the look, or has only grown."""
    try:
        if path.stat().st_ino != before.st_ino:
            return False
    except FileNotFoundError:
        return False
    if grows:
        return after.st_size >= before.st_size
    return (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def _look_at_lines(file: BinaryIO, path: Path, seen: Seen | None, asked: Asked) -> Look:
    stat = os.fstat(file.fileno())
    known = seen.lines if seen is not None else None
    same = seen is not None and known is not None and seen.inode == stat.st_ino and stat.st_size >= known.sound
    other = changed(file, seen, all_of_it=asked.thorough) if same and seen is not None else ()
    excused = seen is None or ((not same or bool(other)) and _moved_away(file, path, seen, asked))
    if other and (excused or not asked.append_only):
        same, other = False, ()
    start = settled(known) if same and known is not None and not asked.thorough else Found()
    before = start.sound
    found = look_at(file, stat.st_size, start, before, asked.judge, asked.tell)
    result = Look(seen, found.lines, stat.st_size, stat.st_mtime)
    waiting = _end_with(file, found, result, seen, asked)
    result.faults += _faults_of(path, found, stat.st_size)
    result.faults += [_turned(path, other)] if other else []
    if known is not None and not (excused or same):  # what is damaged has been told, and is not missing
        result.faults += _dropped(path, known.lines, found.lines + _damaged(found), "lines", asked)
    if other and seen is not None:
        result.seen = msgspec.structs.replace(seen, doubted=other, turn=next_turn(seen, known.sound if known else 0))
    elif not any(each.cause == "missing_data" for each in result.faults):
        turn = next_turn(seen if same else None, found.sound)
        blocks = grown(file, seen.blocks if seen is not None else b"", before, found.sound)
        result.seen = Seen(stat.st_ino, stat.st_size, stat.st_mtime_ns, waiting, blocks, settled(found), turn=turn)
    return result


def _end_with(file: BinaryIO, found: Found, result: Look, seen: Seen | None, asked: Asked) -> bool:
    """Judge a last line without an end; returns whether it is left alone for now."""
    line = found.unended
    if line is None or is_blank(line):
        return False
    if _may_go_on(file.fileno(), seen, asked.now, float("inf")):
        result.unfinished = len(line.text)
        return True
    add_bad(found, line, fault_of(line) or "its newline is missing")
    return False


def _may_go_on(fd: int, seen: Seen | None, now: float, open_s: float) -> bool:
    """Whether somebody may still be writing what is not whole. `open_s` is for who has it open."""
    stat = os.fstat(fd)
    age = now - stat.st_mtime
    again = seen is not None and seen.waiting and (seen.size, seen.mtime) == (stat.st_size, stat.st_mtime_ns)
    if age < GRACE_S and not again:
        return True
    return age < open_s and writers(fd, now) is Writers.LIVE


def is_torn(found: Found, size: int) -> bool:
    """Whether all that is damaged is the last line."""
    return len(found.bad) == 1 and found.bad[0].end == size and found.bad[0].first == found.bad[0].last


def _faults_of(path: Path, found: Found, size: int) -> list[Fault]:
    faults = []
    if found.bad:
        cause = "torn_tail" if is_torn(found, size) else "corrupted"
        what = f"{path.name}: {told(found.bad)}: {found.bad_bytes:,} bytes cannot be read ({found.bad[0].why})"
        faults.append(Fault(cause, what))
    if found.broken:
        faults.append(
            Fault("schema_broken", f"{path.name}: {found.broken:,} lines not as they should be: {found.form}")
        )
    return faults


def _damaged(found: Found) -> int:
    return sum(bad.last - bad.first + 1 for bad in found.bad)


def _turned(path: Path, runs: tuple[tuple[int, int], ...]) -> Fault:
    begin, end = runs[0]
    more = f" and {len(runs) - 1} more places" if len(runs) > 1 else ""
    return Fault(
        "corrupted", f"{path.name}: bytes {begin:,} to {end:,}{more} are not what they were, and it only grows"
    )


def _dropped(path: Path, before: int, now: int, what: str, asked: Asked) -> list[Fault]:
    allowed = asked.max_drop if asked.max_drop is not None else 0.0 if asked.append_only else 1.0
    if now >= before * (1 - allowed):
        return []
    return [Fault("missing_data", f"{path.name}: {now:,} {what} are left of {before:,}")]


def _moved_away(file: BinaryIO, path: Path, seen: Seen, asked: Asked) -> bool:
    """Whether what was seen is kept elsewhere, as after a rotation, or was exchanged by us."""
    return put_in_place(asked.base, path, os.fstat(file.fileno()).st_ino) or is_kept(path, seen)


def is_kept(path: Path, seen: Seen) -> bool:
    """Whether what was seen at `path` lies beside it under a longer name: renamed, copied, or packed since then.

    Or a part of it, cut off by us.
    """
    for other in path.parent.iterdir():
        if other != path and other.name.startswith(path.stem):
            with contextlib.suppress(OSError):
                stat = other.stat()
                if stat.st_ino == seen.inode:
                    return True
                taken = other.suffix in _PACKED or (ASIDE in other.name and other.suffix != LOST)
                if taken and stat.st_mtime_ns >= seen.mtime:
                    return True
                if other.is_file() and stat.st_size >= _size(seen) and _begins_with(other, seen):
                    return True
    return False


def _begins_with(path: Path, seen: Seen) -> bool:
    with path.open("rb") as file:
        return begins_with(file, seen)


def _size(seen: Seen) -> int:
    return seen.lines.sound if seen.lines is not None else seen.size


def _look_at_document(file: BinaryIO, path: Path, seen: Seen | None, asked: Asked) -> Look:
    stat = os.fstat(file.fileno())
    if stat.st_size > LARGEST:
        raise DataFailed(
            f"cannot look into {str(path)!r}: it is larger than {LARGEST >> 20} MiB; write it as lines (.jsonl)"
        )
    mark = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    untouched = seen is not None and seen.blocks != b"" and mark == (seen.inode, seen.size, seen.mtime)
    result = Look(seen, seen.items if seen else 0, stat.st_size, stat.st_mtime)
    if untouched and not asked.thorough and stat.st_size > _READ_ANYWAY:
        return result
    data = file.read()
    if untouched and seen is not None and hash_of(data) != seen.blocks:
        result.faults = [Fault("corrupted", f"{path.name}: its content changed, and nobody has written to it")]
        return result
    text = data.removeprefix(BOM)
    why = document_fault(text)
    if why and _may_go_on(file.fileno(), seen, asked.now, _REWRITTEN_WITHIN_S):
        result.unfinished = stat.st_size
        result.seen = Seen(*mark, waiting=True, items=seen.items if seen else 0)
        return result
    if why:
        result.faults = [Fault("corrupted", f"{path.name}: {why}")]
        return result
    result.count = items_of(text)
    form = form_of(text, asked.judge)
    result.faults = [Fault("schema_broken", f"{path.name} is not as it should be: {form}")] if form else []
    if seen is not None and not put_in_place(asked.base, path, stat.st_ino):
        result.faults += _dropped(path, seen.items, result.count, "items", asked)
    if not any(each.cause == "missing_data" for each in result.faults):
        result.seen = Seen(*mark, blocks=hash_of(data), items=result.count)
    return result


def document_fault(text: bytes) -> str:
    """Say what is wrong with a whole document; empty where nothing is."""
    if not text.strip():
        return "it is empty"
    why = fault(text)
    if not why:
        return ""
    first = first_document(text)
    rest = text[len(first) :].strip()
    if not first:
        return f"it cannot be read ({why})"
    if not rest.strip(b"\0"):
        return "NUL bytes follow its content"
    return "its content stands there twice" if rest == first.strip() else f"{len(rest):,} bytes follow its content"


def unended(found: Found) -> Line | None:
    """The last line, where it has no end and is not blank."""
    line = found.unended
    return None if line is None or is_blank(line) else line
