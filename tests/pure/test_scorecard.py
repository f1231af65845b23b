from __future__ import annotations

from dataclasses import astuple, fields
from functools import reduce

import pytest

from selfheal.events import (
    AgentDeclared,
    AgentExited,
    AgentReady,
    AgentStarted,
    AnomalySeen,
    Cause,
    CauseLabelled,
    Diagnosed,
    Event,
    FailurePredicted,
    IncidentMerged,
    IncidentOpened,
    IncidentResolved,
    PredictionEnded,
    Run,
)
from selfheal.learn.scorecard import Figure, Scorecard, scorecard
from selfheal.vocabulary import PredictionOutcome
from selfheal.world import EMPTY, fold


def _up(*names: str) -> list[Event]:
    return [
        event
        for name in names
        for event in (
            AgentDeclared(1.0, name, "process", "application", (), (), True),
            AgentStarted(1.0, name, Run(7, 1, 1.0, 1, "boot"), "first"),
            AgentReady(1.0, name, 1, 0.0),
        )
    ]


def _incident(number: int, onset: float, recovery_s: float | None, cause: str = "crashed") -> list[Event]:
    name = f"inc-{number}"
    story: list[Event] = [
        IncidentOpened(onset + 0.1, name, "api", "exit", "exited", onset),
        Diagnosed(onset + 0.2, name, (Cause(cause, 0.9, "api"),)),
    ]
    if recovery_s is not None:
        story.append(IncidentResolved(onset + recovery_s + 10.0, name, "well", recovery_s))
    return story


def _predicted(at: float, outcome: str) -> list[Event]:
    foreseen = FailurePredicted(at, "api", "out_of_memory", "rss", 0.9, 60, 50, 70, 1.0, 2.0, 0.1)
    match outcome:
        case "happened" | "averted" | "withdrawn":
            return [foreseen, PredictionEnded(at + 1.0, "api", "out_of_memory", outcome)]
        case _:
            return [foreseen]


def _score(events: list[Event], now: float) -> Scorecard:
    return scorecard(reduce(fold, events, EMPTY), now)


def test_without_samples_no_figure_has_a_value() -> None:
    empty = scorecard(EMPTY, 1000.0)
    assert all(getattr(empty, one.name) == Figure() for one in fields(empty))
    assert set(astuple(empty)) == {(None, 0, None)}


def test_recovery_times_have_percentiles_and_an_interval_only_where_the_samples_allow_one() -> None:
    few = _score([event for n in range(5) for event in _incident(n, n * 100.0, n + 1.0)], 1000.0)
    assert (few.recovery_p50_seconds.value, few.recovery_p50_seconds.count) == (3.0, 5)
    assert (few.recovery_p95_seconds.value, few.recovery_p95_seconds.interval) == (5.0, None)
    many = _score([event for n in range(200) for event in _incident(n, n * 100.0, n + 1.0)], 1e5)
    assert many.recovery_p95_seconds.value == 190.0
    interval = many.recovery_p95_seconds.interval
    assert interval is not None
    assert interval[0] < 190.0 < interval[1]


def test_the_share_within_a_minute_counts_what_is_still_open_too_long() -> None:
    events = [*_incident(1, 0.0, 5.0), *_incident(2, 100.0, 75.0), *_incident(3, 300.0, None)]
    fresh = _score(events, 330.0).recovered_within_60_seconds
    assert (fresh.value, fresh.count) == (0.5, 2)
    late = _score(events, 400.0).recovered_within_60_seconds
    assert late.value == pytest.approx(1 / 3)
    assert late.count == 3
    assert late.interval is not None
    assert late.interval[0] < 1 / 3 < late.interval[1]


def test_uptime_counts_to_now_and_only_the_time_that_is_wanted() -> None:
    died = AgentExited(91.0, "api", 1, 7, 1, None, 90.0, expected=False)
    uptime = _score([*_up("api"), died], 101.0).uptime
    assert uptime.value == pytest.approx(0.9)
    assert (uptime.count, uptime.interval) == (100, None)


def test_predictions_that_were_averted_count_neither_for_nor_against() -> None:
    told = [
        *_predicted(1.0, "happened"),
        *_predicted(2.0, "averted"),
        *_predicted(3.0, "withdrawn"),
        *_predicted(4.0, ""),
    ]
    early, late = _score(told, 10.0), _score(told, 3.0 + 7200.0)
    assert (early.precision.value, early.precision.count) == (1.0, 1)  # it may come yet
    assert (late.precision.value, late.precision.count) == (0.5, 2)


def test_recall_counts_the_failures_that_announce_themselves_and_failures_counts_all() -> None:
    events = [
        *_predicted(1.0, "happened"),
        *_incident(1, 10.0, 1.0, "out_of_memory"),
        *_incident(2, 100.0, 1.0, "out_of_memory"),
        *_incident(3, 200.0, 1.0, "killed"),
    ]
    seen = _score(events, 300.0)
    assert (seen.event_recall.value, seen.event_recall.count) == (0.5, 2)
    assert (seen.failures.value, seen.failures.count) == (3.0, 3)


def _episode(at: float, until: float, outcome: PredictionOutcome, probability: float = 0.9) -> list[Event]:
    seen = FailurePredicted(at, "api", "out_of_memory", "rss", probability, 3600, 3000, 4200, 1.0, 2.0, 0.1)
    return [seen, PredictionEnded(until, "api", "out_of_memory", outcome)]


