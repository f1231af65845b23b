from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from math import exp
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentRemoved,
    AgentStarted,
    Cause,
    Diagnosed,
    Event,
    FailurePredicted,
    FixStarted,
    IncidentOpened,
    PredictionEnded,
    Run,
    WorkDone,
    WorkPlanned,
)
from selfheal.history.rings import History
from selfheal.predict.exhaustion import forecasts, foresee
from selfheal.predict.slopes import Point
from selfheal.world import EMPTY, World, fold

MB = 1e6


def _points(
    count: int, every_s: float, value: Callable[[float], float], noise: float = 0.0, seed: int = 0
) -> list[Point]:
    dice = Random(seed)
    return [(at, value(at) + dice.gauss(0.0, noise)) for at in (place * every_s for place in range(count))]


# --- one signal ------------------------------------------------------------------------------------------------------


def test_a_leak_of_seconds_is_foreseen_before_it_reaches_the_limit() -> None:
    leak = _points(25, 1.0, lambda at: (20 + 9.5 * at) * MB, noise=1 * MB)
    seen = foresee(leak, 400 * MB, now=24.0)
    assert seen is not None
    assert seen.eta_s == pytest.approx(16.0, rel=0.1)
    assert seen.eta_low_s < seen.eta_s < seen.eta_high_s
    assert seen.probability > 0.99


def test_a_leak_of_hours_is_foreseen_with_its_slope_and_an_interval_that_holds_the_truth() -> None:
    for seed in range(10):
        leak = _points(720, 5.0, lambda at: 100 * MB + 50e3 * at, noise=8 * MB, seed=seed)
        seen = foresee(leak, 500 * MB, now=3600.0)
        assert seen is not None
        assert seen.slope == pytest.approx(50e3, rel=0.05)
        assert seen.eta_low_s < 4400.0 < seen.eta_high_s


def test_a_leak_that_lies_beyond_the_horizon_is_unlikely_within_it() -> None:
    leak = _points(720, 10.0, lambda at: 100 * MB + 10e3 * at)
    seen = foresee(leak, 500 * MB, now=7200.0, horizon_s=7200.0)
    assert seen is not None
    assert seen.eta_s > 7200.0
    assert seen.probability < 0.01


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(lambda at: 100 * MB, id="flat"),
        pytest.param(lambda at: (300 - 0.02 * at) * MB, id="falling"),
        pytest.param(lambda at: (100 if at < 1500 else 180) * MB, id="step"),
        pytest.param(lambda at: 200 * MB * (1 - exp(-at / 400)), id="warm-up"),
    ],
)
def test_what_only_looks_like_a_leak_is_not_foreseen(value: Callable[[float], float]) -> None:
    for seed, count in enumerate(range(40, 721, 40)):
        seen = foresee(_points(count, 5.0, value, noise=1 * MB, seed=seed), 260 * MB, count * 5.0)
        assert seen is None or seen.probability < 0.3


def test_a_collector_that_released_twice_is_known_for_one() -> None:
    for seed, count in enumerate(range(170, 721, 10)):
        teeth = _points(count, 5.0, lambda at: (100 + 60 * (at % 400) / 400) * MB, noise=1 * MB, seed=seed)
        assert foresee(teeth, 260 * MB, count * 5.0) is None


def test_after_a_release_only_what_came_since_counts() -> None:
    def sawtooth(at: float) -> float:
        return (50 + 0.2 * (at if at < 1000 else at - 1000)) * MB

    seen = foresee(_points(320, 5.0, sawtooth, noise=1 * MB), 400 * MB, now=1600.0)
    assert seen is not None
    assert seen.slope == pytest.approx(0.2 * MB, rel=0.05)
    assert seen.eta_s == pytest.approx(1150.0, rel=0.05)


def test_a_leak_under_a_garbage_collector_is_foreseen_by_its_trend_not_by_one_tooth() -> None:
    def collected(at: float) -> float:
        return (100 + 0.05 * at + 40 * (at % 300) / 300) * MB

    seen = foresee(_points(720, 5.0, collected), 400 * MB, now=3600.0)
    assert seen is not None
    assert seen.slope == pytest.approx(0.05 * MB, rel=0.2)


