from __future__ import annotations

import pytest

from selfheal.events import (
    AgentStarted,
    Event,
    FixStarted,
    IncidentOpened,
    MaintenanceBegan,
    PredictionEnded,
    PredictionLeft,
    Run,
    StopAsked,
    WorkDone,
)
from selfheal.predict.load import Load
from selfheal.predict.maintenance import Times, in_words, slot, void, wanted
from selfheal.world import fold
from selfheal.world.foresight import WORK_KEPT, latest_start
from tests.pure.foreseen import NOW, declared, planned, predicted, world_of

HOUR = 3600.0


def test_work_is_done_well_before_the_earliest_time_that_it_may_come() -> None:
    (prediction,) = wanted(world_of(predicted()), NOW)
    when = slot(prediction, NOW, Times())
    assert when.due_at == pytest.approx(NOW + 0.6 * 1620.0)
    assert when.due_at < when.until == latest_start(prediction) < NOW + 1620.0
    assert in_words(prediction) == "rss grows 1.2 MB/min and reaches 400 MB in 31 min (27-36)"


def test_a_failure_that_is_near_is_prevented_now() -> None:
    near = predicted(eta_s=40.0)
    when = slot(near, NOW + 1.0, Times(), interval_s=5.0)
    assert when.due_at == NOW + 1.0
    assert NOW + 30.0 < when.until < NOW + near.eta_low_s
    assert "in 40 s (35-46)" in in_words(near)
    assert slot(predicted(eta_s=400.0), NOW, Times(), interval_s=300.0).due_at == NOW


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([predicted(probability=0.6)], id="unlikely"),
        pytest.param([predicted(), IncidentOpened(NOW, "inc-1", "api", "check", "slow", NOW)], id="an open incident"),
        pytest.param([predicted(), planned()], id="already planned"),
        pytest.param([predicted(), StopAsked(NOW, "api", "cli")], id="not wanted"),
        pytest.param([predicted(), MaintenanceBegan(NOW, "api", NOW + 60)], id="in maintenance"),
        pytest.param([predicted(), planned(), WorkDone(NOW, "work-1", "failed", "", "failed")], id="just failed"),
        pytest.param([predicted(), planned(), WorkDone(9.0, "work-1", "rejected", "", "skipped")], id="given up"),
        pytest.param([predicted(), PredictionLeft(NOW, "api", "out_of_memory", 0.9, 0.05, "")], id="left alone"),
        pytest.param([predicted(agent="gone")], id="no such agent"),
    ],
)
def test_nothing_is_planned_where_it_would_be_wrong(events: list[Event]) -> None:
    assert wanted(world_of(*events), NOW + 1.0) == ()


def test_what_was_given_up_is_planned_again_once_another_failure_is_foreseen() -> None:
    given_up = world_of(predicted(), planned(), WorkDone(NOW, "work-1", "rejected", "paused", "skipped"))
    assert wanted(given_up, NOW + 1.0) == ()
    ended = fold(given_up, PredictionEnded(NOW + 1.0, "api", "out_of_memory", "withdrawn"))
    again = predicted(at=NOW + 2.0)
    assert wanted(fold(ended, again), NOW + 3.0) == (again,)


def test_work_that_failed_is_tried_again_some_time_after() -> None:
    world = world_of(predicted(), planned(), WorkDone(NOW, "work-1", "failed", "", "failed"))
    assert wanted(world, NOW + 299.0) == ()
    assert wanted(world, NOW + 301.0) == (predicted(),)


def test_the_nearer_one_comes_first_and_the_others_where_nothing_helps_against_that() -> None:
    nearer, other = predicted(mode="out_of_fds", eta_s=700.0), predicted(agent="web")
    assert wanted(world_of(predicted(), nearer, other), NOW) == (nearer, predicted(), other)


