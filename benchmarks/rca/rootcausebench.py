"""The incidents of RootCauseBench: an alert, and all that was changed before it. Which commit was it, or none?"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from selfheal.diagnose.case import Alert, Case, Change, LogLine, PatternCount, Series


@dataclass(frozen=True, slots=True)
class Suspects:
    """A case, the commit that was the cause, empty for none, and those that only look like it."""

    name: str
    case: Case
    culprit: str
    decoys: frozenset[str]


def incidents(folder: Path) -> Iterator[Suspects]:
    """Every incident there is."""
    for place in sorted(path.parent for path in folder.glob("*/ground_truth.json")):
        truth, alert = _json(place / "ground_truth.json"), _json(place / "alert.json")
        culprit = truth["root_cause_commit"]
        case = Case(
            _time(alert["fired_at"]),
            Alert(alert["service"], alert["metric"]),
            {},
            tuple(_series(place / "metrics.csv")),
            tuple(_logs(place / "logs.ndjson")),
            tuple(_patterns(place / "patterns.json")),
            (),
            tuple(_changes(place / "context", alert["service"])),
        )
        decoys = frozenset(truth.get("decoy_deploy_commits", ()))
        yield Suspects(place.name, case, "" if culprit == "none" else culprit, decoys)


def _changes(place: Path, alerting: str) -> Iterator[Change]:
    deploys = _json(place / "deploys.json")
    where = {one["commit_sha"]: one["service"] for one in deploys}
    services = sorted({one["service"] for one in deploys} | {alerting}, key=len, reverse=True)
    for one in _json(place / "commits.json"):
        files = " ".join(one["files_changed"])
        service = where.get(one["sha"]) or next((name for name in services if _stem(name) in _stem(files)), "")
        title = f"{one['message']} {files}"
        yield Change(_time(one["timestamp"]), service, "commit", title, one["diff"] or "", one["sha"])
    for one in deploys:
        yield Change(_time(one["timestamp"]), one["service"], "deploy", one["version"], "", one["commit_sha"])


def _stem(text: str) -> str:
    return text.lower().replace("service", "").replace("-svc", "").strip("-_/ ")


def _series(file: Path) -> Iterator[Series]:
    found: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for row in csv.DictReader(file.read_text().splitlines()):
        at, values = found.setdefault((row["service"], row["metric"]), ([], []))
        at.append(_time(row["timestamp"]))
        values.append(float(row["value"]))
    for (service, metric), (at, values) in found.items():
        yield Series(service, metric, at, values)


def _logs(file: Path) -> Iterator[LogLine]:
    for line in file.read_text().splitlines() if file.exists() else ():
        row = json.loads(line)
        yield LogLine(_time(row["timestamp"]), row.get("service", ""), str(row.get("msg", "")))


def _patterns(file: Path) -> Iterator[PatternCount]:
    for row in _json(file) if file.exists() else ():
        yield PatternCount(row["service"], row["signature"], float(row["count"]), float(row["delta_vs_baseline"]))


def _json(file: Path) -> Any:  # noqa: ANN401 - as the file has it
    return json.loads(file.read_text())


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
