"""The incidents of PetShop: five-minute metrics of each service and who calls whom.

Of each incident only a few rows are kept; what is normal is in a file of its own, days away. So those rows are moved
to end where the incident's begin. Windows of the normal part are the cases in which nothing was wrong.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from math import nan
from pathlib import Path

from benchmarks.rca.labelled import Labelled
from selfheal.diagnose.case import Alert, Case, Series

STEP_S = 300.0
# So many rows of what is normal stand before an incident: four hours.
BEFORE = 48
# Windows of the normal part in which nothing is wrong, per kind of traffic.
QUIET = 10

Rows = tuple[list[tuple[str, str]], list[float], list[list[float]]]
"""Service and metric of each column, the times, and a row of values for each time."""


def incidents(folder: Path) -> Iterator[Labelled]:
    """Every incident there is."""
    for target in sorted(folder.glob("*/*/issue_*/target.json")):
        told = json.loads(target.read_text())
        traffic = target.parents[2]
        normal = _normal(folder, traffic)
        wrong = _rows(target.with_name("metrics.csv"))
        at = float(told["target"]["timestamp"])
        alert = Alert(told["target"]["node"], told["target"]["metric"])
        case = Case(at, alert, _graph(traffic / "graph.csv"), _series(_tail(normal, wrong[1][0]), wrong))
        fault = f"{told['target']['metric']} {traffic.name.rstrip('12')}"
        yield Labelled(f"petshop {traffic.name} {target.parent.name}", case, told["root_cause"]["node"], fault)


def quiet(folder: Path) -> Iterator[Labelled]:
    """Windows in which nothing was wrong."""
    for traffic in sorted(path.parent for path in folder.glob("*/noissue")):
        columns, times, values = _rows(traffic / "noissue" / "metrics.csv")
        graph = _graph(traffic / "graph.csv")
        width = (len(times) - BEFORE) // QUIET
        for number in range(QUIET):
            begin = BEFORE + number * width
            part = (columns, times[begin - BEFORE : begin + 4], values[begin - BEFORE : begin + 4])
            for metric in ("latency", "availability"):
                case = Case(times[begin], Alert("PetSite", metric), graph, _series(part))
                yield Labelled(f"petshop {traffic.name} quiet {number} {metric}", case, None, "nothing")


def _normal(folder: Path, traffic: Path) -> Rows:
    """What is normal: of traffic that has no such file, the other kind's."""
    own = traffic / "noissue" / "metrics.csv"
    return _rows(own if own.exists() else folder / "low_traffic" / "noissue" / "metrics.csv")


def _rows(file: Path) -> Rows:
    services, metrics, statistics, _, *rows = csv.reader(file.read_text().splitlines())
    columns = [
        (service, f"{metric}_{kind}")
        for service, metric, kind in zip(services[1:], metrics[1:], statistics[1:], strict=True)
    ]
    values = [[float(cell) if cell else nan for cell in row[1:]] for row in rows]
    return columns, [float(row[0]) for row in rows], values


def _tail(normal: Rows, end: float) -> Rows:
    """The latest rows of what is normal, moved to end right before `end`."""
    columns, times, values = normal
    count = min(BEFORE, len(times))
    return columns, [end - STEP_S * (count - place) for place in range(count)], values[-count:]


def _series(*parts: Rows) -> tuple[Series, ...]:
    found: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for columns, times, values in parts:
        for place, column in enumerate(columns):
            at, kept = found.setdefault(column, ([], []))
            at += times
            kept += [row[place] for row in values]
    return tuple(Series(service, metric, at, kept) for (service, metric), (at, kept) in found.items())


def _graph(file: Path) -> Mapping[str, Sequence[str]]:
    first, *rows = csv.reader(file.read_text().splitlines())
    names = [name for name in first if name]
    return {row[0]: [name for name, cell in zip(names, row[1:], strict=True) if float(cell)] for row in rows}
