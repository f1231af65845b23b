"""What does a folder tell of an incident?

`case.json` says when it was, the CSV files beside it what was seen; each of those may be missing, and others are passed
over. Metrics are read in long form (`time,service,metric,value`) and in wide form (`time,<service>_<metric>,…`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from typing import TypeVar

from selfheal.diagnose.case import Alert, Case, Change, LogLine, PatternCount, Series, Span
from selfheal.recorded.tables import Row, Unreadable, moment, names, rows

# The columns that each file must have beside `time`.
_NEEDED = {
    "metrics.csv": ("time", "service", "metric", "value"),
    "logs.csv": ("time", "service", "message"),
    "patterns.csv": ("service", "pattern", "count", "delta"),
    "spans.csv": ("time", "trace", "span", "service", "operation", "duration_ms"),
    "changes.csv": ("time", "service", "kind", "title"),
}


Part = TypeVar("Part")


def read_case(folder: Path) -> Case:
    """Read a case. Raises Unreadable, which names file and line."""
    told = _object(folder / "case.json")
    return Case(
        at=_incident_time(folder / "case.json", told),
        alert=_alert(folder / "case.json", told.get("alerting")),
        graph=_graph(folder / "case.json", told.get("graph")),
        series=_metrics(folder / "metrics.csv"),
        logs=_each(folder / "logs.csv", _log_line),
        patterns=_each(folder / "patterns.csv", _pattern),
        spans=_each(folder / "spans.csv", _span),
        changes=_each(folder / "changes.csv", _change),
    )


def _object(file: Path) -> Mapping[str, object]:
    if not file.parent.is_dir():
        raise Unreadable(file.parent, "there is no such folder")
    try:
        told = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as why:
        raise Unreadable(file, f"{why.strerror or why}; a case is a folder with a case.json in it") from why
    except json.JSONDecodeError as why:
        raise Unreadable(file, f"it is no JSON: {why.msg}", why.lineno) from why
    except (UnicodeDecodeError, RecursionError) as why:
        raise Unreadable(file, "it is no JSON in UTF-8") from why
    if not isinstance(told, dict):
        raise Unreadable(file, 'it is no JSON object; write {"incident_time": "2026-01-02T03:04:05Z"}')
    return told


def _incident_time(file: Path, told: Mapping[str, object]) -> float:
    if "incident_time" not in told:
        raise Unreadable(file, "it has no incident_time; write when the trouble began or was noticed")
    try:
        return moment(told["incident_time"])
    except ValueError as why:
        raise Unreadable(file, f"incident_time {why}") from why


def _alert(file: Path, told: object) -> Alert | None:
    if told is None:
        return None
    if isinstance(told, str):
        return Alert(told)
    if isinstance(told, dict) and isinstance(told.get("service"), str):
        return Alert(told["service"], str(told.get("metric") or ""))
    raise Unreadable(file, 'alerting is no {"service": "…", "metric": "…"}')


def _graph(file: Path, told: object) -> Mapping[str, Sequence[str]]:
    if told is None:
        return {}
    if isinstance(told, dict) and all(
        isinstance(callees, list) and all(isinstance(name, str) for name in callees) for callees in told.values()
    ):
        return {caller: tuple(callees) for caller, callees in told.items()}
    raise Unreadable(file, 'graph is no {"caller": ["callee", …]}')


def _each(file: Path, read: Callable[[Row], Part]) -> tuple[Part, ...]:
    """Every row of a file, in the order of time; nothing where there is no such file."""
    if not file.exists():
        return ()
    _demand(file, _NEEDED[file.name])
    return tuple(read(row) for row in rows(file))


def _demand(file: Path, columns: Iterable[str]) -> None:
    there = set(names(file))
    if "timestamp" in there:
        there.add("time")
    lacking = [name for name in columns if name not in there]
    if there and lacking:
        raise Unreadable(file, f"it has no column {', '.join(lacking)}; its first line names the columns", 1)


def _log_line(row: Row) -> LogLine:
    return LogLine(row.time(), row.text("service"), row.text("message"))


def _pattern(row: Row) -> PatternCount:
    return PatternCount(row.text("service"), row.text("pattern"), row.number("count"), row.number("delta"))


def _span(row: Row) -> Span:
    return Span(
        row.time(),
        row.text("trace"),
        row.text("span"),
        row.text("parent"),
        row.text("service"),
        row.text("operation"),
        row.number("duration_ms"),
        row.text("status"),
    )


def _change(row: Row) -> Change:
    told = (row.text(name) for name in ("service", "kind", "title", "diff", "id"))
    return Change(row.time(), *told)


def _metrics(file: Path) -> tuple[Series, ...]:
    if not file.exists():
        return ()
    columns = names(file)
    if "service" in columns and "metric" in columns:
        _demand(file, _NEEDED["metrics.csv"])
        return _long(file)
    _demand(file, ("time",))
    return _wide(file, [name for name in columns if name and name not in ("time", "timestamp")])


def _long(file: Path) -> tuple[Series, ...]:
    found: dict[tuple[str, str], dict[float, float]] = {}
    for row in rows(file):
        known = found.setdefault((row.text("service"), row.text("metric")), {})
        _keep(known, row.time(), row.number("value"))
    return tuple(_series(service, metric, known) for (service, metric), known in found.items())


def _wide(file: Path, columns: Sequence[str]) -> tuple[Series, ...]:
    """A column is of the service before its first `_`."""
    found: dict[str, dict[float, float]] = {name: {} for name in columns}
    for row in rows(file):
        at = row.time()
        for name, known in found.items():
            _keep(known, at, row.number(name))
    return tuple(
        _series(name.partition("_")[0], name.partition("_")[2] or name, known) for name, known in found.items()
    )


def _keep(known: dict[float, float], at: float, value: float) -> None:
    """Of a row that is there twice one counts; a number tells more than none."""
    if not isnan(value) or at not in known:
        known[at] = value


def _series(service: str, metric: str, known: Mapping[float, float]) -> Series:
    times = sorted(known)
    return Series(service, metric, times, [known.get(at, nan) for at in times])
