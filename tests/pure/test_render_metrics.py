"""Do Render's metrics become signals in our names and units, and nothing that is not known?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.render.metrics import METRICS, REQUESTS, Label, Point, TimeSeries, signals_of

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def series(value: float | None, unit: str = "", service: str = "srv-a", **labels: str) -> TimeSeries:
    told = (Label("service", service), *(Label(name, said) for name, said in labels.items()))
    return TimeSeries(told, (Point(NOW, value),), unit)


def signals(answers: Mapping[str, list[TimeSeries]], service: str = "srv-a") -> dict[str, float]:
    return signals_of(answers, [service]).get(service, {})


@pytest.mark.parametrize(
    ("path", "value", "unit", "signal", "expected"),
    [
        ("memory", 0.25, "GB", "rss", 250e6),
        ("memory", 256.0, "MiB", "rss", 256.0 * 2**20),
        ("memory", 1000.0, "bytes", "rss", 1000.0),
        ("cpu", 0.5, "CPU", "cpu", 0.5),
        ("cpu", 250.0, "mCPU", "cpu", 0.25),
        ("http-latency", 120.0, "ms", "edge_latency", 0.12),
        ("http-latency", 0.2, "seconds", "edge_latency", 0.2),
    ],
)
def test_a_metric_has_our_name_and_unit(path: str, value: float, unit: str, signal: str, expected: float) -> None:
    assert signals({path: [series(value, unit)]}) == {signal: pytest.approx(expected)}


def test_a_disk_is_told_by_its_share_and_only_where_both_are_known() -> None:
    used, all_of_it = [series(3.0, "GB")], [series(10.0, "GB")]
    assert signals({"disk-usage": used, "disk-capacity": all_of_it}) == {"disk": pytest.approx(0.3)}
    assert signals({"disk-usage": used}) == {}
    assert signals({"disk-usage": used, "disk-capacity": [series(0.0, "GB")]}) == {}


def test_requests_are_a_rate_and_the_share_of_those_that_failed() -> None:
    counted = [series(540.0, statusCode="200"), series(60.0, statusCode="503"), series(None, statusCode="404")]
    assert signals({REQUESTS.path: counted}) == {"requests": 10.0, "error_rate": pytest.approx(0.1)}
    assert signals({REQUESTS.path: [series(0.0, statusCode="200")]}) == {"requests": 0.0}


def test_the_worst_instance_counts_and_another_service_says_nothing() -> None:
    told = [series(0.1, "GB", instance="a"), series(0.3, "GB", instance="b"), series(0.9, "GB", service="srv-b")]
    assert signals({"memory": told}) == {"rss": pytest.approx(300e6)}
    assert signals({"memory": [TimeSeries((), (Point(NOW, 1.0),), "GB")]}) == {}


@pytest.mark.parametrize("wrong", [series(5.0, "furlongs"), series(None, "GB"), series(nan, "GB"), series(inf, "GB")])
def test_what_is_not_known_is_not_guessed(wrong: TimeSeries) -> None:
    assert signals({"memory": [wrong]}) == {}


@given(
    st.dictionaries(
        st.sampled_from([*(one.path for one in METRICS), REQUESTS.path]),
        st.lists(st.builds(series, st.none() | st.floats(), st.text() | st.sampled_from(["GB", "ms", "CPU"]))),
    )
)
def test_whatever_is_answered_gives_numbers_or_nothing(answers: dict[str, list[TimeSeries]]) -> None:
    assert all(isinstance(value, float) for value in signals(answers).values())
