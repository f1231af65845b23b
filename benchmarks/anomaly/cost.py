"""How long does one sample take, and how much does one series hold?"""

from __future__ import annotations

import tracemalloc
from math import pi, sin
from random import Random
from time import process_time

from selfheal.detect.stream import keep, watch

PACES_S = (5.0, 60.0, 300.0, 3600.0)
DAYS = 20


def _day(every_s: float, samples: int) -> list[tuple[float, tuple[float]]]:
    dice = Random(1)
    return [
        (every_s * row, (100.0 + 50.0 * sin(2 * pi * row * every_s / 86_400.0) + dice.gauss(0.0, 2.0),))
        for row in range(samples)
    ]


def microseconds(every_s: float, samples: int = 50_000) -> float:
    """Of processor for one sample, at one pace."""
    rows, series = watch(1), _day(every_s, samples)
    began = process_time()
    for at, values in series:
        rows.take(at, values)
    return (process_time() - began) / samples * 1e6


def held_bytes(series: int = 20) -> tuple[float, int]:
    """What one series holds after twenty days of five minutes, as Python counts it, and as it is kept."""
    day = _day(300.0, DAYS * 288)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        many = [watch(1) for _ in range(series)]
        for rows in many:
            for at, values in day:
                rows.take(at + 0.0, (values[0] + 0.0,))
        return (tracemalloc.get_traced_memory()[0] - before) / series, len(keep(many[0]))
    finally:
        tracemalloc.stop()
