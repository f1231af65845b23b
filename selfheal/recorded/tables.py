"""What stands in the rows of a CSV file, and in which line is what is wrong with it?"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import nan
from pathlib import Path

from selfheal.errors import SelfhealError

# A line of a log or a diff may be long; the module's own limit is 128 kB.
FIELD_BYTES = min(sys.maxsize, 1 << 30)
_EPOCH = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
# The years 1 to 9999, which is what a time can be told in. What is beyond that was written in milliseconds as a rule.
_FIRST_MOMENT, _LAST_MOMENT = -62_135_596_800.0, 253_402_300_799.0
_EMPTY = frozenset({"", "nan", "null", "none", "na", "n/a", "-"})


class Unreadable(SelfhealError):
    """A recorded file cannot be read; the message names file and line."""

    def __init__(self, place: Path, why: str, line: int | None = None) -> None:
        where = f"{str(place)!r}, line {line}" if line is not None else repr(str(place))
        super().__init__(f"cannot read {where}: {why}")


@dataclass(frozen=True, slots=True)
class Row:
    """One row, by the names of the first one; what it lacks is empty."""

    file: Path
    line: int
    cells: Mapping[str, str]

    def text(self, name: str) -> str:
        return self.cells.get(name, "")

    def time(self) -> float:
        """When it was, in seconds since the epoch."""
        try:
            return moment(self.cells.get("time") or self.cells.get("timestamp", ""))
        except ValueError as why:
            raise Unreadable(self.file, str(why), self.line) from why

    def number(self, name: str) -> float:
        """A number; NaN where nothing was measured."""
        try:
            return number(name, self.text(name))
        except ValueError as why:
            raise Unreadable(self.file, str(why), self.line) from why


def rows(file: Path) -> Iterator[Row]:
    """Every row of a file, the first of which names the columns. Raises Unreadable."""
    csv.field_size_limit(FIELD_BYTES)
    try:
        with file.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
            reader = csv.reader(lines)
            names = [name.strip() for name in next(reader, [])]
            for cells in reader:
                if cells:
                    yield Row(file, reader.line_num, dict(zip(names, cells, strict=False)))
    except OSError as why:
        raise Unreadable(file, why.strerror or str(why)) from why
    except csv.Error as why:
        raise Unreadable(file, f"it is no CSV: {why}") from why


def lines_of(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The header, and then each row that is not blank, with the number of its line and as many cells as the header.

    Raises Unreadable, also for a row that has more cells.
    """
    csv.field_size_limit(FIELD_BYTES)
    try:
        with file.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
            reader = csv.reader(lines)
            width = 0
            for cells in reader:
                if not cells:
                    continue
                width = width or len(cells)
                if len(cells) > width:
                    told = f"it has {len(cells)} cells, and the first row names {width} columns"
                    raise Unreadable(file, told, reader.line_num)
                yield reader.line_num, cells + [""] * (width - len(cells))
            if not width:
                raise Unreadable(file, "it is empty; the first row has to name the columns, such as timestamp,value")
    except OSError as why:
        raise Unreadable(file, why.strerror or str(why)) from why
    except csv.Error as why:
        raise Unreadable(file, f"it is no CSV: {why}") from why


def names(file: Path) -> tuple[str, ...]:
    """The columns of a file. Raises Unreadable."""
    try:
        with file.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
            return tuple(name.strip() for name in next(csv.reader(lines), []))
    except (OSError, csv.Error) as why:
        raise Unreadable(file, str(why)) from why


def number(name: str, text: str) -> float:
    """Read what stands under `name`; NaN where nothing was measured. Raises ValueError."""
    told = text.strip()
    if told.lower() in _EMPTY:
        return nan
    try:
        return float(told)
    except ValueError as why:
        raise ValueError(f"{name} is {told[:60]!r}, which is no number; write one, or leave it empty") from why


def is_epoch(text: str) -> bool:
    """Whether a time is written as seconds since the epoch."""
    return _EPOCH.fullmatch(text.strip()) is not None


def moment(text: object) -> float:
    """Read a time: RFC 3339, `YYYY-MM-DD HH:MM:SS` (in UTC), or seconds since the epoch. Raises ValueError."""
    told = str(text).strip()
    if not isinstance(text, bool) and _EPOCH.fullmatch(told):
        if _FIRST_MOMENT <= float(told) <= _LAST_MOMENT:
            return float(told)
        raise ValueError(f"{told[:60]!r} is no time: it is beyond the years 1 to 9999; write seconds, not milliseconds")
    try:
        read = datetime.fromisoformat(told)
    except ValueError as why:
        raise ValueError(
            f"{told[:60]!r} is no time; write 2026-01-02T03:04:05Z, 2026-01-02 03:04:05, or seconds since the epoch"
        ) from why
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()
