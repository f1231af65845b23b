"""Do rows say the same of the same thing, and only what was known at the time?"""

from __future__ import annotations

from dataclasses import replace
from math import isnan, sin
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.predict.own_rows import OwnRows, own_features
from selfheal.predict.recording import Recording, Samples
from selfheal.predict.roles import foreseeable, role_of
from selfheal.predict.steps import step_length, track, usual_gap
from selfheal.predict.trendline import trendline
from selfheal.predict.windows import FEATURES, Windows
from tests.pure.recordings import AT, DAY, HOUR, MINUTE, TASK, leak, nothing, only, recorded


def cells(windows: Windows, place: int) -> dict[str, float]:
    row = windows.row(place)
    assert row is not None
    return dict(zip(FEATURES, row, strict=True))


def same(one: tuple[float, ...] | None, other: tuple[float, ...] | None) -> bool:
    assert one is not None
    assert other is not None
    return all(
        a == pytest.approx(b, rel=1e-6, abs=1e-6) or (isnan(a) and isnan(b)) for a, b in zip(one, other, strict=True)
    )


def wobbling(since: float) -> float:
    return 40.0 + since / 2000.0 + 3.0 * sin(since / 700.0) + Random(int(since)).gauss(0.0, 0.4)


def test_a_straight_leak_is_told_in_horizons_and_shares_of_the_limit() -> None:
    one = only(recorded(leak(8.0), hours=6.0))
    row = cells(one.windows, one.track.length - 1)
    assert row["limit.level"] == pytest.approx(0.2 + 0.8 * 6 / 8, abs=0.02)
    for steps in (6, 12, 36, 72):
        assert row[f"limit.left_{steps}"] == pytest.approx(1.0, abs=0.12)
        assert row[f"limit.gain_{steps}"] == pytest.approx(0.2, abs=0.02)
        assert row[f"limit.rises_{steps}"] == 1.0


@settings(max_examples=12, deadline=None)
@given(st.integers(-6, 9), st.floats(1.0, 9.0))
def test_the_unit_of_a_signal_changes_nothing(power: int, factor: float) -> None:
    scale = factor * 10.0**power
    one = only(recorded(wobbling, hours=10.0))
    other = only(recorded(lambda since: scale * wobbling(since), hours=10.0, limit=100.0 * scale))
    unlimited = only(recorded(wobbling, hours=10.0, limit=None))
    scaled = only(recorded(lambda since: scale * wobbling(since), hours=10.0, limit=None))
    last = one.track.length - 1
    assert same(one.windows.row(last), other.windows.row(last))
    assert same(unlimited.windows.row(last), scaled.windows.row(last))


@pytest.mark.parametrize("limit", [100.0, None])
def test_what_comes_later_changes_no_row(limit: float | None) -> None:
    whole = recorded(wobbling, hours=12.0, limit=limit)
    samples = whole.agents["site"]
    cut = Samples(samples.at[:400], {"rss": samples.values["rss"][:400]})
    early = only(replace(whole, agents={"site": cut}))
    late = only(whole)
    for place in range(10, early.track.length - 1, 7):
        assert same(early.windows.row(place), late.windows.row(place))


def test_names_and_order_of_signals_change_nothing() -> None:
    base = recorded(wobbling).agents["site"]
    values = {"heap_used": base.values["rss"], "latency": [value * 2 for value in base.values["rss"]]}
    one = only(
        Recording(("heap_used", "latency"), {"site": Samples(base.at, values)}, (), {"site": {"heap_used": 100.0}})
    )
    turned = {"p95_response_ms": values["latency"], "memoryBytes": values["heap_used"]}
    names = ("p95_response_ms", "memoryBytes")
    other = only(Recording(names, {"site": Samples(base.at, turned)}, (), {"site": {"memoryBytes": 100.0}}))
    assert same(one.windows.row(100), other.windows.row(100))


def test_of_several_limits_the_one_that_would_be_nearest_is_told() -> None:
    base = recorded(leak(8.0), hours=6.0).agents["site"]
    values = {"rss": base.values["rss"], "fds": [50.0] * len(base.at)}
    limits = {"rss": 100.0, "fds": 60.0}
    one = only(Recording(("rss", "fds"), {"site": Samples(base.at, values)}, (), {"site": limits}))
    assert one.windows.nearest(one.track.length - 1) == "rss"
    assert one.windows.nearest(20) == "fds"


def test_a_restart_begins_the_way_to_the_limit_anew_and_is_counted() -> None:
    def shape(since: float) -> float:
        return 20.0 + 70.0 * (since % (4 * HOUR)) / (4 * HOUR)

    one = only(recorded(shape, hours=5.5, failures=[4 * HOUR]))
    row = cells(one.windows, one.track.length - 1)
    assert row["limit.rises_36"] == 1.0
    assert row["limit.drop"] == 0.0
    assert row["agent.restarts_1"] == 1.0
    assert row["agent.age"] > 0.0


