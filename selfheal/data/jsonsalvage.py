"""What of damaged JSON is whole, and where is the rest kept?

Lines are taken one by one; what is no record by itself is written, with its line, to `NAME.damaged-<time>.lines` beside
the data. A document is taken up to its end where something else follows it; one that is cut short is not, for nobody
can say what it would have gone on with.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from selfheal.data.asset import Tell
from selfheal.data.jsonlines import LONGEST, Bad, Line, fault_of, form_of, is_blank, lines, told
from selfheal.data.jsonlook import LARGEST, LOST, document_fault
from selfheal.data.jsonmemory import Seen, hash_of, strange
from selfheal.data.jsonplaces import Places
from selfheal.data.jsonschema import Judge
from selfheal.data.jsontext import BOM, first_document, parts, whole
from selfheal.durable import name_aside, prepared, sync_directory
from selfheal.errors import DataFailed


class _Loss(msgspec.Struct):
    """What was lost of one file: damaged lines, neighbours together, and bytes that belong to no record."""

    bad: list[Bad] = []
    size: int = 0
    aside: bytearray = msgspec.field(default_factory=bytearray)
    unkept: int = 0


def salvage(places: Places, into: Path, judge: Judge | None, before: dict[Path, Seen], tell: Tell) -> str:
    """Put all sound lines and documents into `into`; returns in words what was lost. `before` is what was seen.

    Raises DataFailed where a document cannot be saved, or there is nothing to save.
    """
    files = [path for path in places.files() if path.is_file()]
    if not files:
        raise DataFailed(f"cannot salvage anything below {str(places.folder)!r}: there is no file", "missing_data")
    lost = []
    for done, path in enumerate(files):
        tell("salvaging", done / len(files))
        copy = places.copied(into, path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        lines_of = places.holds_lines(path)
        lost.append(
            _lines(path, copy, judge, before.get(path)) if lines_of else _document(path, copy, judge, before.get(path))
        )
        os.utime(copy, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    return "; ".join(filter(None, lost))


def _lines(path: Path, copy: Path, judge: Judge | None, before: Seen | None) -> str:
    loss = _Loss()
    with path.open("rb") as file, copy.open("wb") as new:
        size = os.fstat(file.fileno()).st_size
        turned = strange(file, before, size) if before is not None and before.lines is not None else ()
        for line in lines(file, size):
            _take(line, new, loss, judge, turned)
    if loss.size == 0:
        return ""
    _keep(path, loss)
    return f"{path.name}: {told(loss.bad)}: {loss.size:,} bytes"


def _take(line: Line, new: BinaryIO, loss: _Loss, judge: Judge | None, turned: Sequence[tuple[int, int]]) -> None:
    if is_blank(line):
        return
    why = _why_not(line, judge, turned)
    if not why:
        new.write(line.text + b"\n")
        return
    saved = [part for part in parts(line.text) if why != _TURNED and not form_of(part, judge)]
    if not line.ended and not fault_of(line) and not whole(line.text):
        saved = []  # a number that may have gone on
    new.writelines(part + b"\n" for part in saved)
    lost = len(line.text) - sum(map(len, saved))
    if lost:
        _lose(line, why, lost, loss)


_TURNED = "not what it was when it was seen before"


def _why_not(line: Line, judge: Judge | None, turned: Sequence[tuple[int, int]]) -> str:
    """Say why a line is not taken as it is; empty where it is."""
    if any(begin < line.end and line.begin < end for begin, end in turned):
        return _TURNED
    why = fault_of(line)
    if why or line.ended or whole(line.text):
        return why or form_of(line.text, judge)
    return "its newline is missing"


def _lose(line: Line, why: str, lost: int, loss: _Loss) -> None:
    loss.size += lost
    last = loss.bad[-1] if loss.bad else None
    if last is not None and last.last >= line.number - 1:
        loss.bad[-1] = Bad(last.first, line.number, last.begin, line.end, last.why)
    else:
        loss.bad.append(Bad(line.number, line.number, line.begin, line.end, why))
    if len(loss.aside) < LONGEST:
        loss.aside += (
            msgspec.json.encode({"line": line.number, "at": line.begin, "why": why} | _told(line.text)) + b"\n"
        )


def _told(text: bytes) -> dict[str, str]:
    """The bytes of a line, as text where they are text. A gap of NULs is only counted."""
    if not text.strip(b"\0"):
        return {"text": f"{len(text)} NUL bytes"}
    try:
        return {"text": text.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(text).decode()}


def _keep(path: Path, loss: _Loss) -> None:
    """Keep what was lost beside the data. The name goes by the last write: the same damage is kept once."""
    data = bytes(loss.aside)
    aside = name_aside(path, path.stat().st_mtime)
    aside = aside.with_name(f"{aside.name}{LOST}")
    with prepared(aside, data) as ready:
        ready.replace(aside)
    sync_directory(aside.parent)


def _document(path: Path, copy: Path, judge: Judge | None, before: Seen | None) -> str:
    stat = path.stat()
    if stat.st_size > LARGEST:
        raise DataFailed(f"cannot salvage {str(path)!r}: it is larger than {LARGEST >> 20} MiB; restore a backup")
    data = path.read_bytes()
    mark = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if (
        before
        and before.blocks
        and mark == (before.inode, before.size, before.mtime)
        and hash_of(data) != before.blocks
    ):
        raise DataFailed(f"cannot salvage {str(path)!r}: nobody wrote what is in it now; restore a backup", "corrupted")
    text = data.removeprefix(BOM)
    why = document_fault(text)
    document = first_document(text) if why else text
    if not document:
        raise DataFailed(
            f"cannot salvage {str(path)!r}: {why}, and nothing of it is whole; restore a backup", "corrupted"
        )
    form = form_of(document, judge)
    if form:
        raise DataFailed(f"cannot salvage {str(path)!r}: {form}; restore a backup", "schema_broken")
    copy.write_bytes(document)
    lost = len(text) - len(document)
    return f"{path.name}: {lost:,} bytes after the end of the document" if why else ""
