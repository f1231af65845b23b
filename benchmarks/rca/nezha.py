"""The incidents of Nezha: metrics by the minute, and of the train shop spans and logs, of each minute around a fault.

Its archives are unpacked into a folder first. `Time` is the column that is right; a file of spans or logs is named
after the minute at whose end it was written. The minute without any fault is moved to come before each incident's.
"""

from __future__ import annotations

import csv
import json
import sys
import tarfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from math import nan
from pathlib import Path

from benchmarks.rca.labelled import Labelled
from selfheal.diagnose.case import Case, LogLine, Series, Span

# What is taken of the metrics before an incident, and after its beginning.
BEFORE_S, AFTER_S = 1800.0, 150.0
MINUTE = timedelta(minutes=1)
csv.field_size_limit(sys.maxsize)


def unpack(data: Path, place: Path) -> None:
    """Unpack what there is, a folder for each archive."""
    for archive in sorted(data.glob("*/*.tar.gz")):
        target = place / archive.parent.name / archive.name.removesuffix(".tar.gz")
        if not target.exists():
            with tarfile.open(archive) as tar:
                tar.extractall(target, filter="data")


def incidents(data: Path, unpacked: Path, day: str) -> Iterator[Labelled]:
    """Every incident of a day."""
    told = json.loads((data / day / f"{day}-fault_list.json").read_text())
    place = unpacked / day
    series = [*_metrics(place / "metric" / "metric")]
    normal = place / "faultfree"
    for fault in (one for hour in told.values() for one in hour):
        at = datetime.fromisoformat(fault["inject_time"]).replace(tzinfo=UTC)
        spans, logs = _around(place / "trace_log", normal, at)
        case = Case(at.timestamp(), None, {}, _cut(series, at.timestamp()), logs, (), spans)
        truth = _service(fault["inject_pod"])
        yield Labelled(f"nezha {day} {at:%H:%M} {fault['inject_type']}", case, truth, fault["inject_type"])


def _around(place: Path, normal: Path, at: datetime) -> tuple[tuple[Span, ...], tuple[LogLine, ...]]:
    spans: list[Span] = []
    logs: list[LogLine] = []
    for minute in (at, at + MINUTE, at + 2 * MINUTE):
        spans += _spans(place / "trace" / f"{minute:%H_%M}_trace.csv")
        logs += _logs(place / "log" / f"{minute:%H_%M}_log.csv")
    begin = min([*(one.at for one in spans), *(one.at for one in logs)], default=0.0)
    for file in sorted((normal / "trace").glob("*_trace.csv")):
        spans += _moved(list(_spans(file)), begin)
    for file in sorted((normal / "log").glob("*_log.csv")):
        logs += _moved_logs(list(_logs(file)), begin)
    return tuple(spans), tuple(logs)


def _moved(spans: list[Span], end: float) -> Iterator[Span]:
    by = end - max((one.at for one in spans), default=0.0) - 1.0
    for one in spans:
        yield Span(one.at + by, one.trace, one.id, one.parent, one.service, one.operation, one.duration_ms, one.status)


def _moved_logs(logs: list[LogLine], end: float) -> Iterator[LogLine]:
    by = end - max((one.at for one in logs), default=0.0) - 1.0
    for one in logs:
        yield LogLine(one.at + by, one.service, one.message)


def _spans(file: Path) -> Iterator[Span]:
    for row in _rows(file):
        parent = "" if row["ParentID"] == "root" else row["ParentID"]
        at, took = int(row["StartTimeUnixNano"]) / 1e9, float(row["Duration"]) / 1e3
        yield Span(at, row["TraceID"], row["SpanID"], parent, _service(row["PodName"]), row["OperationName"], took)


def _logs(file: Path) -> Iterator[LogLine]:
    for row in _rows(file):
        if row["TimeUnixNano"] and row["PodName"]:
            yield LogLine(int(row["TimeUnixNano"]) / 1e9, _service(row["PodName"]), _message(row["Log"]))


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["log"]).rstrip("\n")
    except (ValueError, KeyError, TypeError):
        return text


def _metrics(place: Path) -> Iterator[Series]:
    for file in sorted(place.glob("*_metric.csv")):
        rows = [*_rows(file)]
        names = [name for name in (rows[0] if rows else {}) if name not in ("Time", "TimeStamp", "PodName")]
        at = [_time(row["Time"]) for row in rows]
        for name in names:
            if not name.startswith("Node"):  # of the machine, which many share
                yield Series(_service(file.name), name, at, [_number(row[name]) for row in rows])


def _cut(series: Iterable[Series], at: float) -> tuple[Series, ...]:
    found = []
    for one in series:
        kept = [place for place, time in enumerate(one.at) if at - BEFORE_S <= time <= at + AFTER_S]
        times, values = [one.at[place] for place in kept], [one.values[place] for place in kept]
        found.append(Series(one.service, one.metric, times, values))
    return tuple(found)


def _rows(file: Path) -> Iterator[dict[str, str]]:
    if file.exists():
        with file.open(newline="", encoding="utf-8", errors="replace") as lines:
            yield from csv.DictReader(line.replace("\0", "") for line in lines)


def _time(text: str) -> float:
    day, clock, zone, *_ = text.split(" ")
    return datetime.fromisoformat(f"{day} {clock[:15]}{zone[:3]}:{zone[3:]}").timestamp()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


def _service(pod: str) -> str:
    """The service of a pod: its name without the two marks of its own."""
    return pod.removesuffix("_metric.csv").rsplit("-", 2)[0]
