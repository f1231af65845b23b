from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from functools import reduce
from itertools import pairwise
from typing import get_type_hints

import pytest
from hypothesis import given

from selfheal.events import (
    EVENT_TYPES,
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentStarted,
    AnomalySeen,
    BreakerOpened,
    Cause,
    CheckBroke,
    Contribution,
    DaemonStarted,
    Diagnosed,
    Event,
    FailurePredicted,
    FixEnded,
    FixStarted,
    HealthChanged,
    IncidentEscalated,
    IncidentJoined,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    Planned,
    PredictionEnded,
    Run,
    StopAsked,
    Verified,
    WorkPlanned,
)
from selfheal.kinds import Observation
from selfheal.learn.strategies import Lessons
from selfheal.serve.times import rfc3339
from selfheal.serve.views import fleet, foresight
from selfheal.serve.views.anomalies import anomalies
from selfheal.serve.views.incidents import fixes, incident_detail, incidents, learned_cases, rates, strategies
from selfheal.serve.views.stream import event_view, is_time
from selfheal.serve.views.traces import trace
from selfheal.vitals import CheckRecord, Vitals
from selfheal.vocabulary import FleetStatus
from selfheal.world import EMPTY, Odds, World, fold
from tests.pure.histories import EVENTS

T0 = 1_767_323_045.0  # 2026-01-02T03:04:05Z


def world(*events: Event) -> World:
    return reduce(fold, events, EMPTY)


def declared(name: str, *depends_on: str) -> AgentDeclared:
    return AgentDeclared(T0, name, "process", "application", depends_on, ("http", "tcp"), True)


def running(name: str, generation: int = 1) -> tuple[Event, ...]:
    run = Run(4710 + generation, generation, T0 + generation, 1, "boot")
    began = AgentStarted(T0 + generation, name, run, "first" if generation == 1 else "reflex")
    return began, AgentReady(T0 + generation, name, generation, 0.1)


def recovery(number: int, took_s: float, outcome: str = "succeeded") -> tuple[Event, ...]:
    name, at = f"i{number}", T0 + 100 * number
    ended = Verified(at + 20, name, 1, "succeeded" if outcome == "succeeded" else "relapsed", "", at + took_s)
    return (
        IncidentOpened(at + 1, name, "api", "exit", "exited with code 1", at),
        Diagnosed(at + 2, name, (Cause("crashed", 0.9, "api"),)),
        Planned(at + 3, name, "restart", "api", "best odds", ()),
        FixStarted(at + 4, name, 1, "restart", "application", "api", "crashed"),
        FixEnded(at + 6, name, 1, "succeeded", "done"),
        ended,
        *((IncidentResolved(at + 20, name, "", took_s),) if outcome == "succeeded" else ()),
    )


def summary_of(seen: World, now: float = T0 + 60) -> dict[str, object]:
    shown = fleet.summary(seen, now, loops={}, scorecard={}, ready=True, trouble=None)
    return shown.model_dump()


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((), "ok"),
        ((declared("api"), *running("api")), "ok"),
        ((declared("api"),), "degraded"),
        ((declared("api"), StopAsked(T0, "api", "a person")), "ok"),
        ((declared("api"), *running("api"), HealthChanged(T0 + 9, "api", "http", False, "failed", "", T0)), "degraded"),
        ((declared("api"), *running("api"), BreakerOpened(T0 + 9, "api", "restart", T0 + 40, "why")), "critical"),
        (
            (
                declared("api"),
                *running("api"),
                IncidentOpened(T0, "i1", "api", "exit", "sign", T0),
                IncidentEscalated(T0, "i1", "nothing helps"),
            ),
            "critical",
        ),
    ],
)
def test_the_status_is_as_bad_as_the_worst_thing(events: tuple[Event, ...], expected: FleetStatus) -> None:
    assert fleet.status(world(*events)) == expected


def test_the_summary_counts_agents_by_state() -> None:
    shown = summary_of(world(DaemonStarted(T0, "0.1.0", 1, False), declared("api"), *running("api"), declared("web")))
    counts = shown["agents"]
    assert isinstance(counts, dict)
    assert (counts["total"], counts["healthy"], counts["by_state"]["starting"]) == (2, 1, 1)
    assert shown["uptime_seconds"] == 60.0
    assert shown["started_at"] == "2026-01-02T03:04:05.000Z"


