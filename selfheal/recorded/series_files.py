"""Which values stand in a file over time, and how do they come back with an answer beside each row?

The file is read twice, first for its numbers and then to copy its rows, so that a million of them take tens of
megabytes and not hundreds.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from selfheal.recorded.tables import Unreadable, lines_of, moment, number

ADDED = ("anomaly_score", "is_anomaly")
_TIMES = frozenset({"timestamp", "time"})


@dataclass(frozen=True, slots=True)
class RecordedSeries:
    """The numbers of one file: a time for each row, and its values one row after the other, NaN where there is none."""

    file: Path
    columns: tuple[str, ...]
    at: array[float]
    values: array[float]

    def row(self, place: int) -> Sequence[float]:
        """The values of one row."""
        width = len(self.columns)
        return self.values[place * width : (place + 1) * width]

    def in_time(self) -> Sequence[int]:
        """The places of the rows by their times; those of one time as they stand in the file."""
        places = range(len(self.at))
        if all(one <= other for one, other in pairwise(self.at)):
            return places
        return sorted(places, key=self.at.__getitem__)


def read_series(file: Path) -> RecordedSeries:
    """Read `timestamp,value[,value…]`. Raises Unreadable."""
    at, values = array("d"), array("d")
    lines = lines_of(file)
    _, header = next(lines)
    clock = _clock(file, header)
    columns = [place for place in range(len(header)) if place != clock]
    for line, cells in lines:
        try:
            at.append(moment(cells[clock]))
            for place in columns:
                values.append(number(header[place], cells[place]))
        except ValueError as why:
            raise Unreadable(file, str(why), line) from why
    return RecordedSeries(file, tuple(header[place] for place in columns), at, values)


def write_series(file: Path, answers: Iterable[tuple[float, int]], to: TextIO) -> None:
    """Copy the rows of a file as they stand, each with its score and whether it raises an alarm. Raises Unreadable."""
    writer = csv.writer(to, lineterminator="\n")
    lines = lines_of(file)
    _, header = next(lines)
    writer.writerow((*header, *ADDED))
    for (_, cells), (score, alarm) in zip(lines, answers, strict=False):
        writer.writerow((*cells, f"{score:.6g}", alarm))


def _clock(file: Path, header: Sequence[str]) -> int:
    """The column of the times: the one of that name, else the first."""
    if len(header) < 2:
        raise Unreadable(file, "it has no column of values; the first row has to be timestamp,value or the like")
    if _is_time(header[0]):
        raise Unreadable(file, "its first row is no header; it has to name the columns, such as timestamp,value", 1)
    named = [place for place, name in enumerate(header) if name.strip().lower() in _TIMES]
    return named[0] if named else 0


def _is_time(text: str) -> bool:
    try:
        moment(text)
    except ValueError:
        return False
    return True
