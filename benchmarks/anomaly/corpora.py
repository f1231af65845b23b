"""Which public series are there, and what in them is known to be an anomaly?"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import nan
from pathlib import Path
from zipfile import ZipFile

from selfheal.recorded.series_files import read_series
from selfheal.recorded.tables import moment, number

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Labelled:
    """One series; `windows` are the first and the last row of each anomaly."""

    corpus: str
    name: str
    at: Sequence[float]
    values: Sequence[float]
    windows: Sequence[tuple[int, int]] = ()

    @property
    def days(self) -> float:
        """How long it is."""
        return (max(self.at) - min(self.at)) / DAY_S


def nab(data: Path) -> Iterator[Labelled]:
    """Numenta's Anomaly Benchmark: 58 series, 116 windows."""
    labels = json.loads((data / "nab/labels/combined_windows.json").read_text())
    for name, windows in sorted(labels.items()):
        series = read_series(data / "nab/data" / name)
        rows = [_within(series.at, moment(first), moment(last)) for first, last in windows]
        yield Labelled("NAB", name, series.at, series.values, rows)


def _within(at: Sequence[float], first: float, last: float) -> tuple[int, int]:
    rows = [row for row, when in enumerate(at) if first <= when <= last]
    return rows[0], rows[-1]


def cloud(data: Path) -> Iterator[Labelled]:
    """Microsoft's cloud monitoring: 33 series of the hour or the minute, each point labelled."""
    for file in sorted((data / "ms_cloud_monitoring").glob("*/*.csv")):
        with file.open(newline="") as lines:
            rows = list(csv.reader(lines))[1:]
        labels = [number("Label", row[2]) == 1.0 for row in rows]
        at, values = [moment(row[0]) for row in rows], [number("Value", row[1]) for row in rows]
        yield Labelled("cloud", f"{file.parent.name}/{file.name}", at, values, list(_runs(labels)))


def _runs(labels: Sequence[bool]) -> Iterator[tuple[int, int]]:
    edges = [row for row, (one, other) in enumerate(pairwise([False, *labels, False])) if one != other]
    yield from ((begin, end - 1) for begin, end in zip(edges[::2], edges[1::2], strict=True))


def exathlon(data: Path) -> Iterator[Labelled]:
    """An undisturbed trace of Spark: 2,283 metrics, each second."""
    for file in sorted((data / "exathlon_normal").glob("*.zip")):
        with ZipFile(file) as archive, archive.open(archive.namelist()[0]) as raw:
            rows = list(csv.reader(io.TextIOWrapper(raw)))
        at = [float(row[0]) for row in rows[1:]]
        for place, name in enumerate(rows[0][1:], 1):
            yield Labelled("exathlon", name, at, [float(row[place] or nan) for row in rows[1:]])


def aging(data: Path) -> Iterator[Labelled]:
    """Model servers whose memory creeps: 17 numbers of the machine each minute, nothing fails."""
    for file in sorted((data / "llm_aging").glob("*.csv")):
        series = read_series(file)
        width = len(series.columns)
        for place, name in enumerate(series.columns):
            yield Labelled("aging", f"{file.stem}/{name}", series.at, series.values[place::width])