def test_an_agent_that_waits_for_what_it_depends_on_says_so() -> None:
    base = (declared("base"), StopAsked(T0, "base", "a person"))
    site = AgentDeclared(T0, "site", "service", "application", (), (), False)
    (waiting,) = fleet.agents(world(*base, site, declared("api", "base", "site", "gone")), Vitals(), ["api"])
    assert (waiting.state, waiting.waits_for) == ("starting", ["base"])
    assert waiting.reason == "waits for base, which is stopped"
    both = world(*base, declared("store"), declared("api", "base", "store"))
    (waiting,) = fleet.agents(both, Vitals(), ["api"])
    assert waiting.reason == "waits for base, which is stopped, and for store, which is starting"
    for seen in (
        world(*running("base"), declared("base"), *running("base"), declared("api", "base")),
        world(*base, declared("api", "base"), *running("api")),
        world(*base, declared("api", "base"), StopAsked(T0, "api", "a person")),
    ):
        (other,) = fleet.agents(seen, Vitals(), ["api"])
        assert other.waits_for == []


def test_an_agent_says_who_stopped_or_started_it_last() -> None:
    (nobody,) = fleet.agents(world(declared("api")), Vitals())
    assert (nobody.ordered_by, nobody.ordered_at) == ("", None)
    (stopped,) = fleet.agents(world(declared("api"), StopAsked(T0, "api", "the page")), Vitals())
    assert (stopped.ordered_by, stopped.ordered_at) == ("the page", "2026-01-02T03:04:05.000Z")


def test_what_was_suppressed_is_no_incident_of_the_day() -> None:
    opened = [IncidentOpened(T0, name, "api", "check", "slow", T0) for name in ("i1", "i2")]
    seen = world(declared("api"), *opened, IncidentSuppressed(T0 + 1, "i2", "in maintenance"))
    assert summary_of(seen)["incidents"] == {"open": 1, "last_24h": 1}


def test_an_agent_says_why_it_is_not_well() -> None:
    ended = AgentExited(T0 + 9, "api", 1, 4711, None, 9, 3.2, False)
    (agent,) = fleet.agents(world(declared("api"), *running("api"), ended), Vitals())
    assert (agent.state, agent.reason, agent.pid) == ("unhealthy", "ended by SIGKILL after 3.2 s", None)
    failing = HealthChanged(T0 + 9, "api", "http", False, "timeout", "no answer within 2 s", T0 + 3)
    (agent,) = fleet.agents(world(declared("api"), *running("api"), failing), Vitals())
    assert (agent.state, agent.reason) == ("degraded", "http: no answer within 2 s")
    assert [(check.name, check.ok) for check in agent.checks] == [("http", False), ("tcp", None)]


def test_checks_show_their_latest_run_and_signals_that_no_number_can_say_are_null() -> None:
    vitals = Vitals()
    seen = Observation("api", "http", T0 + 5, 0.02, "ok")
    vitals.put("api", CheckRecord("http", settled=True, ok=True, streak=4, since=T0 + 1, last=seen))
    vitals.put_signals("api", {"cpu": 0.25, "latency": math.inf, "odd": math.nan})
    (agent,) = fleet.agents(world(declared("api"), *running("api")), vitals)
    check = agent.checks[0]
    assert (check.ok, check.result, check.streak, check.last_run) == (True, "ok", 4, "2026-01-02T03:04:10.000Z")
    assert agent.signals == {"cpu": 0.25, "latency": None, "odd": None}
    assert json.loads(agent.model_dump_json())["signals"]["latency"] is None


def test_a_check_that_cannot_run_is_neither_good_nor_bad_and_says_why() -> None:
    broke = CheckBroke(T0 + 5, "api", "http", "cannot start './nothere'")
    records = Vitals()
    for seen in (Vitals(), records):
        (agent,) = fleet.agents(world(declared("api"), *running("api"), broke), seen)
        check = agent.checks[0]
        assert (check.ok, check.result, check.reason) == (None, "error", broke.reason)
        assert (agent.state, agent.reason) == ("degraded", f"check http cannot run: {broke.reason}")
        last = Observation("api", "http", T0 + 5, 0.02, "error", broke.reason)
        records.put("api", CheckRecord("http", True, True, 1, T0 + 4, last))


def test_an_agent_points_to_its_own_incident_before_anothers() -> None:
    seen = world(
        declared("cache"),
        declared("api", "cache"),
        IncidentOpened(T0, "i1", "cache", "check", "sign", T0),
        IncidentJoined(T0, "i1", "api", "it depends on cache"),
        IncidentOpened(T0 + 1, "i2", "api", "exit", "sign", T0),
    )
    assert [agent.incident for agent in fleet.agents(seen, Vitals())] == ["i1", "i2"]
    detail = fleet.agent_detail(seen, Vitals(), "cache", T0 + 2)
    assert detail.dependents == ["api"]
    assert [one.id for one in detail.incidents] == ["i1"]