def test_too_few_points_and_a_young_process_far_from_its_limit_say_nothing() -> None:
    def grows(at: float) -> float:
        return at * MB

    assert foresee(_points(11, 60.0, grows), 700 * MB, now=660.0) is None
    assert foresee(_points(40, 1.0, grows), 200 * MB, now=40.0) is None
    assert foresee(_points(40, 1.0, grows), 70 * MB, now=40.0) is not None
    assert foresee([], 1.0, now=0.0) is None


def test_what_is_past_its_limit_has_no_time_left() -> None:
    seen = foresee(_points(100, 5.0, lambda at: at * MB), 300 * MB, now=495.0)
    assert seen is not None
    assert (seen.eta_s, seen.probability) == (0.0, 1.0)


def test_a_few_wild_points_do_not_move_the_slope() -> None:
    leak = _points(300, 5.0, lambda at: 100 * MB + 100e3 * at, noise=1 * MB)
    wild = [(at, 900 * MB if place % 37 == 0 else value) for place, (at, value) in enumerate(leak)]
    seen = foresee(wild, 1000 * MB, now=1500.0)
    assert seen is not None
    assert seen.slope == pytest.approx(100e3, rel=0.1)


_VALUES = st.lists(st.floats(-1e12, 1e12), max_size=200)


@given(_VALUES, st.floats(1.0, 1e12), st.floats(0.01, 1e4))
def test_a_forecast_is_in_order_and_its_probability_a_share(values: list[float], limit: float, every_s: float) -> None:
    seen = foresee([(place * every_s, value) for place, value in enumerate(values)], limit, len(values) * every_s)
    if seen is not None:
        assert 0.0 <= seen.eta_low_s <= seen.eta_s <= seen.eta_high_s
        assert 0.0 <= seen.probability <= 1.0
        assert seen.slope > 0.0


# --- the fleet -------------------------------------------------------------------------------------------------------

LEAK = _points(130, 5.0, lambda at: 100 * MB + 200e3 * at)  # reaches 400 MB at 1500 s
FLAT = _points(130, 5.0, lambda at: 100 * MB)
NOW = 650.0


def _world(*events: Event) -> World:
    declared = AgentDeclared(0.0, "api", "process", "application", (), ("process",), True, memory_limit=int(400 * MB))
    started = AgentStarted(0.0, "api", Run(7, 1, 0.0, 1, "boot"), "first")
    return reduce(fold, [declared, started, AgentReady(0.1, "api", 1, 0.1), *events], EMPTY)


def _history(points: Sequence[Point], signal: str = "rss") -> History:
    history = History()
    for at, value in points:
        history.append("api", signal, at, value)
    return history


def _predicted(at: float = 600.0, eta_s: float = 900.0) -> FailurePredicted:
    return FailurePredicted(
        at, "api", "out_of_memory", "rss", 1.0, eta_s, eta_s * 0.9, eta_s * 1.1, 220 * MB, 400 * MB, 200e3
    )


def test_a_leak_is_told_once_and_again_only_when_it_moved() -> None:
    history = _history(LEAK)
    (first,) = forecasts(_world(), history, NOW)
    assert isinstance(first, FailurePredicted)
    assert (first.agent, first.mode, first.signal, first.limit) == ("api", "out_of_memory", "rss", 400 * MB)
    assert first.eta_s == pytest.approx(850.0, rel=0.02)
    assert first.probability > 0.9
    world = _world(first)
    assert forecasts(world, history, NOW + 20.0) == ()
    (moved,) = forecasts(_world(replace(first, eta_s=first.eta_s * 1.3)), history, NOW + 20.0)
    assert isinstance(moved, FailurePredicted)


def test_an_agent_without_a_limit_has_no_forecast_but_for_its_disk() -> None:
    declared = AgentDeclared(0.0, "api", "process", "application", (), (), True)
    assert forecasts(_world(declared), _history(LEAK), NOW) == ()
    (disk,) = forecasts(_world(declared), _history([(at, value / (400 * MB)) for at, value in LEAK], "disk"), NOW)
    assert isinstance(disk, FailurePredicted)
    assert (disk.mode, disk.limit) == ("disk_full", 1.0)


def test_what_was_silent_for_long_is_foreseen_no_more() -> None:
    disk = _history(_points(240, 15.0, lambda at: 0.5 + 0.3 * at / 3600), "disk")
    (told,) = forecasts(_world(), disk, 3600.0)
    assert isinstance(told, FailurePredicted)
    assert [one.agent for one in forecasts(_world(), disk, 3600.0 + 600.0)] == ["api"]
    assert forecasts(_world(), disk, 3600.0 + 1800.0) == ()
    (over,) = forecasts(_world(told), disk, 3600.0 + 1800.0)
    assert isinstance(over, PredictionEnded)
    assert over.outcome == "withdrawn"


