from __future__ import annotations

from functools import reduce

import pytest

from selfheal.events import (
    AgentDeclared,
    AgentReady,
    AgentStarted,
    Event,
    FailurePredicted,
    IncidentOpened,
    MaintenanceBegan,
    PredictionEnded,
    Run,
    StopAsked,
    WorkDone,
    WorkPlanned,
)
from selfheal.predict.maintenance import due, plan, void
from selfheal.vocabulary import FailureMode
from selfheal.world import EMPTY, World, fold

NOW = 1000.0


def _predicted(
    agent: str = "api", eta_s: float = 1860.0, probability: float = 0.9, mode: FailureMode = "out_of_memory"
) -> FailurePredicted:
    return FailurePredicted(
        NOW, agent, mode, "rss", probability, eta_s, eta_s * 27 / 31, eta_s * 36 / 31, 363e6, 400e6, 20e3
    )


def _agent(name: str, has_process: bool = True) -> list[Event]:
    run = Run(7, 1, 0.0, 1, "boot")
    declared = AgentDeclared(0.0, name, "process", "application", (), (), has_process)
    return [declared, AgentStarted(0.0, name, run, "first"), AgentReady(0.1, name, 1, 0.1)]


def _world(*events: Event) -> World:
    return reduce(fold, [*_agent("api"), *_agent("web"), *events], EMPTY)


def _planned(due_at: float = 1100.0) -> WorkPlanned:
    return WorkPlanned(NOW, "work-1", "api", "restart", due_at, "why")


def test_a_likely_failure_becomes_a_restart_well_before_the_earliest_time() -> None:
    (work,) = plan(_world(_predicted()), NOW)
    assert (work.work, work.agent, work.action) == ("work-1", "api", "restart")
    assert work.due_at == pytest.approx(NOW + 0.6 * 1620.0)
    assert work.why == "rss grows 1.2 MB/min and reaches 400 MB in 31 min (27-36)"


def test_a_failure_that_is_near_is_prevented_now() -> None:
    (work,) = plan(_world(_predicted(eta_s=40.0)), NOW + 1.0, interval_s=5.0)
    assert work.due_at == NOW + 1.0
    assert "in 40 s (35-46)" in work.why
    (work,) = plan(_world(_predicted(eta_s=400.0)), NOW, interval_s=300.0)
    assert work.due_at == NOW


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([_predicted(probability=0.6)], id="unlikely"),
        pytest.param([_predicted(mode="disk_full")], id="a restart frees no disk"),
        pytest.param([_predicted(), IncidentOpened(NOW, "inc-1", "api", "check", "slow", NOW)], id="an open incident"),
        pytest.param([_predicted(), _planned()], id="already planned"),
        pytest.param([_predicted(), StopAsked(NOW, "api", "cli")], id="not wanted"),
        pytest.param([_predicted(), MaintenanceBegan(NOW, "api", NOW + 60)], id="in maintenance"),
        pytest.param([_predicted(), _planned(), WorkDone(NOW, "work-1", "failed", "")], id="just failed"),
        pytest.param([_predicted(agent="gone")], id="no such agent"),
        pytest.param([*_agent("site", has_process=False), _predicted(agent="site")], id="no process"),
    ],
)
def test_nothing_is_planned_where_it_would_be_wrong(events: list[Event]) -> None:
    assert plan(_world(*events), NOW + 1.0) == ()


def test_an_agent_with_two_fears_is_restarted_once_and_each_work_has_its_own_name() -> None:
    world = _world(_predicted(), _predicted(mode="out_of_fds", eta_s=700.0), _predicted(agent="web"))
    works = plan(world, NOW)
    assert [(work.work, work.agent) for work in works] == [("work-1", "api"), ("work-2", "web")]
    assert works[0].due_at == pytest.approx(NOW + 0.6 * 700.0 * 27 / 31)


def test_work_is_due_at_its_time_and_on_an_agent_that_is_fit_for_it() -> None:
    world = _world(_predicted(), _planned())
    assert due(world, 1099.0) == ()
    assert [work.planned.work for work in due(world, 1100.0)] == ["work-1"]
    hurt = fold(world, IncidentOpened(1050.0, "inc-1", "api", "check", "slow", 1050.0))
    assert due(hurt, 1100.0) == ()
    assert due(fold(world, WorkDone(1101.0, "work-1", "succeeded", "")), 1102.0) == ()


def test_work_that_nobody_needs_is_called_off_unless_it_is_in_hand() -> None:
    needed = _world(_predicted(), _planned())
    assert void(needed, 1050.0, doing=()) == ()
    calm = fold(needed, PredictionEnded(1040.0, "api", "out_of_memory", "withdrawn"))
    restarted = fold(needed, AgentStarted(1040.0, "api", Run(8, 2, 1040.0, 2, "boot"), "reflex"))
    stopped = fold(needed, StopAsked(1040.0, "api", "cli"))
    for world in (calm, restarted, stopped):
        (ended,) = void(world, 1050.0, doing=())
        assert (ended.work, ended.outcome) == ("work-1", "rejected")
        assert ended.output.startswith("called off: ")
        assert void(world, 1050.0, doing={"work-1"}) == ()
    (ended,) = void(restarted, 1050.0, doing=())
    assert plan(fold(restarted, ended), 1060.0) != ()
