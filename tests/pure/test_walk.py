"""Is a network shown the same by the daemon and by a child, and nothing that has a unit?"""

from __future__ import annotations

from dataclasses import replace
from math import isnan, nan

import pytest

from selfheal.predict.recent import KEPT, STEP_S, track_of
from selfheal.predict.steps import STEPS, Track
from selfheal.predict.walk import CELLS, Walk, cut

FIRST = 5_888_000
LEVEL, GAIN, YESTERDAY, LATENCY, AGE, ANOMALIES = (
    CELLS.index(name)
    for name in ("limit.level", "limit.gain", "limit.since_yesterday", "latency", "agent.age", "agent.anomalies")
)


def track(length: int = KEPT, unit: float = 1.0, restarts: tuple[float, ...] = (), before: int = 0) -> Track:
    """Memory that grows by a thousandth of its limit a step, and a latency that is ten times as long at the end."""
    columns = {
        "rss": [unit * (100.0 + place - before) for place in range(length)],
        "latency": [unit * (10.0 if place >= length - 3 else 1.0 + place % 2) for place in range(length)],
        "anomalies": [float(place == length - 1) for place in range(length)],
    }
    return track_of("api", FIRST - before, columns, {"rss": unit * 1000.0}, restarts)


def told(window: list[tuple[float, ...]], cell: int) -> list[float]:
    return [step[cell] for step in window]


def test_a_window_tells_how_it_went_in_shares_and_spreads() -> None:
    window = Walk(track()).window(KEPT - 1)
    assert len(window) == STEPS
    assert told(window, LEVEL) == pytest.approx([0.001 * (100 + KEPT - STEPS + step) for step in range(STEPS)])
    assert told(window, GAIN) == pytest.approx([0.012] * STEPS)
    assert told(window, YESTERDAY) == pytest.approx([0.289] * STEPS)  # three steps that end a day ago
    assert all(abs(cell) < 1.5 for cell in told(window, LATENCY)[:-3])
    assert min(told(window, LATENCY)[-3:]) > 3.0
    assert told(window, ANOMALIES) == [0.0] * (STEPS - 1) + [1.0]
    assert all(map(isnan, told(window, AGE)))


def test_units_make_no_difference() -> None:
    for here, there in zip(Walk(track()).window(KEPT - 1), Walk(track(unit=4096.0)).window(KEPT - 1), strict=True):
        assert here == pytest.approx(there, nan_ok=True)


def test_the_window_of_the_daemon_is_the_window_of_the_child() -> None:
    long = Walk(track(KEPT + 500, before=500))
    daemons, childs = Walk(track()).window(KEPT - 1), cut(long.all(), KEPT + 499)
    for here, there in zip(daemons, childs, strict=True):
        assert here == pytest.approx(list(there), rel=1e-6, nan_ok=True)


def test_a_new_run_begins_with_nothing_and_its_age_is_told() -> None:
    restarted = Walk(track(restarts=((FIRST + KEPT - 10) * STEP_S,))).window(KEPT - 1)
    assert isnan(restarted[-1][GAIN])
    assert restarted[-1][LEVEL] == pytest.approx(0.001 * (99 + KEPT))
    ages = told(restarted, AGE)
    assert all(map(isnan, ages[: STEPS - 10]))
    assert ages[-10:] == sorted(ages[-10:])


def test_before_the_track_nothing_was_seen() -> None:
    early = Walk(track()).window(3)
    assert all(map(isnan, early[0]))
    assert early[-1][LEVEL] == pytest.approx(0.103)
    assert [list(map(repr, step)) for step in cut(Walk(track()).all(), 3)[:20]] == [[repr(nan)] * len(CELLS)] * 20


def test_without_a_limit_nothing_is_near_to_one() -> None:
    assert isnan(Walk(replace(track(), limits={})).window(KEPT - 1)[-1][LEVEL])
