"""Recordings of one agent whose memory goes as a test wants it to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan

from selfheal.predict.alarms import Task
from selfheal.predict.recording import Failure, Recording, Samples
from selfheal.predict.replay import Known, known

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
TASK = Task(2 * HOUR, 0.5 * HOUR)
AT = 1_767_312_000.0


def recorded(
    shape: Callable[[float], float],
    hours: float = 12.0,
    signal: str = "rss",
    limit: float | None = 100.0,
    failures: Sequence[float] = (),
    gap: float = MINUTE,
) -> Recording:
    """An agent that is looked at once a minute; `shape` is its signal by the seconds since the begin."""
    count = int(hours * HOUR / gap)
    at = [AT + gap * (number + 1) for number in range(count)]
    values = {signal: [shape(when - AT) for when in at]}
    limits = {} if limit is None else {signal: limit}
    failed = tuple(Failure("site", AT + when, "out_of_memory") for when in failures)
    return Recording((signal,), {"site": Samples(at, values)}, failed, {"site": limits})


def only(recording: Recording, task: Task = TASK) -> Known:
    (one,) = known(recording, task)
    return one


def leak(hours: float, begin: float = 20.0, end: float = 100.0) -> Callable[[float], float]:
    """A straight way from one value to another in so many hours."""
    return lambda since: begin + (end - begin) * since / (hours * HOUR)


def nothing(_: float) -> float:
    return nan
