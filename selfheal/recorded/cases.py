"""How is an incident read from a folder of files?

`case.json` says when it was; beside it lie what there is of `metrics.csv`, `logs.csv`, `patterns.csv`, `spans.csv` and
`changes.csv`. Files of other names are left alone. What cannot be read is told with its file and line.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import nan
from pathlib import Path
from typing import TypeVar

from selfheal.diagnose.case import Alert, Case, Change, LogLine, PatternCount, Series, Span
from selfheal.errors import SelfhealError
from selfheal.recorded.times import moment

_T = TypeVar("_T")

LONG_FORM = ("time", "service", "metric", "value")
# A log line may be long; csv's own limit of a field is not.
csv.field_size_limit(sys.maxsize)

Row = Mapping[str, str]


class CaseUnreadable(SelfhealError):
    """A folder holds no case, or one of its files cannot be read."""


def read_case(folder: Path) -> Case:
    """Read the case of a folder. Raises CaseUnreadable."""
    told = _told(folder / "case.json")
    return Case(
        at=_at(folder / "case.json", told),
        alert=_alert(folder / "case.json", told.get("alerting")),
        graph=_graph(folder / "case.json", told.get("graph")),
        series=tuple(_series(folder / "metrics.csv")),
        logs=tuple(_rows(folder / "logs.csv", _log, "time", "service", "message")),
        patterns=tuple(_rows(folder / "patterns.csv", _pattern, "service", "pattern")),
        spans=tuple(_rows(folder / "spans.csv", _span, "time", "trace", "span", "service")),
        changes=tuple(_rows(folder / "changes.csv", _change, "time", "service")),
    )


# --- case.json -------------------------------------------------------------------------------------------------------


def _told(file: Path) -> dict[str, object]:
    try:
        told = json.loads(file.read_bytes())
    except FileNotFoundError:
        raise CaseUnreadable(f"{file.parent}: there is no case.json in it; a case is a folder with one") from None
    except (OSError, ValueError) as why:
        raise CaseUnreadable(f"{file}: it cannot be read as JSON: {why}") from None
    if not isinstance(told, dict):
        raise CaseUnreadable(f'{file}: it is no object; write {{"incident_time": …}}')
    return told


def _at(file: Path, told: Mapping[str, object]) -> float:
    if "incident_time" not in told:
        raise CaseUnreadable(f"{file}: incident_time is missing; write when the trouble began or was noticed")
    try:
        return moment(str(told["incident_time"]))
    except ValueError as why:
        raise CaseUnreadable(f"{file}: incident_time: {why}") from None


def _alert(file: Path, told: object) -> Alert | None:
    if told is None:
        return None
    if not isinstance(told, dict) or not isinstance(told.get("service"), str):
        raise CaseUnreadable(f'{file}: alerting names no service; write {{"service": …, "metric": …}}')
    return Alert(told["service"], str(told.get("metric") or ""))


def _graph(file: Path, told: object) -> dict[str, tuple[str, ...]]:
    if told is None:
        return {}
    if not isinstance(told, dict) or not all(isinstance(names, list) for names in told.values()):
        raise CaseUnreadable(f'{file}: graph is no object of lists; write {{"caller": ["callee", …]}}')
    return {str(caller): tuple(map(str, names)) for caller, names in told.items()}


# --- metrics.csv -----------------------------------------------------------------------------------------------------


def _series(file: Path) -> Iterator[Series]:
    """Both forms: a row for each value, or a column for each service and metric."""
    found: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for number, row in _lines(file):
        at = _moment(file, number, row)
        for key, text in _values(row):
            times, values = found.setdefault(key, ([], []))
            times.append(at)
            values.append(_number(text))
    for (service, metric), (times, values) in found.items():
        yield Series(service, metric, times, values)


def _values(row: Row) -> Iterator[tuple[tuple[str, str], str]]:
    if all(name in row for name in LONG_FORM):
        yield (row["service"], row["metric"]), row["value"]
        return
    for column, text in row.items():
        if column not in ("time", "timestamp"):
            service, _, metric = column.partition("_")
            yield (service, metric or "value"), text


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


# --- the other files -------------------------------------------------------------------------------------------------


def _log(row: Row, at: float) -> LogLine:
    return LogLine(at, row["service"], row["message"])


def _pattern(row: Row, _at: float) -> PatternCount:
    return PatternCount(row["service"], row["pattern"], _count(row.get("count", "")), _count(row.get("delta", "")))


def _count(text: str) -> float:
    number = _number(text or "0")
    return 0.0 if number != number else number  # noqa: PLR0124 - what is no number is not equal to itself


def _span(row: Row, at: float) -> Span:
    return Span(
        at, row["trace"], row["span"], row.get("parent", ""), row["service"], row.get("operation", ""),
        _count(row.get("duration_ms", "")), row.get("status", ""),
    )  # fmt: skip


def _change(row: Row, at: float) -> Change:
    return Change(at, row["service"], row.get("kind", ""), row.get("title", ""), row.get("diff", ""), row.get("id", ""))


def _rows(file: Path, make: Callable[[Row, float], _T], *needed: str) -> Iterator[_T]:
    for number, row in _lines(file, needed):
        yield make(row, _moment(file, number, row) if "time" in needed else 0.0)


def _lines(file: Path, needed: Sequence[str] = ()) -> Iterator[tuple[int, Row]]:
    """The rows of a file with the number of the line at which each ends; none where there is no such file."""
    try:
        with file.open(newline="", encoding="utf-8", errors="replace") as lines:
            rows = csv.DictReader((line.replace("\0", "") for line in lines), restval="")
            missing = [name for name in needed if name not in (rows.fieldnames or ())]
            if missing:
                raise CaseUnreadable(f"{file}:1: there is no column {', '.join(missing)}")
            for row in rows:
                yield rows.line_num, {name: text for name, text in row.items() if name is not None}
    except FileNotFoundError:
        return
    except (OSError, csv.Error) as why:
        raise CaseUnreadable(f"{file}: it cannot be read: {why}") from None


def _moment(file: Path, number: int, row: Row) -> float:
    try:
        return moment(row.get("time") or row.get("timestamp") or "")
    except ValueError as why:
        raise CaseUnreadable(f"{file}:{number}: {why}") from None