def test_recovery_is_measured_on_what_a_fix_ended() -> None:
    taken = [0.5, 1.0, 2.0, 40.0]
    events = [event for number, took in enumerate(taken) for event in recovery(number, took)]
    shown = fleet.recovery(world(declared("api"), *events, *recovery(9, 5.0, "relapsed")))
    assert (shown.count, shown.p50_seconds, shown.p95_seconds, shown.success_rate) == (4, 1.0, 40.0, 0.8)


def test_nothing_measured_is_null_and_not_zero() -> None:
    shown = fleet.recovery(EMPTY)
    assert (shown.count, shown.p50_seconds, shown.p95_seconds, shown.success_rate) == (0, None, None, None)


def test_an_incident_is_shown_with_its_story() -> None:
    (incident,) = incidents(world(declared("api"), *recovery(1, 0.9)))
    shown = incident_detail(incident)
    assert (shown.cause, shown.recovery_seconds, shown.state) == ("crashed", 0.9, "resolved")
    assert shown.attempts[0].outcome == "succeeded"
    assert len(shown.story) == len(incident.story)
    assert shown.story[0].offset_s == 1.0


def test_incidents_and_attempts_come_newest_first() -> None:
    seen = world(declared("api"), *recovery(1, 0.9), *recovery(2, 0.9))
    assert [one.id for one in incidents(seen)] == ["i2", "i1"]
    assert [one.incident for one in fixes(incidents(seen))] == ["i2", "i1"]


def test_the_spans_of_a_trace_follow_each_other_without_a_gap() -> None:
    (incident,) = incidents(world(declared("api"), *recovery(1, 0.9)))
    spans = trace(incident).spans
    assert [span.name for span in spans] == ["detect", "diagnose", "decide", "fix", "verify"]
    assert [span.duration_seconds for span in spans] == [1.0, 1.0, 1.0, 2.0, 14.0]
    gapless = [(one.ended_at, other.started_at) for one, other in pairwise(spans) if other.name != "fix"]
    assert all(ended == began for ended, began in gapless)


def test_a_fix_that_runs_is_a_span_without_an_end() -> None:
    (incident,) = incidents(world(declared("api"), *recovery(1, 0.9)[:4]))
    last = trace(incident).spans[-1]
    assert (last.name, last.ended_at, last.duration_seconds) == ("fix", None, None)


def test_strategies_rank_fixes_by_what_is_believed_of_them() -> None:
    odds = {
        ("api", "hung", "restart"): Odds(1, 5),
        ("api", "hung", "purge"): Odds(4, 0),
        ("web", "crashed", "restart"): Odds(1, 0),
    }
    seen = dataclasses.replace(EMPTY, odds=odds)
    first, second = strategies(seen, Lessons(seen))
    assert (first.agent, [one.fix for one in first.fixes]) == ("api", ["purge", "restart"])
    assert (second.agent, second.fixes[0].tried) == ("web", 1)
    assert [(one.fix, one.helped, one.failed) for one in rates(seen, Lessons(seen), limit=1)] == [("restart", 1, 5)]


def test_what_was_learned_since_is_what_was_tried_since() -> None:
    seen = world(declared("api"), *recovery(1, 0.9))
    (case,) = learned_cases(seen)
    assert case == ("api", "crashed")
    assert learned_cases(seen, T0 + 104) == [case]
    assert learned_cases(seen, T0 + 105) == []
    assert strategies(seen, Lessons(seen), ()) == []


def test_signals_since_are_those_of_agents_at_which_was_looked_since() -> None:
    vitals = Vitals()
    vitals.put("api", CheckRecord("http", last=Observation("api", "http", T0 + 5, 0.02, "ok")))
    seen = world(declared("api"), declared("web"))
    assert [one.agent for one in fleet.signals(seen, vitals)] == ["api", "web"]
    assert [one.agent for one in fleet.signals(seen, vitals, T0 + 5)] == ["api"]
    assert fleet.signals(seen, vitals, T0 + 6) == []


