"""Is what is expected, or was dismissed, kept back, and nothing else?"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from selfheal.detect.suppression import LOOK_AGAIN_S, SETTLE_S, suppressed
from selfheal.events import (
    AgentStarted,
    AnomalyDismissed,
    AnomalyRestored,
    Event,
    FilesChanged,
    FixEnded,
    FixStarted,
    IncidentOpened,
    MaintenanceBegan,
    MaintenanceOver,
    Run,
    StartAsked,
    WorkDone,
    WorkPlanned,
)
from selfheal.world.dismissals import DAY_S, FACTOR, FORGOTTEN_S, Dismissal, Key, reach_of
from tests.pure.departures import BEGIN, departed, fleet, seen


def why(*happened: Event, agent: str = "api", at: float = 100.0, score: float = 0.6) -> str | None:
    found = suppressed(fleet(*happened), departed(agent, at=at, score=score))
    return found.reason if found is not None else None


def test_nothing_is_kept_back_for_no_reason() -> None:
    assert why() is None
    assert suppressed(fleet(), departed("stranger")) is None


def test_in_maintenance_nothing_is_raised_of_an_agent_nor_of_those_around_it() -> None:
    began = MaintenanceBegan(BEGIN, "api", BEGIN + 3600.0)
    assert why(began) == "maintenance"
    assert why(began, agent="web") == "maintenance"  # which calls it
    assert why(began, agent="db") == "maintenance"  # whose load is another
    assert why(began, agent="mailer") is None
    assert why(began, MaintenanceOver(BEGIN + 50.0, "api")) is None


def run_of(agent: str, at: float) -> AgentStarted:
    return AgentStarted(BEGIN + at, agent, Run(7, 1, BEGIN + at, 3, "boot"), "reflex")


def test_what_comes_of_a_start_is_kept_back_until_the_agent_has_settled() -> None:
    started = run_of("api", 80.0)
    found = suppressed(fleet(started), departed("api", at=100.0))
    assert found is not None
    assert (found.reason, found.until) == ("own_act", BEGIN + 80.0 + SETTLE_S)
    assert found.why == "api was started 10 s before"
    assert why(started, at=80.0 + SETTLE_S) is None
    assert why(started, agent="web") == "own_act"


def test_what_began_before_the_act_has_not_come_of_it() -> None:
    assert why(run_of("api", 99.0)) is None  # it departed at 90
    assert why(run_of("api", 95.0)) == "own_act"  # but for what was measured just before


def test_fixes_planned_work_and_orders_of_a_person_are_acts_and_an_edited_file_is_none() -> None:
    opened = IncidentOpened(BEGIN + 1, "inc-1", "api", "exit", "gone", BEGIN + 1)
    fix = FixStarted(BEGIN + 2, "inc-1", 1, "clear_cache", "application", "api", "crashed")
    assert why(opened, fix) == "own_act"  # it is under way
    assert why(opened, fix, FixEnded(BEGIN + 85.0, "inc-1", 1, "succeeded", ""), at=380.0) == "own_act"
    planned = WorkPlanned(BEGIN, "work-1", "api", "restart", BEGIN, "")
    acts: list[Event] = [replace(fix, incident="work-1"), FixEnded(BEGIN + 85.0, "work-1", 1, "succeeded", "")]
    assert why(planned, *acts) == "own_act"
    assert why(planned, *acts, WorkDone(BEGIN + 95.0, "work-1", "succeeded", "")) == "own_act"
    assert why(planned) is None
    assert why(planned, WorkDone(BEGIN + 85.0, "work-1", "rejected", "called off")) is None  # nothing was done
    assert why(StartAsked(BEGIN + 85.0, "api", "ann")) == "own_act"
    assert why(FilesChanged(BEGIN + 85.0, "api", ("/etc/api.toml",))) is None


def dismissal(score: float = 0.6, at: float = 20.0) -> tuple[Event, ...]:
    return (seen("ano-1", "api", score=score), AnomalyDismissed(BEGIN + at, "ano-1", "ann"))


def test_the_same_again_is_not_raised_and_a_much_larger_one_is() -> None:
    found = suppressed(fleet(*dismissal()), departed("api", at=100.0, score=0.62))
    assert found is not None
    assert (found.reason, found.why, found.until) == (
        "dismissed",
        "ano-1 was dismissed by ann",
        BEGIN + 100.0 + LOOK_AGAIN_S,
    )
    assert why(*dismissal(), score=0.8) is None


def test_a_dismissal_is_about_one_signal_of_one_agent_in_one_direction() -> None:
    world = fleet(*dismissal())
    same = departed("api", at=100.0)
    assert suppressed(world, same) is not None
    for other in (replace(same, agent="web"), replace(same, signal="cpu"), replace(same, value=0.5)):
        assert suppressed(world, other) is None


def test_a_dismissal_fades_within_weeks() -> None:
    same = 0.7
    assert why(*dismissal(same), at=20.0 + DAY_S, score=same) == "dismissed"
    assert why(*dismissal(same), at=20.0 + 30 * DAY_S, score=same) is None


def test_a_dismissal_that_is_taken_back_counts_no_more_also_where_the_anomaly_is_forgotten() -> None:
    back = AnomalyRestored(BEGIN + 30.0, "ano-1", "ann")
    assert why(*dismissal(), back) is None
    many = [seen(f"ano-{number}", "web", f"own_{number}") for number in range(2, 300)]
    assert "ano-1" not in fleet(*dismissal(), *many).anomalies.known
    assert why(*dismissal(), *many) == "dismissed"
    assert why(*dismissal(), *many, back) is None


def test_to_dismiss_the_same_again_begins_its_time_anew_and_never_lowers_the_bar() -> None:
    small = (seen("ano-2", "api", score=0.55, at=30.0), AnomalyDismissed(BEGIN + 40.0, "ano-2", "ann"))
    key: Key = ("api", "latency", "up")
    first = fleet(*dismissal(0.8)).anomalies.dismissals[key]
    again = fleet(*dismissal(0.8), *small).anomalies.dismissals[key]
    now = BEGIN + 40.0
    assert again.anomaly == "ano-2"
    assert again.bar(now) >= first.bar(now) * 0.999
    assert again.bar(now + 7 * DAY_S) > first.bar(now + 7 * DAY_S) * 0.999


@given(st.floats(1.0, 1e6), st.floats(0.0, FORGOTTEN_S * 2), st.floats(0.0, DAY_S * 30))
def test_the_bar_comes_down_steadily_and_never_below_the_alarm_line(reach: float, age: float, more: float) -> None:
    one = Dismissal("ano-1", BEGIN, "ann", reach)
    assert one.bar(BEGIN) == FACTOR * reach
    assert 1.0 <= one.bar(BEGIN + age + more) <= one.bar(BEGIN + age) <= FACTOR * reach
    assert one.bar(BEGIN + FORGOTTEN_S) == 1.0
    assert one.bar(BEGIN - 60.0) == FACTOR * reach  # the clock was set back


def test_a_reach_is_one_at_the_alarm_line() -> None:
    assert reach_of(0.5) == 1.0
    assert reach_of(0.75) == 3.0
    assert reach_of(1.0) == float("inf")
