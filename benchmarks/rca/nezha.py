"""The incidents of Nezha: metrics by the minute, and of the train shop spans and logs, of each minute around a fault.

Its archives are unpacked into a folder first. `Time` is the column that is right; a file of spans or logs is named
after the minute at whose end it was written. The minute without any fault is moved to come before each incident's.
"""

from __future__ import annotations

import csv
import json
import sys
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import nan
from pathlib import Path

from benchmarks.rca.labelled import Labelled
from selfheal.diagnose.case import Case, LogLine, Series, Span

# What is taken of the metrics before an incident, and after its beginning.
BEFORE_S, AFTER_S = 1800.0, 150.0
# Its faults show themselves up to so long before they are said to begin.
GUARD_S = 120.0
# So far apart are the times in which nothing is wrong.
QUIET_S = 1500.0
# A minute that ended so long before a fault has none of it.
EARLY_S = 40.0
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
    graph, calls = _graph(place / "metric" / "metric"), tuple(_calls(place / "metric" / "metric"))
    calm = list(_calm(told, place / "trace_log"))
    for fault in (one for hour in told.values() for one in hour):
        at = datetime.fromisoformat(fault["inject_time"]).replace(tzinfo=UTC)
        spans, logs = _around(place / "trace_log", normal, at)
        spans, logs = _with(spans, logs, calm, at.timestamp() - GUARD_S)
        spans += tuple(one for one in calls if at.timestamp() - BEFORE_S <= one.at <= at.timestamp() + AFTER_S)
        case = Case(at.timestamp(), None, graph, _cut(series, at.timestamp()), logs, (), spans)
        truth = _service(fault["inject_pod"])
        yield Labelled(f"nezha {day} {at:%H:%M} {fault['inject_type']}", case, truth, fault["inject_type"])


def quiet(data: Path, unpacked: Path, day: str) -> Iterator[Labelled]:
    """Times of a day's metrics and calls that are far from every fault of it."""
    told = json.loads((data / day / f"{day}-fault_list.json").read_text())
    place = unpacked / day / "metric" / "metric"
    series, graph, calls = [*_metrics(place)], _graph(place), tuple(_calls(place))
    faults = [
        datetime.fromisoformat(one["inject_time"]).replace(tzinfo=UTC).timestamp()
        for day in told.values()
        for one in day
    ]
    first, last = min(one.at[0] for one in series), max(one.at[-1] for one in series)
    at = first + BEFORE_S
    while at + AFTER_S < last:
        if all(not -QUIET_S / 2 < at - fault < QUIET_S for fault in faults):
            spans = tuple(one for one in calls if at - BEFORE_S <= one.at <= at + AFTER_S)
            yield Labelled(
                f"nezha {day} quiet {at:.0f}", Case(at, None, graph, _cut(series, at), (), (), spans), None, "nothing"
            )
        at += QUIET_S


def quiet_minutes(data: Path, unpacked: Path, day: str) -> Iterator[Labelled]:
    """Minutes of spans and logs that ended well before the fault after which they were kept."""
    told = json.loads((data / day / f"{day}-fault_list.json").read_text())
    place = unpacked / day
    series = [*_metrics(place / "metric" / "metric")]
    calm = list(_calm(told, place / "trace_log"))
    for one in calm:
        known = _cut(series, one.begin, EARLY_S)
        before = _normal(place / "faultfree", one.begin - GUARD_S)
        spans, logs = _with((*one.spans, *before[0]), (*one.logs, *before[1]), calm, one.begin - GUARD_S)
        case = Case(one.begin, None, {}, known, logs, (), spans)
        yield Labelled(f"nezha {day} quiet {one.name}", case, None, "nothing")


@dataclass(frozen=True, slots=True)
class _Minute:
    """What was traced and said in a minute in which nothing was wrong."""

    name: str
    begin: float
    end: float
    spans: tuple[Span, ...]
    logs: tuple[LogLine, ...]


def _calm(told: Mapping[str, Sequence[Mapping[str, str]]], place: Path) -> Iterator[_Minute]:
    """The minutes that ended well before the fault after which they were kept."""
    for fault in (one for hour in told.values() for one in hour):
        at = datetime.fromisoformat(fault["inject_time"]).replace(tzinfo=UTC)
        spans = tuple(_spans(place / "trace" / f"{at:%H_%M}_trace.csv"))
        times = [one.at for one in spans]
        if times and max(times) <= at.timestamp() - EARLY_S:
            logs = tuple(_logs(place / "log" / f"{at:%H_%M}_log.csv"))
            yield _Minute(f"{at:%H:%M}", min(times), max(times), spans, logs)


def _with(
    spans: tuple[Span, ...], logs: tuple[LogLine, ...], calm: Sequence[_Minute], until: float
) -> tuple[tuple[Span, ...], tuple[LogLine, ...]]:
    """The same with what is known of earlier minutes of that day, as one has it who runs all the time."""
    for one in calm:
        if one.end < until:
            spans, logs = (*spans, *one.spans), (*logs, *one.logs)
    return spans, logs


def _graph(place: Path) -> dict[str, list[str]]:
    """Who calls whom; addresses of machines are nobody."""
    found: dict[str, list[str]] = {}
    for row in _rows(place / "dependency.csv"):
        if not row["Target"].replace(".", "").isdigit():
            found.setdefault(row["Source"], []).append(row["Target"])
    return found


def _calls(place: Path) -> Iterator[Span]:
    """The median call of each minute between two services, as both ends measured it: told as a span and its child."""
    ends = [{row["time"][:16]: row for row in _rows(place / f"{end}_50.csv")} for end in ("source", "destination")]
    for minute in sorted(ends[0].keys() & ends[1].keys()):
        sent, answered = ends[0][minute], ends[1][minute]
        at = _time(sent["time"])
        for edge in sent.keys() - {"time", "timestamp"}:
            caller, _, callee = edge.partition("_")
            took = _number(sent[edge]) * 1e3, _number(answered.get(edge, "")) * 1e3
            if took[0] == took[0] and took[1] == took[1]:
                trace = f"{edge} {minute}"
                yield Span(at, trace, "1", "", caller, f"calls {callee}", took[0])
                yield Span(at, trace, "2", "1", callee, "answers", took[1])


def _around(place: Path, normal: Path, at: datetime) -> tuple[tuple[Span, ...], tuple[LogLine, ...]]:
    spans: list[Span] = []
    logs: list[LogLine] = []
    for minute in (at, at + MINUTE, at + 2 * MINUTE):
        spans += _spans(place / "trace" / f"{minute:%H_%M}_trace.csv")
        logs += _logs(place / "log" / f"{minute:%H_%M}_log.csv")
    times = [one.at for one in spans] + [one.at for one in logs]
    late = (one for one in times if one > at.timestamp() - AFTER_S)  # a few lines are of another year
    begin = min((at.timestamp() - GUARD_S, *late))
    known = _normal(normal, begin)
    return (*spans, *known[0]), (*logs, *known[1])


def _normal(place: Path, end: float) -> tuple[tuple[Span, ...], tuple[LogLine, ...]]:
    """What is normal, moved to end right before a time."""
    spans = [one for file in sorted((place / "trace").glob("*_trace.csv")) for one in _moved(list(_spans(file)), end)]
    logs = [one for file in sorted((place / "log").glob("*_log.csv")) for one in _moved_logs(list(_logs(file)), end)]
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


def _cut(series: Iterable[Series], at: float, after_s: float = AFTER_S) -> tuple[Series, ...]:
    found = []
    for one in series:
        kept = [place for place, time in enumerate(one.at) if at - BEFORE_S <= time <= at + after_s]
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
