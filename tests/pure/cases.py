"""Incidents made up for the tests of who looks for their cause: what is normal, and one thing that is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from selfheal.diagnose.case import Alert, Case, LogLine, Series, Span

AT = 1_800_000_000.0
STEP_S = 15.0
BEFORE, AFTER = 60, 10
GRAPH = {"web": ("shop", "cart"), "shop": ("db",), "cart": ("db",)}
SERVICES = ("web", "shop", "cart", "db")
USUAL = {"cpu_usage": 0.3, "memory_bytes": 2e8, "latency_avg": 0.02, "requests": 40.0}

Change = Callable[[str, str, float], float]
"""What the value of a service's metric becomes in the trouble."""


def series(change: Change = lambda service, metric, value: value, seed: int = 1) -> tuple[Series, ...]:
    chance = Random(seed)
    found = []
    for service in SERVICES:
        for metric, level in USUAL.items():
            values = [level * (1.0 + 0.03 * chance.gauss(0.0, 1.0)) for _ in range(BEFORE + AFTER)]
            values[BEFORE:] = [change(service, metric, value) for value in values[BEFORE:]]
            at = [AT + STEP_S * (place - BEFORE) for place in range(BEFORE + AFTER)]
            found.append(Series(service, metric, at, values))
    return tuple(found)


def slow_db(service: str, metric: str, value: float) -> float:
    """The database is slow, and all that call it, directly or not, with it."""
    if metric == "latency_avg":
        return value + 0.4
    return value * 3.0 if (service, metric) == ("db", "cpu_usage") else value


def numbers(change: Change = lambda service, metric, value: value, metric: str = "latency_avg") -> Case:
    return Case(AT, Alert("web", metric), GRAPH, series(change))


def traces(count: int, begin: float, work: Callable[[str], float], way_ms: float = 1.0) -> Iterator[Span]:
    """So many requests, ten seconds apart: web calls shop calls db; `work` is what each does by itself, in ms."""
    for number in range(count):
        at, trace = begin + 10.0 * number, f"{begin:.0f}-{number}"
        took: dict[str, float] = {}
        parent = ""
        for service in ("db", "shop", "web"):
            took[service] = work(service) + sum(list(took.values())[-1:]) + (way_ms if service != "db" else 0.0)
        for service in ("web", "shop", "db"):
            yield Span(at, trace, f"{trace}-{service}", parent, service, f"GET /{service}", took[service])
            parent = f"{trace}-{service}"


def lines(count: int, begin: float, *messages: str, service: str = "shop") -> Iterator[LogLine]:
    """What a service says in so many requests, each with its trace."""
    for number in range(count):
        trace = f"{int(begin) * 1000 + number:032x}"
        for place, message in enumerate(messages):
            yield LogLine(begin + 10.0 * number + place / 10.0, service, f"{trace} {message} {number}")
