"""Is nothing learned of times in which an agent was not as it usually is?"""

from __future__ import annotations

from math import inf

from selfheal.events import (
    AgentDeclared,
    AnomalyOver,
    AnomalySeen,
    Event,
    IncidentResolved,
    MaintenanceBegan,
    WorkDone,
    WorkPlanned,
)
from selfheal.ml.quiet import AFTER_S, WARM_UP_S, left_out
from selfheal.ml.rows import Span
from selfheal.world import EMPTY
from tests.pure.situations import after, opened, ready, started

T = 1_800_000_000.0
UP = (AgentDeclared(T, "api", "process", "application", (), ("http",), True), started("api", T, 1), ready("api", T, 1))


def spans(*events: Event, since: float = 0.0) -> tuple[Span, ...]:
    return left_out(after(EMPTY, *UP, *events), "api", since)


def test_a_young_run_warms_up_and_what_is_well_after_that_is_learned() -> None:
    assert spans() == ((T, T + WARM_UP_S),)
    assert spans(since=T + WARM_UP_S + 1.0) == ()
    assert left_out(EMPTY, "nobody", 0.0) == ()


def test_an_incident_is_left_out_until_a_while_after_its_end() -> None:
    world = after(EMPTY, *UP, opened("api", T + 1000.0))
    assert (T + 1000.0, inf) in left_out(world, "api", 0.0)
    world = after(world, IncidentResolved(T + 1100.0, "inc-1", "well again", 100.0))
    assert (T + 1000.0, T + 1100.0 + AFTER_S) in left_out(world, "api", 0.0)


def test_maintenance_is_left_out() -> None:
    assert any(end == inf for _, end in spans(MaintenanceBegan(T + 50.0, "api", T + 90.0)))


def test_what_follows_planned_work_is_left_out() -> None:
    planned = WorkPlanned(T + 10.0, "work-1", "api", "restart", T + 20.0, "rss grows")
    done = WorkDone(T + 20.0, "work-1", "succeeded", "done")
    assert (T + 20.0, T + 20.0 + AFTER_S) in spans(planned, done)


def test_an_anomaly_is_left_out_but_where_a_person_has_dismissed_it() -> None:
    seen = AnomalySeen(T + 500.0, "ano-1", "api", "cpu", 1.0, 0.1, 0.9)
    assert (T + 500.0, inf) in spans(seen)
    assert (T + 500.0, T + 600.0) in spans(seen, AnomalyOver(T + 600.0, "ano-1"))
    assert spans(seen, AnomalyOver(T + 600.0, "ano-1", dismissed=True)) == spans()
