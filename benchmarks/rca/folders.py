"""A labelled incident as a folder that `selfheal rca` reads."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from math import isnan
from pathlib import Path

from benchmarks.rca.labelled import Labelled


def write(one: Labelled, place: Path) -> Path:
    """Write a case, and beside it what is true of it in `truth.json`, which nobody reads but people."""
    folder = place / one.name.replace(" ", "-").replace(":", "")
    folder.mkdir(parents=True, exist_ok=True)
    case = one.case
    told: dict[str, object] = {
        "incident_time": case.at,
        "graph": {name: list(whom) for name, whom in case.graph.items()},
    }
    if case.alert is not None:
        told["alerting"] = {"service": case.alert.service, "metric": case.alert.metric}
    (folder / "case.json").write_text(json.dumps(told, indent=2))
    (folder / "truth.json").write_text(json.dumps({"service": one.truth, "fault": one.fault}))
    _rows(
        folder / "metrics.csv",
        ("time", "service", "metric", "value"),
        (
            (at, series.service, series.metric, "" if isnan(value) else value)
            for series in case.series
            for at, value in zip(series.at, series.values, strict=True)
        ),
    )
    if case.logs:
        lines = ((line.at, line.service, line.message) for line in case.logs)
        _rows(folder / "logs.csv", ("time", "service", "message"), lines)
    if case.spans:
        columns = ("time", "trace", "span", "parent", "service", "operation", "duration_ms", "status")
        spans = (
            (span.at, span.trace, span.id, span.parent, span.service, span.operation, span.duration_ms, span.status)
            for span in case.spans
        )
        _rows(folder / "spans.csv", columns, spans)
    return folder


def _rows(file: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as lines:
        writer = csv.writer(lines)
        writer.writerow(columns)
        writer.writerows(rows)