def test_what_is_asked_seldom_is_not_silent_between_two_answers() -> None:
    disk = _history(_points(30, 1200.0, lambda at: 0.2 + 0.75 * at / (29 * 1200.0)), "disk")
    assert forecasts(_world(), disk, 29 * 1200.0 + 1190.0) != ()


def test_a_trend_that_is_gone_withdraws_its_prediction() -> None:
    assert forecasts(_world(_predicted()), _history(FLAT), NOW) == (
        PredictionEnded(NOW, "api", "out_of_memory", "withdrawn", "it is not seen any more"),
    )


def test_a_prediction_came_true_when_the_agent_died_about_when_it_said() -> None:
    died = AgentExited(1450.0, "api", 1, 7, None, 9, 1450.0, expected=False)
    assert forecasts(_world(_predicted(), died), _history(LEAK), 1460.0) == (
        PredictionEnded(1460.0, "api", "out_of_memory", "happened", "it died about when it was expected to"),
    )


def test_a_prediction_came_true_when_an_incident_has_that_cause() -> None:
    opened = IncidentOpened(700.0, "inc-1", "api", "exit", "exited", 700.0)
    diagnosed = Diagnosed(700.1, "inc-1", (Cause("out_of_memory", 0.9, "api"),))
    assert forecasts(_world(_predicted(), opened, diagnosed), _history(LEAK), 710.0) == (
        PredictionEnded(710.0, "api", "out_of_memory", "happened", "inc-1"),
    )


def test_an_early_death_for_another_reason_does_not_make_it_true() -> None:
    died = AgentExited(610.0, "api", 1, 7, None, 9, 610.0, expected=False)
    assert forecasts(_world(_predicted(), died), _history(LEAK), 620.0) == (
        PredictionEnded(620.0, "api", "out_of_memory", "withdrawn", "it is not seen any more"),
    )


def test_planned_work_averts_and_nothing_is_judged_while_it_is_in_hand() -> None:
    planned = WorkPlanned(640.0, "work-1", "api", "restart", 640.0, "why")
    restarted = AgentStarted(645.0, "api", Run(8, 2, 645.0, 2, "boot"), "fix")
    begun = FixStarted(641.0, "work-1", 1, "restart", "application", "api", "memory_leak")
    assert forecasts(_world(_predicted(), planned, begun, restarted), _history(LEAK), NOW) == ()
    done = WorkDone(646.0, "work-1", "succeeded", "")
    assert forecasts(_world(_predicted(), planned, restarted, done), _history(LEAK), NOW) == (
        PredictionEnded(NOW, "api", "out_of_memory", "averted", "restart was done in good time"),
    )


def test_what_was_done_about_the_disk_averts_nothing_that_a_restart_would() -> None:
    for action, mode, outcome in (("free_disk", "disk_full", None), ("restart", "out_of_fds", "averted")):
        planned = WorkPlanned(640.0, "work-1", "api", action, 640.0, "why", mode, "")  # type: ignore[arg-type]
        done = WorkDone(646.0, "work-1", "succeeded", "")
        told = forecasts(_world(_predicted(), planned, done), _history(LEAK), NOW)
        assert [one.outcome for one in told if isinstance(one, PredictionEnded)] == [outcome] * (outcome is not None)


def test_a_new_process_owes_nothing_to_the_leak_of_the_one_before() -> None:
    restarted = AgentStarted(640.0, "api", Run(8, 2, 640.0, 2, "boot"), "person")
    assert forecasts(_world(_predicted(), restarted), _history(LEAK), NOW) == (
        PredictionEnded(NOW, "api", "out_of_memory", "averted", "it was restarted"),
    )
    assert forecasts(_world(restarted), _history(LEAK), NOW) == ()


def test_an_agent_that_was_removed_takes_its_predictions_with_it() -> None:
    assert forecasts(_world(_predicted(), AgentRemoved(640.0, "api")), _history(LEAK), NOW) == (
        PredictionEnded(NOW, "api", "out_of_memory", "averted", "the agent is gone"),
    )