def test_a_level_that_did_no_harm_before_is_told_and_one_that_did_is_not() -> None:
    def shape(since: float) -> float:
        return 90.0 if HOUR < since < 2 * HOUR else 30.0

    harmless = only(recorded(shape, hours=8.0))
    failed = only(recorded(shape, hours=8.0, failures=[2 * HOUR]))
    last = harmless.track.length - 1
    assert cells(harmless.windows, last)["limit.above_earlier"] == pytest.approx(-0.6)
    assert cells(failed.windows, last)["limit.above_earlier"] == pytest.approx(0.0, abs=1e-9)


def test_yesterday_is_told_once_there_is_one() -> None:
    def nightly(since: float) -> float:
        return 70.0 if 2 * HOUR <= since % DAY < 4 * HOUR else 30.0

    one = only(recorded(nightly, hours=30.0))
    before = cells(one.windows, 100)
    due = cells(one.windows, int((DAY + 1.5 * HOUR) / 300))
    assert isnan(before["limit.since_yesterday"])
    assert due["limit.yesterdays_rise"] == pytest.approx(0.4)


def test_what_was_never_measured_makes_no_row_and_what_is_missing_is_nan() -> None:
    assert only(recorded(nothing)).windows.row(100) is None
    row = cells(only(recorded(wobbling, limit=None)).windows, 120)
    assert isnan(row["limit.level"])
    assert isnan(row["latency.now"])
    assert not isnan(row["rest.now"])


def test_a_gap_in_the_samples_is_bridged() -> None:
    def gappy(since: float) -> float:
        return float("nan") if 4 * HOUR < since < 4.6 * HOUR else leak(8.0)(since)

    row = cells(only(recorded(gappy, hours=6.0)).windows, 71)
    assert row["limit.left_36"] == pytest.approx(1.0, abs=0.12)


def test_own_rows_tell_events_by_windows_and_by_how_long_ago_they_were() -> None:
    def errors(since: float) -> float:
        return 1.0 if 5 * HOUR <= since < 5 * HOUR + 5 * MINUTE else 0.0

    one = only(recorded(errors, hours=8.0, signal="error5", limit=None))
    row = dict(zip(own_features(("error5",)), OwnRows(one.track, ("error5",)).row(one.track.length - 1), strict=True))
    assert row["error5.mean_1"] == 0.0
    assert row["error5.mean_72"] > 0.0
    assert row["error5.since_change"] > 1.0


@pytest.mark.parametrize(
    ("horizon", "gap", "length"),
    [(7200.0, 10.0, 300.0), (7200.0, 60.0, 300.0), (86_400.0, 3600.0, 3600.0), (108_000.0, 3600.0, 3600.0)],
)  # fmt: skip
def test_a_step_is_a_part_of_the_horizon_and_holds_whole_samples(horizon: float, gap: float, length: float) -> None:
    assert step_length(horizon, gap) == length


def test_the_usual_gap_is_that_of_most_agents() -> None:
    assert usual_gap([[0.0, 60.0, 120.0], [0.0, 60.0, 180.0, 240.0], [5.0]]) == 60.0
    assert usual_gap([]) == 1.0


def test_a_sample_at_the_end_of_a_step_belongs_to_it() -> None:
    made = track("site", {"x": [(AT, 1.0), (AT + 1.0, 5.0)]}, (AT, AT + 300.0), 300.0, {})
    assert made.ends_at(0) == AT
    assert list(made.columns["x"].means) == [1.0, 5.0]


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("rss", "memory"), ("memoryBytes", "memory"), ("fds", "fds"), ("open_files", "fds"), ("disk_used", "disk"),
        ("latency_p95_ms", "latency"), ("queue_latency", "latency"), ("error_rate", "errors"), ("queue_depth", "queue"),
        ("cpu", "cpu"), ("restarts", "restarts"), ("s11", "other"),
    ],
)  # fmt: skip
def test_a_name_tells_the_role(name: str, role: str) -> None:
    assert role_of(name) == role


def test_what_nothing_announces_is_known_by_its_mode() -> None:
    assert not foreseeable("Bad deploy")
    assert not foreseeable("killed")
    assert foreseeable("out_of_memory")


def test_a_trend_is_the_median_of_slopes_and_needs_four_numbers() -> None:
    line = trendline([0.0, 1.0, 2.0, 30.0, 4.0, 5.0])
    assert line is not None
    assert line.slope == pytest.approx(1.0)
    assert line.low <= line.slope <= line.high
    assert trendline([1.0, 2.0, float("nan"), 3.0]) is None
    assert TASK.lead_s < TASK.horizon_s