def test_it_is_put_off_to_the_hour_with_the_least_to_do() -> None:
    """From now, Thursday 00:16:40, to the failure in three hours the load falls from hour to hour but rises at last."""
    far = predicted(eta_s=3.2 * HOUR)
    load = Load("cpu", {72: 1.0, 73: 0.9, 74: 0.1, 75: 2.0}, 1.0)
    when = slot(far, NOW, Times(load))
    assert 2 * HOUR <= when.due_at < 3 * HOUR
    assert when.why == "least is to be done then before Thu 03:02 UTC: 10% of the usual cpu"
    level = Load("cpu", dict.fromkeys(range(168), 1.0), 1.0)
    assert slot(far, NOW, Times(level)) == slot(far, NOW, Times())  # nothing is quieter than the usual time


def test_no_load_and_no_quiet_time_puts_it_into_a_maintenance_window() -> None:
    far = predicted(eta_s=3.2 * HOUR)
    quiet_hour = Load("cpu", {72: 1.0, 73: 1.0, 74: 0.1, 75: 1.0}, 1.0)
    closed = Times(quiet_hour, closed=lambda moment: 2 * HOUR <= moment < 3 * HOUR)
    assert not 2 * HOUR <= slot(far, NOW, closed).due_at < 3 * HOUR
    always = slot(far, NOW, Times(closed=lambda moment: True))
    assert always.why == "a maintenance window lasts for all the time that is left"


def test_a_quiet_time_that_somebody_has_named_comes_before_what_was_learned() -> None:
    far = predicted(eta_s=3.2 * HOUR)
    load = Load("cpu", {72: 1.0, 73: 1.0, 74: 0.1, 75: 1.0}, 1.0)
    when = slot(far, NOW, Times(load, quiet=lambda moment: HOUR <= moment < 1.5 * HOUR))
    assert HOUR <= when.due_at < 1.5 * HOUR
    assert "as configured" in when.why


def test_what_can_only_do_something_later_is_not_done_before() -> None:
    """At 90 % of 400 MB, which are reached at once, and at 99 %, in 1,650 s."""
    early, late = (slot(predicted(), NOW, Times(), useful_from=share) for share in (0.9, 0.99))
    assert early.due_at == pytest.approx(NOW + 0.6 * 1620.0)
    assert late.due_at == pytest.approx(NOW + 33e6 / 20e3, abs=100.0)
    assert late.due_at <= late.until


def test_work_that_nobody_needs_is_called_off_unless_it_was_begun() -> None:
    needed = world_of(predicted(), planned())
    assert void(needed, 1050.0) == ()
    calm = fold(needed, PredictionEnded(1040.0, "api", "out_of_memory", "withdrawn"))
    restarted = fold(needed, AgentStarted(1040.0, "api", Run(8, 2, 1040.0, 2, "boot"), "reflex"))
    stopped = fold(needed, StopAsked(1040.0, "api", "cli"))
    for world in (calm, restarted, stopped):
        (ended,) = void(world, 1050.0)
        assert (ended.work, ended.outcome, ended.state) == ("work-1", "rejected", "called_off")
        assert ended.output.startswith("called off: ")
    begun = fold(needed, FixStarted(1030.0, "work-1", 1, "restart", "application", "api", "memory_leak"))
    assert void(fold(begun, PredictionEnded(1040.0, "api", "out_of_memory", "withdrawn")), 1050.0) == ()
    (ended,) = void(restarted, 1050.0)
    assert wanted(fold(restarted, ended), 1060.0) != ()


def test_an_agent_without_a_process_may_be_worked_on_too() -> None:
    site = predicted(agent="site", mode="disk_full")
    assert wanted(world_of(*declared("site", has_process=False), site), NOW) == (site,)


def test_work_that_is_still_to_be_done_is_kept_however_much_is_planned_after_it() -> None:
    more = [planned(work=f"work-{number}", agent=f"agent-{number}") for number in range(2, WORK_KEPT + 3)]
    world = world_of(planned(), *more)
    assert "work-1" in world.foresight.work
    assert "work-1" in world.cases
    done = fold(world, WorkDone(NOW, "work-2", "succeeded", "", "done"))
    after = fold(done, planned(work="work-x", agent="web")).foresight.work
    assert ("work-1" in after, "work-2" in after, "work-x" in after) == (True, False, True)
