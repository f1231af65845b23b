"""Is a failure learned as one, and nothing of a time of which nobody knows what would have come?"""

from __future__ import annotations

from dataclasses import replace
from math import inf

from selfheal.events import (
    AgentDeclared,
    Event,
    FailurePredicted,
    IncidentResolved,
    MaintenanceBegan,
    PredictionEnded,
    WorkDone,
    WorkPlanned,
)
from selfheal.predict.own_past import AFTER_S, Came, LeftOut, begun_anew, failures_of, is_left_out, left_out
from selfheal.predict.timeleft import HORIZON_S
from selfheal.vocabulary import FailureMode, PredictionOutcome
from selfheal.world import EMPTY, World
from selfheal.world.foresight import WORK_KEPT
from tests.pure.situations import after, diagnosed, opened, ready, started, tried

T = 1_800_000_000.0
UP = (AgentDeclared(T, "api", "process", "application", (), ("http",), True), started("api", T, 1), ready("api", T, 1))


def world(*events: Event) -> World:
    return after(EMPTY, *UP, *events)


def foreseen(at: float, mode: FailureMode = "out_of_memory") -> FailurePredicted:
    return FailurePredicted(at, "api", mode, "rss", 0.9, 3000.0, 2000.0, 4000.0, 3e8, 4e8, 1e4)


def over(at: float, outcome: PredictionOutcome, why: str = "", mode: FailureMode = "out_of_memory") -> PredictionEnded:
    return PredictionEnded(at, "api", mode, outcome, why)


def test_an_incident_of_a_cause_that_could_be_foreseen_is_a_failure() -> None:
    leaked = world(opened("api", T + 9000.0), diagnosed("memory_leak", "api", T + 9010.0))
    assert failures_of(leaked, "api") == (Came("out_of_memory", T + 9000.0, "inc-1"),)
    assert failures_of(leaked, "web") == ()
    assert failures_of(world(opened("api", T + 9000.0), diagnosed("crashed", "api")), "api") == ()


def test_what_was_foreseen_and_came_is_the_same_failure_and_is_told_once() -> None:
    came = world(
        foreseen(T + 8000.0), opened("api", T + 9000.0), diagnosed("memory_leak", "api", T + 9010.0),
        over(T + 9100.0, "happened", "inc-1"),
    )  # fmt: skip
    assert failures_of(came, "api") == (Came("out_of_memory", T + 9000.0, "inc-1"),)
    alone = world(foreseen(T + 8000.0, "queue_full"), over(T + 9100.0, "happened", "it is full", "queue_full"))
    assert failures_of(alone, "api") == (Came("queue_full", T + 9100.0, ""),)


def test_deaths_without_a_sign_and_certificates_are_not_learned() -> None:
    died = world(foreseen(T + 10.0, "crash"), over(T + 20.0, "happened", "it died", "crash"))
    assert failures_of(died, "api") == ()


def test_what_was_averted_is_in_neither_class_and_only_for_its_mode() -> None:
    spans = left_out(world(foreseen(T + 9000.0), over(T + 9500.0, "averted", "it was restarted")), "api")
    assert spans == (LeftOut("out_of_memory", T + 9500.0 - HORIZON_S, T + 9500.0),)
    assert is_left_out(spans, "out_of_memory", T + 9400.0)
    assert not is_left_out(spans, "disk_full", T + 9400.0)
    assert not is_left_out(spans, "out_of_memory", T + 9600.0)


def test_a_prediction_that_nobody_acted_on_is_learned_from_whatever_came() -> None:
    assert left_out(world(foreseen(T + 9000.0), over(T + 9500.0, "withdrawn")), "api") == ()
    assert left_out(world(foreseen(T + 9000.0), over(T + 9500.0, "happened")), "api") == ()


def test_what_a_restart_has_kept_from_coming_is_left_out_where_a_restart_prevents_it() -> None:
    planned = WorkPlanned(T + 10.0, "work-1", "api", "restart", T + 20.0, "rss grows")
    spans = left_out(world(planned, WorkDone(T + 9000.0, "work-1", "succeeded", "done")), "api")
    assert {span.mode for span in spans} == {"out_of_memory", "out_of_fds", ""}
    assert is_left_out(spans, "out_of_memory", T + 9000.0 - HORIZON_S)
    assert not is_left_out(spans, "disk_full", T + 9000.0 - HORIZON_S)
    assert is_left_out(spans, "disk_full", T + 9000.0 + AFTER_S)


def test_the_time_of_which_it_is_forgotten_what_was_done_is_left_out() -> None:
    begun = WorkPlanned(T + 10.0, "work-0", "api", "restart", T + 20.0, "rss grows")
    told: list[Event] = [begun, WorkDone(T + 9000.0, "work-0", "succeeded", "done")]
    for number in range(1, WORK_KEPT + 1):
        at = T + 10_000.0 + number
        told += [replace(begun, at=at, work=f"work-{number}", agent="web")]
        told += [WorkDone(at, f"work-{number}", "succeeded", "done")]
    later = world(*told)
    assert "work-0" not in later.foresight.work
    assert is_left_out(left_out(later, "api"), "out_of_memory", T + 8000.0)
    assert not is_left_out(left_out(later, "api"), "out_of_memory", T + 10_002.0)


def test_work_that_was_called_off_has_done_nothing() -> None:
    planned = WorkPlanned(T + 10.0, "work-1", "api", "restart", T + 20.0, "rss grows")
    off = world(planned, WorkDone(T + 9000.0, "work-1", "rejected", "called off", "called_off"))
    assert left_out(off, "api") == ()
    assert begun_anew(off, "api") == (T,)


def test_an_incident_is_left_out_and_before_it_what_its_fix_may_have_prevented() -> None:
    spans = left_out(world(opened("api", T + 9000.0)), "api")
    assert spans == (LeftOut("", T + 9000.0, inf),)
    fixed = world(opened("api", T + 9000.0), diagnosed("crashed", "api"), *tried("api", T + 9010.0))
    spans = left_out(after(fixed, IncidentResolved(T + 9100.0, "inc-1", "well again", 100.0)), "api")
    assert LeftOut("", T + 9000.0, T + 9100.0 + AFTER_S) in spans
    assert is_left_out(spans, "out_of_memory", T + 8000.0)
    assert not is_left_out(spans, "disk_full", T + 8000.0)


def test_what_came_before_the_failure_itself_is_what_is_learned() -> None:
    leaked = world(opened("api", T + 9000.0), diagnosed("memory_leak", "api"), *tried("api", T + 9010.0))
    assert not is_left_out(left_out(leaked, "api"), "out_of_memory", T + 8000.0)
    assert is_left_out(left_out(leaked, "api"), "out_of_fds", T + 8000.0)


def test_maintenance_is_left_out_while_it_lasts() -> None:
    assert is_left_out(left_out(world(MaintenanceBegan(T + 50.0, "api", T + 90.0)), "api"), "disk_full", T + 60.0)


def test_an_agent_began_anew_with_its_run_with_fixes_and_with_planned_work() -> None:
    planned = WorkPlanned(T + 10.0, "work-1", "api", "restart", T + 20.0, "rss grows")
    told = world(
        planned, WorkDone(T + 20.0, "work-1", "succeeded", "done"), opened("api", T + 9000.0), diagnosed("hung", "api"),
        *tried("api", T + 9010.0),
    )  # fmt: skip
    assert begun_anew(told, "api") == (T, T + 20.0, T + 9000.0)
    assert begun_anew(EMPTY, "nobody") == ()
