"""How is a consistent copy of JSON made while others write, and what does a copy hold?"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import BinaryIO

from selfheal.data.asset import Proof, Tell
from selfheal.data.jsonlines import CHUNK, Found, batches, form_of, look_at, told
from selfheal.data.jsonlook import LARGEST, document_fault
from selfheal.data.jsonplaces import Places
from selfheal.data.jsonschema import Judge
from selfheal.data.jsontext import BOM, items_of
from selfheal.data.writers import file_time, pause
from selfheal.errors import DataFailed

# Ten seconds in all: who writes a file again and again has moments between.
_TRIES, _PAUSE_S = 500, 0.02
# Who moves a file away and begins another leaves none for a moment.
_ABSENT_TRIES = 50


def capture(places: Places, into: Path, *, append_only: bool, tell: Tell) -> float:
    """Copy all files to `into`; returns the wall time of the begin: all that was whole then is in the copy."""
    began = file_time(into)
    files = places.files()
    for done, path in enumerate(files):
        tell("copying", done / len(files))
        copy = places.copied(into, path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        for left in reversed(range(1 if places.many else _ABSENT_TRIES)):
            try:
                _copy(path, copy, lines=places.holds_lines(path), append_only=append_only)
                break
            except FileNotFoundError as why:
                if not left and not places.many:
                    raise DataFailed(f"cannot copy {str(path)!r}: it is not there", "missing_data") from why
                pause(_PAUSE_S)
    return began


def prove(places: Places, copy: Path, judge: Judge | None, tell: Tell) -> Proof:
    """Read all of a copy. Raises DataFailed with the first thing that is wrong with it."""
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    if not files:
        raise DataFailed("cannot rely on the copy: it holds no file; look whether the path of the agent is right")
    counts: dict[str, float] = {"files": len(files)}
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        name = str(path.relative_to(copy))
        with path.open("rb") as file:
            if places.holds_lines(path):
                what, count = "lines", _prove_lines(file, name, judge, tell)
            else:
                what, count = "items", _prove_document(file, name, judge)
            counts[what] = counts.get(what, 0) + count
            file.seek(0)
            digest.update(f"{name}\0{os.fstat(file.fileno()).st_size}\0".encode())
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    return Proof(max(path.stat().st_mtime for path in files), counts, digest.hexdigest())


def _copy(path: Path, copy: Path, *, lines: bool, append_only: bool) -> None:
    for _ in range(_TRIES):
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            _copy_lines(file, copy, before.st_size) if lines else _copy_document(file, copy)
            after = os.fstat(file.fileno())
        still = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if (still and (lines or _is_whole(copy))) or (lines and append_only and after.st_size >= before.st_size):
            os.utime(copy, ns=(before.st_mtime_ns, before.st_mtime_ns))
            return
        pause(_PAUSE_S)
    _raise_unquiet(path, copy)


def _raise_unquiet(path: Path, copy: Path) -> None:
    why = document_fault(copy.read_bytes().removeprefix(BOM)) if copy.stat().st_size <= LARGEST else ""
    if why:
        raise DataFailed(f"cannot copy {str(path)!r}: {why}", "corrupted")
    raise DataFailed(f"cannot copy {str(path)!r}: it is written again and again; let its writer pause for a moment")


def _is_whole(copy: Path) -> bool:
    return not document_fault(copy.read_bytes().removeprefix(BOM))


def _copy_lines(file: BinaryIO, copy: Path, end: int) -> None:
    """Copy up to the last whole line. What has no end yet is being written: the next backup has it."""
    with copy.open("wb") as new:
        for _, batch in batches(file, 0, end):
            new.write(batch)
        new.truncate(_end_of_lines(copy, new))


def _end_of_lines(copy: Path, new: BinaryIO) -> int:
    """The offset after the last newline, looked for from the end."""
    new.flush()
    with copy.open("rb") as read:
        at = read.seek(0, os.SEEK_END)
        while at:
            begin = max(0, at - CHUNK)
            read.seek(begin)
            newline = read.read(at - begin).rfind(b"\n")
            if newline >= 0:
                return begin + newline + 1
            at = begin
    return 0


def _copy_document(file: BinaryIO, copy: Path) -> None:
    if os.fstat(file.fileno()).st_size > LARGEST:
        raise DataFailed(
            f"cannot copy {file.name!r}: it is larger than {LARGEST >> 20} MiB; write it as lines (.jsonl)"
        )
    copy.write_bytes(file.read())


def _prove_lines(file: BinaryIO, name: str, judge: Judge | None, tell: Tell) -> int:
    found = look_at(file, os.fstat(file.fileno()).st_size, Found(), 0, judge, tell)
    if found.bad:
        raise DataFailed(f"cannot rely on {name}: {told(found.bad)} cannot be read ({found.bad[0].why})", "corrupted")
    if found.unended is not None:
        raise DataFailed(f"cannot rely on {name}: its last line has no end", "torn_tail")
    if found.broken:
        raise DataFailed(f"cannot rely on {name}: {found.form}", "schema_broken")
    return found.lines


def _prove_document(file: BinaryIO, name: str, judge: Judge | None) -> int:
    text = file.read(LARGEST + 1).removeprefix(BOM)
    why = document_fault(text) or ("it is too large" if len(text) > LARGEST else "")
    if why:
        raise DataFailed(f"cannot rely on {name}: {why}", "corrupted")
    form = form_of(text, judge)
    if form:
        raise DataFailed(f"cannot rely on {name}: {form}", "schema_broken")
    return items_of(text)