def test_what_is_foreseen_is_reckoned_from_now() -> None:
    seen = world(
        FailurePredicted(T0, "api", "out_of_memory", "rss", 0.82, 600, 300, math.inf, 3e8, 4e8, 1e5),
        FailurePredicted(T0, "api", "out_of_fds", "fds", 0.3, 60, 30, 90, 300, 900, 0.1),
        AnomalySeen(T0, "a1", "api", "latency", 2.0, 0.1, 0.97),
    )
    likely, less = foresight.predictions(seen, T0 + 100)
    assert (likely.eta_seconds, likely.eta_low, likely.eta_high, likely.high_risk) == (500, 200, 0, True)
    assert (less.eta_seconds, less.high_risk) == (0, False)
    assert foresight.risks(seen) == {"api": 0.82}
    assert [one.id for one in anomalies(seen, T0 + 100)] == ["a1"]
    shown = summary_of(seen)
    assert shown["predictions"] == {"total": 2, "high_risk": 1, "by": {"trend": 2}, "speakers": {}}
    why = {"its signals were not looked at together yet": len(seen.agents)}
    by = {"forest": 0, "statistics": len(seen.agents)}
    assert shown["anomalies"] == {"open": 1, "last_hour": 1, "by": by, "why": why if seen.agents else {}}


def test_a_prediction_says_by_what_since_when_and_what_is_done_before_it() -> None:
    seen = FailurePredicted(
        T0, "api", "out_of_memory", "rss", 0.8, 600, 300, 900, 3e8, 4e8, 1e5, T0 - 60, "trend", 7200.0,
        (Contribution("rss", 1.0, "it grows"),), "inc-1",
    )  # fmt: skip
    planned = WorkPlanned(T0, "work-1", "api", "restart", T0 + 100, "rss grows", "out_of_memory", "memory_leak")
    (one,) = foresight.predictions(
        world(seen, planned, dataclasses.replace(seen, at=T0 + 50, probability=0.5)), T0 + 60
    )
    assert (one.model, one.since, one.foreseen_since) == ("trend", rfc3339(T0 - 60), rfc3339(T0))
    assert [(part.signal, part.what) for part in one.contributions] == [("rss", "it grows")]
    assert (one.case, one.work, one.work_due_at) == ("inc-1", "work-1", rfc3339(T0 + 100))
    assert one.high_risk  # for as long as it has not fallen well below
    (other,) = foresight.predictions(
        world(dataclasses.replace(seen, mode="disk_full", probability=0.5, case=""), planned), T0
    )
    assert (other.case, other.work, other.work_due_at, other.high_risk) == (None, None, None, False)
    assert (one.work_state, other.work_state) == ("planned", None)


def test_what_became_of_what_was_foreseen_is_shown_newest_first() -> None:
    seen = FailurePredicted(T0, "api", "disk_full", "disk", 0.4, 600, 300, 900, 0.9, 1.0, 1e-4)
    ends = [PredictionEnded(T0 + 9, "api", "disk_full", "averted", "free_disk was done")]
    again = dataclasses.replace(seen, at=T0 + 20, probability=0.9)
    ends.append(PredictionEnded(T0 + 30, "api", "disk_full", "happened", "inc-1"))
    later, first = foresight.ended(world(seen, ends[0], again, ends[1]))
    assert (first.outcome, first.why, first.high_risk_since) == ("averted", "free_disk was done", None)
    assert (later.foreseen_since, later.high_risk_since) == (rfc3339(T0 + 20), rfc3339(T0 + 20))
    assert (later.ended_at, later.outcome) == (rfc3339(T0 + 30), "happened")


def test_the_names_of_events_fields_say_which_of_them_are_times_and_durations() -> None:
    """The stream writes a field as its name says: a new one must keep to that."""
    plain = {"value", "expected", "score", "share", "probability", "success", "slope", "limit", "cost", "confidence"}
    plain |= {"nothing", "loss_before", "loss_after"}
    for name, kind in EVENT_TYPES.items():
        for field, hint in get_type_hints(kind).items():
            if hint in (float, float | None):
                assert is_time(field) or field.endswith("_s") or field in plain, f"{name}.{field}"


@given(EVENTS)
def test_each_event_can_be_shown(event: Event) -> None:
    """One that could not would end the stream of everybody who reads it."""
    assert json.dumps(event_view(7, event), allow_nan=False)


def test_an_event_of_the_stream_has_its_number_its_type_and_times_that_people_read() -> None:
    shown = event_view(7, AgentExited(T0, "api", 1, 4711, 1, None, 9.5, False))
    assert (shown["id"], shown["type"], shown["at"]) == (7, "AgentExited", "2026-01-02T03:04:05.000Z")
    assert (shown["ran_seconds"], shown["signal"]) == (9.5, None)
    run = event_view(8, running("api")[0])["run"]
    assert isinstance(run, Mapping)
    assert run["started_at"] == "2026-01-02T03:04:06.000Z"
