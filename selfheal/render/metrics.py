"""What do Render's metrics say of each service, in the names and units that all signals have here?

Pure. One question of a metric is about many services at once. A unit that is not known is not guessed: then there is
no such signal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite

import msgspec

# One point a minute; what is older than this says nothing of now.
RESOLUTION_S, LOOK_BACK_S = 60, 300.0

_BYTES = {
    "b": 1.0, "byte": 1.0, "bytes": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
    "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40,
}  # fmt: skip
_CORES = {"cpu": 1.0, "cpus": 1.0, "core": 1.0, "cores": 1.0, "mcpu": 1e-3, "millicores": 1e-3}
_SECONDS = {"s": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3}


class Label(msgspec.Struct, frozen=True):
    """What a series is about: `field` is such as `resource`, `service`, `instance` or `statusCode`."""

    field: str
    value: str


class Point(msgspec.Struct, frozen=True):
    """A value at a moment; there may be none."""

    timestamp: datetime
    value: float | None = None


class TimeSeries(msgspec.Struct, frozen=True):
    """A metric over time."""

    labels: tuple[Label, ...] = ()
    values: tuple[Point, ...] = ()
    unit: str = ""

    def of(self, name: str) -> str:
        """The value of a label; empty where it has none of this name."""
        return next((label.value for label in self.labels if label.field == name), "")

    @property
    def latest(self) -> float | None:
        """The newest value that there is."""
        known = (point for point in self.values if point.value is not None and isfinite(point.value))
        newest = max(known, key=lambda point: point.timestamp, default=None)
        return newest.value if newest is not None else None


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of Render's: its path, what else is said when it is asked for, and the signal that it becomes."""

    path: str
    signal: str
    units: Mapping[str, float]
    query: Mapping[str, str] = field(default_factory=dict)


_WORST = {"aggregationMethod": "MAX"}  # of several instances the one that is worst off
METRICS: tuple[Metric, ...] = (
    Metric("memory", "rss", _BYTES, _WORST),
    Metric("cpu", "cpu", _CORES, _WORST),
    Metric("http-latency", "edge_latency", _SECONDS, {"quantile": "0.95"}),
    Metric("disk-usage", "disk_bytes", _BYTES),
    Metric("disk-capacity", "disk_capacity", _BYTES),
)
REQUESTS = Metric("http-requests", "requests", {}, {"aggregateBy": "statusCode"})
"""Counted by status: what share of them has failed is a signal too."""


def signals_of(answers: Mapping[str, Sequence[TimeSeries]], services: Iterable[str]) -> dict[str, dict[str, float]]:
    """Return the signals of each service, by what each metric was answered with, by its path."""
    found = {service: dict(_signals(answers, service)) for service in services}
    return {service: signals for service, signals in found.items() if signals}


def _signals(answers: Mapping[str, Sequence[TimeSeries]], service: str) -> Iterator[tuple[str, float]]:
    known = {metric.signal: value for metric in METRICS if (value := _value(answers, metric, service)) is not None}
    used, capacity = known.pop("disk_bytes", None), known.pop("disk_capacity", 0.0)
    yield from known.items()
    if used is not None and capacity > 0.0:
        yield "disk", used / capacity
    counted = {one.of("statusCode"): one.latest or 0.0 for one in _about(answers.get(REQUESTS.path, ()), service)}
    total = sum(counted.values())
    if counted:
        yield "requests", total / RESOLUTION_S
    if total > 0.0:
        yield "error_rate", sum(count for status, count in counted.items() if status.startswith("5")) / total


def _value(answers: Mapping[str, Sequence[TimeSeries]], metric: Metric, service: str) -> float | None:
    values = [
        one.latest * metric.units[one.unit.lower()]
        for one in _about(answers.get(metric.path, ()), service)
        if one.latest is not None and one.unit.lower() in metric.units
    ]
    return max(values, default=None)


def _about(answer: Sequence[TimeSeries], service: str) -> list[TimeSeries]:
    """The series of a service. One without any name of a service is nobody's."""
    return [one for one in answer if service in (one.of("resource"), one.of("service"))]