def test_what_was_foreseen_counts_from_when_the_risk_was_high_and_with_its_lead() -> None:
    foreseen = [*_episode(1000.0, 4610.0, "happened"), *_incident(1, 4600.0, 1.0, "memory_leak")]
    late = [*_episode(9500.0, 10010.0, "happened"), *_incident(2, 10000.0, 1.0, "out_of_memory")]
    unlikely = [*_episode(20000.0, 23010.0, "happened", 0.4), *_incident(3, 23000.0, 1.0, "out_of_memory")]
    seen = _score([*_up("api"), *foreseen, *late, *unlikely, *_incident(4, 30000.0, 1.0, "killed")], 40000.0)
    assert seen.event_recall.value == pytest.approx(2 / 3)
    assert seen.foreseen_in_time.value == pytest.approx(1 / 3)
    assert seen.event_recall.count == seen.foreseen_in_time.count == 3
    assert (seen.lead_p50_seconds.value, seen.lead_p50_seconds.count) == (500.0, 2)
    assert (seen.failures_without_precursor.value, seen.failures_without_precursor.count) == (1.0, 4)


def test_a_full_disk_that_was_foreseen_by_its_inodes_was_foreseen() -> None:
    seen = FailurePredicted(1000.0, "api", "out_of_inodes", "disk_inodes", 0.9, 3600, 3000, 4200, 0.9, 1.0, 0.1)
    ended = PredictionEnded(4610.0, "api", "out_of_inodes", "happened")
    card = _score([*_up("api"), seen, ended, *_incident(1, 4600.0, 1.0, "disk_full")], 5000.0)
    assert (card.event_recall.value, card.event_recall.count) == (1.0, 1)


def test_a_check_that_warns_of_a_certificate_is_no_failure_that_should_have_been_foreseen() -> None:
    seen = _score(_incident(1, 100.0, 1.0, "tls_expired"), 200.0)
    assert (seen.event_recall.count, seen.failures_without_precursor.value) == (0, 0.0)


def test_one_that_came_after_it_was_withdrawn_but_in_its_time_was_right() -> None:
    story = [*_episode(1000.0, 2000.0, "withdrawn"), *_incident(1, 5000.0, 1.0, "out_of_memory")]
    assert _score(story, 5010.0).precision.value == 1.0
    assert _score(_episode(1000.0, 2000.0, "withdrawn"), 9000.0).precision.value == 0.0


def test_accuracy_stands_beside_what_never_alarming_would_score() -> None:
    """Of 400 windows, 24 before the one failure: an alarm stood in 12 of them, and in 10 others for nothing."""
    right = [*_episode(63600.0, 67210.0, "happened"), *_incident(1, 67200.0, 1.0, "out_of_memory")]
    wrong = _episode(10000.0, 13000.0, "withdrawn")
    seen = _score([*_up("api"), *wrong, *right], 120_001.0)
    assert seen.accuracy.count == seen.accuracy_of_no_alarms.count == 400
    assert seen.accuracy_of_no_alarms.value == pytest.approx(1 - 24 / 400)
    assert seen.accuracy.value == pytest.approx(1 - (10 + 12) / 400)
    assert seen.false_positive_rate.value == pytest.approx(10 / 400)


def test_what_was_averted_is_in_no_class() -> None:
    seen = _score([*_up("api"), *_episode(3000.0, 6000.0, "averted")], 30_001.0)
    assert (seen.precision.count, seen.accuracy.count, seen.accuracy.value) == (0, 90, 1.0)


def test_a_merged_incident_is_no_failure_of_its_own() -> None:
    events = [*_incident(1, 0.0, 1.0), *_incident(2, 0.0, None), IncidentMerged(5.0, "inc-2", "inc-1", "same")]
    assert _score(events, 10.0).failures.count == 1


def test_an_alarm_of_a_healthy_agent_is_false_unless_trouble_followed() -> None:
    quiet = AnomalySeen(600.0, "ano-1", "web", "rss", 2.0, 1.0, 0.7)
    followed = AnomalySeen(700.0, "ano-2", "api", "rss", 2.0, 1.0, 0.7)
    fresh = AnomalySeen(5000.0, "ano-3", "web", "rss", 2.0, 1.0, 0.7)
    seen = _score([*_up("api", "web"), quiet, followed, *_incident(1, 900.0, 2.0), fresh], 6001.0)
    assert seen.false_positive_rate.count == 40  # two agents, 6000 s, windows of 300 s
    assert seen.false_positive_rate.value == pytest.approx(1 / 40)


def test_a_root_cause_is_right_where_somebody_says_so_and_the_latest_word_counts() -> None:
    def labelled(number: int, probability: float, *truths: tuple[str, str]) -> list[Event]:
        cause, name = Cause("hung", probability, "api", ()), f"inc-{number}"
        words = [CauseLabelled(9.0, name, truth, agent, "ada") for truth, agent in truths]
        return [*_incident(number, 0.0, 1.0), Diagnosed(1.0, name, (cause,)), *words]

    events = [
        *labelled(1, 0.9, ("", "api"), ("hung", "api")),
        *labelled(2, 0.9, ("hung", "db")),
        *labelled(3, 0.5, ("slow", "api")),
        *labelled(4, 0.9),
    ]
    card = _score(events, 10.0)
    assert card.rca_accuracy.value == pytest.approx(1 / 3)
    assert card.rca_accuracy.count == 3
    assert (card.rca_accuracy_when_sure.value, card.rca_accuracy_when_sure.count) == (0.5, 2)


def test_no_root_cause_is_called_right_before_somebody_labelled_one() -> None:
    assert _score(_incident(1, 0.0, 1.0), 10.0).rca_accuracy == Figure()
