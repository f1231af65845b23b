"""Which signals of an agent can run out, and what became of those that were expected to?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import pytest

from selfheal.events import (
    AgentDeclared,
    AgentReady,
    AgentStarted,
    Cause,
    Diagnosed,
    Event,
    FailurePredicted,
    IncidentOpened,
    IncidentResolved,
    LimitRaised,
    PredictionEnded,
    Run,
    StopAsked,
)
from selfheal.history.rings import History
from selfheal.modes import MODES, rate_text
from selfheal.predict.exhaustion import forecasts, worth_a_longer_look
from selfheal.predict.maintenance import plan
from selfheal.predict.resources import resources
from selfheal.vocabulary import FAILURE_MODES, FailureMode
from selfheal.world import EMPTY, Agent, World, fold

DAY_S = 86400.0
NOW = 650.0


def _world(*events: Event, limits: tuple[tuple[str, float], ...] = ()) -> World:
    declared = AgentDeclared(
        0.0, "api", "process", "application", (), (), True, memory_limit=400, fds_limit=900, signal_limits=limits
    )
    started = AgentStarted(0.0, "api", Run(7, 1, 0.0, 1, "boot"), "first")
    return reduce(fold, [declared, started, AgentReady(0.1, "api", 1, 0.1), *events], EMPTY)


def _history(signal: str, points: Sequence[tuple[float, float]]) -> History:
    history = History()
    for at, value in points:
        history.append("api", signal, at, value)
    return history


def _rising(limit: float) -> list[tuple[float, float]]:
    """Half of the limit is used up in 650 s, from a quarter of it on."""
    return [(place * 5.0, limit * (0.25 + place / 260)) for place in range(131)]


@pytest.mark.parametrize(
    ("signal", "mode", "limit"),
    [
        ("rss", "out_of_memory", 400.0),
        ("fds", "out_of_fds", 900.0),
        ("disk", "disk_full", 1.0),
        ("disk_inodes", "out_of_inodes", 1.0),
        ("srv.inodes", "out_of_inodes", 1.0),
        ("connections_share", "out_of_connections", 1.0),
        ("primary.connections_share", "out_of_connections", 1.0),
        ("clients_share", "out_of_connections", 1.0),
        ("jobs_queue_length", "queue_full", 1000.0),
        ("sessions", "limit_reached", 50.0),
    ],
)
def test_whatever_has_a_limit_is_foreseen(signal: str, mode: FailureMode, limit: float) -> None:
    world = _world(limits=(("jobs_queue_length", 1000.0), ("sessions", 50.0)))
    (seen,) = forecasts(world, _history(signal, _rising(limit)), NOW)
    assert isinstance(seen, FailurePredicted)
    assert (seen.mode, seen.signal, seen.limit, seen.model) == (mode, signal, limit, "trend")
    assert seen.eta_s == pytest.approx(325.0, rel=0.1)
    assert seen.since <= 100.0
    (said,) = seen.contributions
    assert (said.signal, said.weight) == (signal, 1.0)
    assert MODES[mode].amount(limit) in said.what


def test_what_has_no_limit_cannot_run_out() -> None:
    assert list(resources(Agent("api"), ("rss", "fds", "latency", "http.rss", "sessions"))) == []
    assert forecasts(_world(), _history("sessions", _rising(50.0)), NOW) == ()


def test_only_what_a_restart_prevents_is_planned_for() -> None:
    for mode in FAILURE_MODES:
        seen = FailurePredicted(NOW, "api", mode, "x", 0.95, 900.0, 800.0, 1000.0, 300.0, 400.0, 1.0)
        planned = plan(_world(seen), NOW)
        assert bool(planned) == (mode in ("out_of_memory", "out_of_fds"))


def test_of_two_signals_for_one_failure_the_nearer_one_is_told() -> None:
    history = _history("disk_inodes", [(at, value * 0.7) for at, value in _rising(1.0)])
    for at, value in _rising(1.0):
        history.append("api", "srv.inodes", at, value)
    (seen,) = forecasts(_world(), history, NOW)
    assert isinstance(seen, FailurePredicted)
    assert seen.signal == "srv.inodes"


# --- certificates ----------------------------------------------------------------------------------------------------


def test_a_certificate_expires_when_it_says_and_a_week_before_that_it_is_told() -> None:
    assert forecasts(_world(), _history("tls_expires_in", [(0.0, 8 * DAY_S)]), NOW) == ()
    (seen,) = forecasts(_world(), _history("tls_expires_in", [(0.0, 6 * DAY_S)]), NOW)
    assert isinstance(seen, FailurePredicted)
    assert (seen.mode, seen.probability, seen.horizon_s) == ("certificate_expired", 1.0, 7 * DAY_S)
    assert (seen.eta_low_s, seen.eta_s, seen.eta_high_s) == (6 * DAY_S - NOW,) * 3
    later = _history("tls_expires_in", [(0.0, 6 * DAY_S), (DAY_S, 5 * DAY_S)])
    assert forecasts(_world(seen), later, DAY_S + 10.0) == ()


def test_a_certificate_that_is_renewed_was_kept_from_expiring_and_one_that_was_not_has_expired() -> None:
    (seen,) = forecasts(_world(), _history("tls_expires_in", [(0.0, 6 * DAY_S)]), NOW)
    renewed = _history("tls_expires_in", [(0.0, 6 * DAY_S), (DAY_S, 90 * DAY_S)])
    (end,) = forecasts(_world(seen), renewed, DAY_S)
    assert end == PredictionEnded(DAY_S, "api", "certificate_expired", "averted", "it was renewed")
    expired = _history("tls_expires_in", [(0.0, 6 * DAY_S), (6.1 * DAY_S, -0.1 * DAY_S)])
    (end,) = forecasts(_world(seen), expired, 6.1 * DAY_S)
    assert end == PredictionEnded(6.1 * DAY_S, "api", "certificate_expired", "happened", "it has expired")


# --- what became of it -----------------------------------------------------------------------------------------------


def _full(mode: FailureMode = "disk_full", signal: str = "disk") -> FailurePredicted:
    return FailurePredicted(600.0, "api", mode, signal, 0.9, 900.0, 800.0, 1000.0, 0.8, 1.0, 1e-4)


def test_what_has_reached_its_limit_has_happened() -> None:
    full = _history("disk", [(place * 5.0, min(1.0, 0.5 + place / 200)) for place in range(131)])
    (end,) = forecasts(_world(_full()), full, NOW)
    assert end == PredictionEnded(NOW, "api", "disk_full", "happened", "disk has reached its limit")


def test_what_is_at_its_limit_is_not_foreseen_any_more() -> None:
    full = _history("disk", [(place * 5.0, min(1.0, 0.5 + place / 200)) for place in range(131)])
    assert forecasts(_world(), full, NOW) == ()
    assert forecasts(_world(), _history("tls_expires_in", [(0.0, 100.0)]), NOW) == ()


def test_of_one_that_was_stopped_nobody_knows() -> None:
    told = forecasts(_world(_full(), StopAsked(620.0, "api", "ada")), _history("disk", _rising(1.0)), NOW)
    assert told == (PredictionEnded(NOW, "api", "disk_full", "averted", "it was stopped"),)


def test_an_incident_of_that_cause_has_made_it_true_however_often_the_forecast_moved_since() -> None:
    opened = IncidentOpened(610.0, "inc-1", "api", "exit", "a sign", 610.0)
    diagnosed = Diagnosed(611.0, "inc-1", (Cause("disk_full", 0.9, "api"),))
    moved = replace(_full("out_of_inodes", "disk_inodes"), at=640.0)
    world = _world(replace(moved, at=600.0), opened, diagnosed, moved)
    (end,) = forecasts(world, _history("disk_inodes", _rising(1.0)), NOW)
    assert end == PredictionEnded(NOW, "api", "out_of_inodes", "happened", "inc-1")


def test_a_limit_that_was_raised_has_averted_it() -> None:
    memory = FailurePredicted(600.0, "api", "out_of_memory", "rss", 0.9, 900.0, 800.0, 1000.0, 300.0, 400.0, 0.1)
    raised = LimitRaised(620.0, "api", "memory", 600, 400)
    told = forecasts(_world(memory, raised), _history("rss", _rising(400.0)), NOW)
    assert told[0] == PredictionEnded(NOW, "api", "out_of_memory", "averted", "its limit was raised")


def test_the_latest_incident_of_that_kind_is_named() -> None:
    def incident(number: int, at: float, agent: str) -> list[Event]:
        name = f"inc-{number}"
        return [
            IncidentOpened(at, name, agent, "exit", "a sign", at),
            Diagnosed(at, name, (Cause("memory_leak", 0.9, agent),)),
            IncidentResolved(at + 1.0, name, "well", 1.0),
        ]

    others = AgentDeclared(0.0, "web", "process", "application", (), (), True)
    past = [*incident(1, 10.0, "api"), others, *incident(2, 20.0, "web")]
    (seen,) = forecasts(_world(*past), _history("rss", _rising(400.0)), NOW)
    assert isinstance(seen, FailurePredicted)
    assert seen.case == "inc-1"
    (seen,) = forecasts(_world(*past[3:]), _history("rss", _rising(400.0)), NOW)
    assert isinstance(seen, FailurePredicted)
    assert seen.case == "inc-2"


def test_a_longer_look_is_worth_what_seems_to_run_out_and_nothing_else() -> None:
    def worth(world: World, history: History) -> list[tuple[str, float]]:
        return list(worth_a_longer_look(world.agents["api"], world, history, NOW))

    assert worth(_world(), _history("disk", _rising(1.0))) == [("disk", 0.0)]
    flat = _history("disk", [(place * 5.0, 0.5) for place in range(131)])
    assert worth(_world(), flat) == []
    assert worth(_world(_full()), flat) == [("disk", 0.0)]


@pytest.mark.parametrize("mode", FAILURE_MODES)
def test_every_way_to_fail_has_its_words_and_units(mode: FailureMode) -> None:
    assert MODES[mode].will
    assert MODES[mode].amount(0.5)
    assert MODES[mode].amount(5e9)


def test_a_rate_is_told_in_the_time_in_which_it_reads_best() -> None:
    assert rate_text("out_of_memory", 1e6, 60.0) == "1 MB/s"
    assert rate_text("out_of_memory", 1e5, 3600.0) == "6 MB/min"
    assert rate_text("disk_full", 1e-6, 86400.0) == "0.36 %/h"
