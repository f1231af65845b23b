"""Which lines of a file are sound JSON, and where are those that are not?

In memory that is bounded, whatever the size of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

from selfheal.data.asset import Tell, untold
from selfheal.data.jsonschema import Judge
from selfheal.data.jsontext import BOM, all_sound, fault, value_of
from selfheal.errors import DataFailed

CHUNK = 1 << 20
# A record of this size is held in memory as a whole; of one that is longer nothing can be said.
LONGEST = 64 << 20
# Damages are told one by one as long as somebody could read that.
_TOLD = 200


class Line(msgspec.Struct, frozen=True):
    """One line as it is in the file, without its newline. `begin` is its offset; `ended` whether a newline follows.

    A line of NUL bytes without end comes in pieces, each but the last not `ended`.
    """

    number: int
    begin: int
    text: bytes
    ended: bool

    @property
    def end(self) -> int:
        """The offset after it and its newline."""
        return self.begin + len(self.text) + self.ended


class Bad(msgspec.Struct, frozen=True):
    """A run of lines that cannot be read."""

    first: int
    last: int
    begin: int
    end: int
    why: str


class Found(msgspec.Struct):
    """What lines hold. `lines` are those that are sound, `number` that of the last line; `sound` is the offset after
    the last sound one, and `sound_number` its number.

    `bad` are the damaged ones in order, neighbours together; of very many only the first are here, and all are in
    `bad_bytes`, those after the last sound line in `bad_after` too. `broken` lines are sound and not of the form they
    should have; `form` says so of the first. `unended` is a last line without a newline: its writer may be at it.
    """

    lines: int = 0
    number: int = 0
    sound: int = 0
    sound_number: int = 0
    bad: list[Bad] = []
    bad_bytes: int = 0
    bad_after: int = 0
    broken: int = 0
    form: str = ""
    unended: Line | None = None


def batches(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Give the bytes of a file from `begin` to `end` in pieces of whole lines, each with its offset.

    Only what has no newline within LONGEST, and the end of the file, come without one.
    """
    file.seek(begin)
    rest, at = bytearray(), begin
    while chunk := file.read(min(CHUNK, end - at - len(rest))):
        cut = chunk.rfind(b"\n") + 1
        rest += chunk[:cut] if cut else chunk
        if cut or len(rest) > LONGEST:
            yield at, bytes(rest)
            at += len(rest)
            rest = bytearray(chunk[cut:] if cut else b"")
    if rest:
        yield at, bytes(rest)


def lines(file: BinaryIO, end: int) -> Iterator[Line]:
    """Give each line of a file up to the offset `end`."""
    number, going_on = 0, False
    for begin, batch in batches(file, 0, end):
        for line in _taken_apart(batch, begin, number + (not going_on)):
            yield line
            number = line.number
        going_on = not batch.endswith(b"\n")


def look_at(
    file: BinaryIO, end: int, found: Found, begin: int = 0, judge: Judge | None = None, tell: Tell = untold
) -> Found:
    """Add to `found` what stands from `begin`, where a line begins, to `end`. An unended last line is left apart.

    Raises DataFailed where a line is too long to be looked at.
    """
    going_on = False
    for at, batch in batches(file, begin, end):
        tell("reading", (at - begin) / max(1, end - begin))
        first = found.number + (not going_on)
        going_on = not batch.endswith(b"\n")
        if going_on or found.unended or judge is not None or not _take_all(found, batch, at):
            _take_each(found, _taken_apart(batch, at, first), judge)
    return found


def is_blank(line: Line) -> bool:
    """Whether it holds nothing, which is no damage."""
    return not _bare(line).strip()


def fault_of(line: Line) -> str:
    """Say in a few words what is wrong with a line; empty where nothing is."""
    if not line.ended and len(line.text) > LONGEST and b"\0" not in line.text:
        raise DataFailed(
            f"cannot look at line {line.number:,}: it is longer than {LONGEST >> 20} MiB; write shorter records"
        )
    return "" if is_blank(line) else fault(_bare(line))


def told(bad: Iterable[Bad]) -> str:
    """Name damaged lines as a person does: "lines 17, 4,711 to 4,720"."""
    runs = [f"{run.first:,}" if run.first == run.last else f"{run.first:,} to {run.last:,}" for run in bad]
    more = f" and {len(runs) - _SHOWN:,} more places" if len(runs) > _SHOWN else ""
    word = "line" if len(runs) == 1 and " to " not in runs[0] else "lines"
    return f"{word} {', '.join(runs[:_SHOWN])}{more}"


_SHOWN = 12


def _take_all(found: Found, batch: bytes, at: int) -> bool:
    """Count a batch of whole lines at once, where all of them are sound."""
    texts = batch[:-1].split(b"\n")
    if (at == 0 and batch.startswith(BOM)) or not all_sound(texts, batch):
        return False
    found.lines += len(texts)
    found.number += len(texts)
    found.sound, found.sound_number, found.bad_after = at + len(batch), found.number, 0
    return True


def _take_each(found: Found, given: Iterable[Line], judge: Judge | None) -> None:
    for line in given:
        found.number = line.number
        why = fault_of(line)
        if found.unended is not None:  # it was a piece, and is not the last line
            add_bad(found, found.unended, "NUL bytes")
            found.unended = None
        if not line.ended:  # its writer may be at it
            found.unended = line
        elif why:
            add_bad(found, line, why)
        else:
            _take_sound(found, line, judge)


def _take_sound(found: Found, line: Line, judge: Judge | None) -> None:
    found.sound, found.sound_number, found.bad_after = line.end, line.number, 0
    if is_blank(line):
        return
    found.lines += 1
    form = form_of(line.text, judge)
    if form:
        found.broken += 1
        found.form = found.form or f"line {line.number:,}: {form}"


def form_of(text: bytes, judge: Judge | None) -> str:
    """Say what of a sound document is not of the form that it should have; empty where nothing is."""
    if judge is None:
        return ""
    try:
        return judge(value_of(text.removeprefix(BOM)))
    except ValueError as why:
        return f"it is {why}"


def add_bad(found: Found, line: Line, why: str) -> None:
    """Note a damaged line, together with the one before it where that is damaged too."""
    size = len(line.text) + line.ended
    found.bad_bytes += size
    found.bad_after += size
    last = found.bad[-1] if found.bad else None
    if last is not None and last.end == line.begin:
        found.bad[-1] = Bad(last.first, line.number, last.begin, line.end, last.why)
    elif len(found.bad) < _TOLD:
        found.bad.append(Bad(line.number, line.number, line.begin, line.end, why))


def _taken_apart(batch: bytes, begin: int, number: int) -> Iterator[Line]:
    texts = batch.split(b"\n")
    for text in texts[:-1]:
        yield Line(number, begin, text, True)
        begin += len(text) + 1
        number += 1
    if texts[-1]:
        yield Line(number, begin, texts[-1], False)


def _bare(line: Line) -> bytes:
    """The text without the mark that some editors put at the very beginning of a file."""
    return line.text.removeprefix(BOM) if line.begin == 0 else line.text
