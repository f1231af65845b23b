"""Do trend and model speak with one voice, and are the model's reasons words?"""

from __future__ import annotations

from dataclasses import replace
from math import asinh, nan

import pytest

from selfheal.events import Contribution, FailurePredicted, Run
from selfheal.predict.foretold import Said, joined
from selfheal.predict.reasons import rate_of, reasons, since_of
from selfheal.predict.windows import FEATURES
from selfheal.world import Agent

API = Agent("api")
TREND = FailurePredicted(
    5000.0, "api", "out_of_memory", "rss", 0.9, 5000.0, 4500.0, 5600.0, 300e6, 400e6, 3e4, 2000.0, "trend", 7200.0,
    (Contribution("rss", 1.0, "it grows"),), "i-1",
)  # fmt: skip
SAID = Said(
    4800.0, "out_of_memory", 0.2, 3600.0, 720.0, 6480.0, "rss", 290e6, 400e6, 2e4, 1200.0,
    (Contribution("rss", 0.8, "it rises"),), "i-2",
)  # fmt: skip


def row(**cells: float) -> list[float]:
    """A row in which all else was not seen; `limit__level` is `limit.level`."""
    known = {name.replace("__", "."): value for name, value in cells.items()}
    assert known.keys() <= set(FEATURES)
    return [known.get(name, nan) for name in FEATURES]


def brought(**cells: float) -> list[float]:
    known = {name.replace("__", "."): value for name, value in cells.items()}
    assert known.keys() <= set(FEATURES)
    return [known.get(name, 0.0) for name in FEATURES]


def test_how_likely_is_said_by_the_model_and_when_by_the_trend() -> None:
    (one,) = joined(API, {"out_of_memory": TREND}, {"out_of_memory": SAID}, 5000.0).values()
    assert (one.model, one.probability, one.contributions, one.case) == ("boost", 0.2, SAID.contributions, "i-2")
    assert (one.eta_s, one.eta_low_s, one.eta_high_s, one.since) == (5000.0, 4500.0, 5600.0, 2000.0)


def test_without_a_trend_the_time_is_what_was_learned_less_what_has_passed_since() -> None:
    (one,) = joined(API, {}, {"out_of_memory": SAID}, 5000.0).values()
    assert (one.at, one.model, one.mode, one.signal) == (5000.0, "boost", "out_of_memory", "rss")
    assert (one.eta_s, one.eta_low_s, one.eta_high_s) == (3400.0, 520.0, 6280.0)
    (late,) = joined(API, {}, {"out_of_memory": SAID}, 9000.0).values()
    assert late.eta_low_s == 0.0


def test_what_is_near_is_told_by_the_trend_alone() -> None:
    near = replace(TREND, eta_s=3500.0, eta_low_s=3000.0, eta_high_s=4000.0)
    assert joined(API, {"out_of_memory": near}, {"out_of_memory": SAID}, 5000.0) == {"out_of_memory": near}


def test_a_mode_of_which_the_model_says_nothing_is_left_to_the_trend() -> None:
    disk = replace(TREND, mode="disk_full", signal="disk")
    told = joined(API, {"disk_full": disk}, {"out_of_memory": SAID}, 5000.0)
    assert told["disk_full"] == disk
    assert told.keys() == {"disk_full", "out_of_memory"}


def test_what_was_said_of_the_run_before_counts_no_more() -> None:
    began_anew = replace(API, run=Run(7, 2, 4900.0, 1, "boot"))
    assert joined(began_anew, {"out_of_memory": TREND}, {"out_of_memory": SAID}, 5000.0) == {"out_of_memory": TREND}


def test_a_rise_is_told_in_units_of_the_signal_and_of_time() -> None:
    cells = row(
        limit__level=0.75, limit__above_earlier=0.1, limit__gain_12=1.2, limit__clear_12=9.0, limit__left_12=0.2,
        limit__gain_6=1.0, limit__clear_6=3.0,
    )  # fmt: skip
    parts = brought(limit__gain_12=1.5, limit__above_earlier=0.5, agent__age=-1.0)
    (only,) = reasons(cells, parts, "out_of_memory", "rss", 400e6)
    assert (only.signal, only.weight) == ("rss", 1.0)
    assert only.what == "it rises by 4 MB/min over the last 1 h and is 300 MB of 400 MB, more than ever before"
    assert rate_of(cells, 400e6) == pytest.approx(400e6 * 1.2 / 7200.0)
    assert since_of(cells, 9000.0, 300.0) == 9000.0 - 3600.0


def test_a_rise_is_no_older_than_the_process() -> None:
    cells = row(limit__level=0.5, limit__gain_72=1.2, limit__clear_72=9.0, limit__left_72=0.4, agent__age=asinh(1.25))
    (only,) = reasons(cells, brought(limit__gain_72=1.0), "out_of_memory", "rss", 400e6)
    assert only.what == "it rises by 4 MB/min over the last 2.5 h and is 200 MB of 400 MB"
    assert since_of(cells, 90_000.0, 300.0) == pytest.approx(90_000.0 - 9000.0)


def test_what_hardly_speaks_for_it_is_no_reason() -> None:
    cells = row(limit__level=0.5, latency__now=0.1)
    (only,) = reasons(cells, brought(limit__level=9.9, latency__now=0.1), "out_of_memory", "rss", 400e6)
    assert only.signal == "rss"
    _, other = reasons(cells, brought(limit__level=9.0, latency__now=1.0), "out_of_memory", "rss", 400e6)
    assert other.what == "latency is about where it was the day before"


def test_what_does_not_rise_clearly_has_no_rate_and_no_beginning() -> None:
    cells = row(limit__level=0.95, limit__gain_12=-0.1, limit__clear_12=-4.0, limit__gain_6=0.2, limit__clear_6=0.5)
    assert (rate_of(cells, 400e6), since_of(cells, 9000.0, 300.0)) == (0.0, 0.0)
    (only,) = reasons(cells, brought(limit__level=1.0), "out_of_memory", "rss", 400e6)
    assert only.what.endswith("is 380 MB of 400 MB")


def test_what_was_not_as_usual_is_a_reason_where_it_says_more_than_the_age() -> None:
    cells = row(limit__level=0.5, agent__age=asinh(1.0), agent__anomalies=2.0)
    parts = brought(agent__anomalies=0.6, agent__age=0.2)
    (only,) = reasons(cells, parts, "out_of_memory", "rss", 400e6)
    assert only.what == "2 things were not as usual within the hour"


def test_reasons_are_ordered_and_share_what_speaks_for_it() -> None:
    cells = row(limit__level=0.5, latency__now=asinh(8.0), agent__restarts_1=3.0, agent__age=asinh(0.25))
    parts = brought(limit__level=0.5, latency__now=1.0, agent__restarts_1=0.5, errors__now=-2.0)
    told = reasons(cells, parts, "disk_full", "disk", 1.0, ("disk", "latency"))
    assert [one.weight for one in told] == [0.5, 0.25, 0.25]
    assert {one.signal for one in told} == {"latency", "disk", "agent"}
    assert told[0].what == "latency is 8 times its usual spread above where it was the day before"
    assert {one.what for one in told} >= {"it is 50 % of 100 %", "it began anew 3 times in the latest 2 h"}


def test_where_nothing_speaks_for_it_nothing_is_told() -> None:
    assert reasons(row(limit__level=0.1), brought(limit__level=-3.0), "out_of_memory", "rss", 400e6) == ()
