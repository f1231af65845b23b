"""Has each signal that may bring a failure a row of its own, and does that say what is the matter with it?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isnan, sin
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.predict.recording import Recording, Samples
from selfheal.predict.subjects import FEATURES, Subjects
from tests.pure.recordings import HOUR, leak, nothing, only, recorded

Shape = Callable[[float], float]


def asked(shapes: Mapping[str, Shape], limits: Mapping[str, float], hours: float = 10.0) -> Subjects:
    at = recorded(leak(8.0), hours=hours).agents["site"].at
    values = {name: [shape(when - at[0]) for when in at] for name, shape in shapes.items()}
    return Subjects(only(Recording(tuple(shapes), {"site": Samples(at, values)}, (), {"site": limits})).windows)


def row(of: Subjects, signal: str, place: int = 119) -> dict[str, float]:
    return dict(zip(FEATURES, dict(of.rows(place))[signal], strict=True))


def same(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    return all(one[name] == pytest.approx(other[name], rel=1e-6, abs=1e-6, nan_ok=True) for name in FEATURES)


def wobbling(since: float) -> float:
    return 40.0 + since / 2000.0 + 3.0 * sin(since / 700.0) + Random(int(since)).gauss(0.0, 0.4)


def sawing(since: float) -> float:
    """A collector of forty minutes that holds a quarter, over a leak that takes it to the limit after 16 hours."""
    return 25.0 * (since % 2400.0) / 2400.0 + 75.0 * since / (16 * HOUR)


def test_a_leak_is_told_beside_what_is_nearer_to_its_limit() -> None:
    of = asked({"rss": leak(12.0), "fds": lambda since: 95.0}, {"rss": 100.0, "fds": 100.0})
    assert row(of, "rss")["limit.gain_36"] == pytest.approx(0.8 * 2 / 12, abs=0.02)
    assert row(of, "fds")["limit.gain_36"] == pytest.approx(0.0, abs=0.01)


def test_what_may_bring_no_failure_has_no_row_but_is_told_beside_the_others() -> None:
    shapes: dict[str, Shape] = {"rss": leak(8.0), "cpu": wobbling, "temperature": wobbling, "sessions_used": wobbling}
    of = asked(shapes, {"rss": 100.0, "sessions_used": 60.0})
    assert of.signals == ("rss", "sessions_used")
    assert not isnan(row(of, "rss")["load.now"])


def test_without_a_limit_a_signal_is_held_against_its_own_past_alone() -> None:
    told = row(
        asked({"latency_ms": lambda since: wobbling(since) * (4.0 if since > 8 * HOUR else 1.0)}, {}), "latency_ms"
    )
    assert isnan(told["limit.level"])
    assert told["signal.times"] == pytest.approx(1.6, abs=0.1)


@settings(max_examples=12, deadline=None)
@given(st.integers(-6, 9), st.floats(1.0, 9.0), st.booleans())
def test_unit_and_name_of_a_signal_change_nothing(power: int, factor: float, limited: bool) -> None:
    scale = factor * 10.0**power
    one = asked({"rss": wobbling}, {"rss": 100.0} if limited else {})
    other = asked({"heapUsed": lambda since: scale * wobbling(since)}, {"heapUsed": 100.0 * scale} if limited else {})
    assert same(row(one, "rss"), row(other, "heapUsed"))


def test_what_comes_later_changes_no_row() -> None:
    whole = recorded(lambda since: sawing(since) + Random(int(since)).gauss(0.0, 0.4), hours=12.0)
    samples = whole.agents["site"]
    cut = replace(whole, agents={"site": Samples(samples.at[:400], {"rss": samples.values["rss"][:400]})})
    early, late = Subjects(only(cut).windows), Subjects(only(whole).windows)
    for place in range(10, only(cut).track.length - 1, 7):
        assert same(row(early, "rss", place), row(late, "rss", place))


def test_what_was_not_measured_of_late_has_no_row() -> None:
    of = asked({"rss": leak(8.0), "fds": lambda since: float("nan") if since > HOUR else 10.0}, {"fds": 20.0})
    assert [name for name, _ in of.rows(5)] == ["rss", "fds"]
    assert [name for name, _ in of.rows(60)] == ["rss"]
    assert list(Subjects(only(recorded(nothing)).windows).rows(60)) == []
