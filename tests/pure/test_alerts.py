"""Which events wake a person, and how often?"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from selfheal.events import (
    AlertRaised,
    ApprovalAnswered,
    ApprovalAsked,
    CauseLabelled,
    CheckBroke,
    CheckMended,
    Contribution,
    Event,
    FailurePredicted,
    FlappingBegan,
    FlappingOver,
    IncidentEscalated,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    LoopFailed,
    MaintenanceBegan,
    MaintenanceOver,
    PredictionEnded,
    StateDamaged,
    Verified,
    WorkDone,
    WorkPlanned,
)
from selfheal.notify.alerts import alerts
from selfheal.vocabulary import FAILURE_MODES, FailureMode
from selfheal.world import World, fold
from tests.pure.situations import NOW, after, diagnosed, died, failed, fleet, opened, started, tried

OPEN = after(fleet(), opened("api", NOW), diagnosed("hung", "api"))
ESCALATED = IncidentEscalated(NOW, "inc-1", "no fix is left for api")
FORESEEN = FailurePredicted(NOW, "api", "out_of_memory", "rss", 0.9, 1800.0, 1200.0, 2400.0, 300e6, 400e6, 5e4)


def raised(world: World, event: Event) -> tuple[AlertRaised, ...]:
    return alerts(fold(world, event), event)


def told(world: World, *events: Event) -> World:
    """The world after `events` and the alerts that they are worth."""
    for event in events:
        world = fold(world, event)
        world = after(world, *alerts(world, event))
    return world


def test_an_incident_that_needs_a_person_is_told_with_its_cause_sign_and_reason() -> None:
    assert raised(OPEN, ESCALATED) == (
        AlertRaised(
            NOW,
            "inc-1",
            "critical",
            "api needs a person: the process is alive and does not answer",
            "a sign. no fix is left for api",
            "api",
            "inc-1",
            suspects=("hung",),
        ),
    )


def test_a_person_who_has_said_what_it_was_is_not_asked_again() -> None:
    said = CauseLabelled(NOW, "inc-1", "hung", "api", "ada")
    (alert,) = raised(after(OPEN, said), ESCALATED)
    assert alert.suspects == ()


def test_a_cause_of_the_users_own_is_named_as_the_user_named_it() -> None:
    (alert,) = raised(after(OPEN, diagnosed("stale_cache", "api")), ESCALATED)
    assert alert.title == "api needs a person: stale_cache"


@pytest.mark.parametrize(
    "event",
    [
        died("api", NOW),
        failed("api", NOW),
        opened("web", NOW, 2),
        started("api", NOW, 2),
        *tried("api", NOW),
        Verified(NOW, "inc-1", 1, "succeeded", "", NOW),
        IncidentResolved(NOW, "inc-1", "restart helped", 1.0),
        IncidentSuppressed(NOW, "inc-1", "stopped by cli"),
        LoopFailed(NOW, "heal", "ValueError", 0.5),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_heals_by_itself_wakes_nobody(event: Event) -> None:
    assert raised(OPEN, event) == ()


def test_the_end_is_told_to_whom_the_beginning_was_and_once() -> None:
    world = told(OPEN, ESCALATED)
    end = IncidentResolved(NOW + 60, "inc-1", "restart helped", 1.0)
    (alert,) = raised(world, end)
    assert (alert.key, alert.resolved, alert.severity) == ("inc-1", True, "info")
    assert alert.title == "api is well again after 1 s"
    assert raised(told(world, end), end) == ()
    (silenced,) = raised(world, IncidentSuppressed(NOW + 60, "inc-1", "api was stopped by cli"))
    assert silenced.title == "api needs nobody"


def test_a_request_for_approval_says_how_to_answer() -> None:
    (alert,) = raised(OPEN, ApprovalAsked(NOW, "inc-1", "purge", "api", NOW + 3600))
    assert alert.title == "may purge be applied to api?"
    assert "selfheal approve inc-1" in alert.text
    assert "selfheal reject inc-1" in alert.text
    assert alert.asks == "purge"


def test_the_answer_takes_the_place_of_the_question() -> None:
    asked = ApprovalAsked(NOW, "inc-1", "purge", "api", NOW + 3600)
    answered = ApprovalAnswered(NOW + 9, "inc-1", approved=True, by="ann")
    (alert,) = raised(told(OPEN, asked), answered)
    assert (alert.key, alert.title, alert.asks) == ("inc-1", "purge of api was approved by ann", "")
    assert raised(after(OPEN, asked), answered) == (), "nobody was told that it was asked"


def test_our_own_troubles_are_told_too() -> None:
    (loop,) = raised(fleet(), LoopFailed(NOW, "heal", "ValueError: no", 60.0, gave_up=True))
    assert (loop.severity, loop.agent, loop.incident) == ("critical", "selfheal", None)
    assert "heal" in loop.title
    assert "ValueError: no" in loop.text
    (damage,) = raised(fleet(), StateDamaged(NOW, "journal", "torn", "journal.damaged-1", "12 bytes"))
    assert damage.text == "journal: torn; lost: 12 bytes; kept as journal.damaged-1"
    (lost,) = raised(fleet(), StateDamaged(NOW, "journal", "torn", None, "12 bytes"))
    assert lost.text == "journal: torn; lost: 12 bytes"
    (other,) = raised(fleet(), StateDamaged(NOW, "journal", "a flipped bit", None, "12 bytes"))
    assert other.key != lost.key, "one that took the other's place would be all that arrives"


# --- forecasts ---


def test_a_failure_is_foreseen_in_words_and_units_that_people_read() -> None:
    (alert,) = raised(fleet(), FORESEEN)
    assert alert.title == "api will be out of memory in about 30 min"
    assert alert.text == (
        "expected at 2027-01-15 08:30:00 UTC (between 20 min and 40 min), 90 % likely: rss is 300 MB of 400 MB. "
        "Nothing is planned yet"
    )
    (sure,) = raised(fleet(), replace(FORESEEN, probability=0.9999))
    assert "over 99 % likely" in sure.text


@pytest.mark.parametrize("mode", FAILURE_MODES)
def test_every_way_to_fail_has_its_units(mode: FailureMode) -> None:
    (alert,) = raised(fleet(), replace(FORESEEN, mode=mode, eta_s=90.0))
    assert alert.title.endswith("in about 90 s")


def test_a_forecast_that_is_not_likely_wakes_nobody() -> None:
    assert raised(fleet(), replace(FORESEEN, probability=0.69)) == ()


def test_a_forecast_that_moves_is_told_once_and_another_day_again() -> None:
    world = told(fleet(), FORESEEN)
    assert raised(world, replace(FORESEEN, at=NOW + 300, eta_s=1500.0, probability=0.95)) == ()
    assert len(raised(world, replace(FORESEEN, at=NOW + 86_400))) == 1
    assert len(raised(world, replace(FORESEEN, at=NOW + 300, agent="web"))) == 1


def test_a_maintenance_window_is_silent() -> None:
    assert raised(after(fleet(), MaintenanceBegan(NOW, "api", NOW + 600)), FORESEEN) == ()


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        ("averted", "api will not be out of memory: something was done before"),
        ("happened", "api has failed as foreseen: it would be out of memory"),
        ("withdrawn", "api is no longer expected to be out of memory"),
    ],
)
def test_that_a_forecast_is_over_is_told_once(outcome: Literal["averted", "happened", "withdrawn"], title: str) -> None:
    end = PredictionEnded(NOW + 60, "api", "out_of_memory", outcome)
    assert raised(fleet(), end) == ()
    world = told(fleet(), FORESEEN)
    (alert,) = raised(world, end)
    assert (alert.key, alert.resolved, alert.severity, alert.title) == (world.alerts[-1].key, True, "info", title)
    assert raised(told(world, end), end) == ()
    assert raised(world, replace(end, mode="out_of_fds")) == ()


def test_a_restart_in_good_time_ends_the_alert_at_once() -> None:
    done = WorkDone(NOW + 61, "work-1", "succeeded", "api was restarted in good time")
    world = told(fleet(), FORESEEN, replace(FORESEEN, mode="disk_full"), planned())
    (alert,) = raised(world, done)
    assert alert.title == "api will not be out of memory: something was done before"
    assert alert.text == "api was restarted in good time"
    assert raised(told(world, done), PredictionEnded(NOW + 90, "api", "out_of_memory", "averted")) == ()
    (changed,) = raised(world, replace(done, outcome="failed"))
    assert (changed.resolved, "Planned was a restart, which did not work" in changed.text) == (False, True)
    assert raised(world, replace(done, work="work-9")) == ()


def test_what_will_be_done_and_when_is_told_and_another_plan_changes_the_same_message() -> None:
    world = told(fleet(), FORESEEN)
    (changed,) = raised(world, planned())
    assert (changed.key, changed.resolved) == (world.alerts[-1].key, False)
    assert changed.text.endswith("Planned: restart now")
    world = told(world, planned())
    assert raised(world, replace(planned(), work="work-2")) == ()  # it says so already
    assert raised(world, WorkDone(NOW + 61, "work-1", "rejected", "called off: it was restarted since")) == ()
    assert raised(fleet(), planned()) == ()  # nobody was told that anything is foreseen


def test_a_risk_that_falls_a_little_and_rises_again_is_the_same_episode() -> None:
    world = told(fleet(), FORESEEN, replace(FORESEEN, at=NOW + 60, probability=0.5))
    again = replace(FORESEEN, at=NOW + 120, probability=0.95)
    assert raised(world, again) == ()
    episode = fold(world, again).foresight.episodes["api", "out_of_memory"]
    assert (episode.began_at, episode.high_at, episode.high) == (NOW, NOW, True)


def test_who_reads_it_learns_what_is_seen_since_when_and_when_it_came_before() -> None:
    seen = replace(
        FORESEEN,
        mode="disk_full",
        signal="disk",
        since=NOW - 3600,
        case="inc-7",
        contributions=(Contribution("disk", 1.0, "it grows 1 %/min and is 70 % of 100 %"),),
    )
    (alert,) = raised(fleet(), seen)
    assert alert.title == "api will have a full disk in about 30 min"
    assert "disk: it grows 1 %/min and is 70 % of 100 %, since 2027-01-15 07:00:00 UTC" in alert.text
    assert "it came before, in inc-7. Nothing is planned: a restart would not" in alert.text


def test_a_leak_that_is_renewed_again_and_again_is_told_every_ten_minutes_at_most() -> None:
    world = told(fleet(), FORESEEN, planned(), WorkDone(NOW + 61, "work-1", "succeeded", ""))
    assert raised(world, replace(FORESEEN, at=NOW + 61 + 599)) == ()
    assert len(raised(world, replace(FORESEEN, at=NOW + 61 + 600))) == 1


def planned() -> WorkPlanned:
    return WorkPlanned(NOW + 60, "work-1", "api", "restart", NOW + 60, "rss grows", "out_of_memory", "memory_leak")


BROKE = CheckBroke(NOW, "api", "http", "cannot start './nothere': no such file")


def test_a_check_that_cannot_run_is_told_once_and_again_when_it_runs() -> None:
    (alert,) = raised(fleet(), BROKE)
    assert (alert.key, alert.severity, alert.agent, alert.incident) == ("broken-api-http", "warning", "api", None)
    assert "cannot start './nothere'" in alert.text
    mended = CheckMended(NOW + 60, "api", "http")
    assert [one.resolved for one in told(fleet(), BROKE, mended, BROKE).alerts] == [False, True, False]
    assert raised(fleet(), mended) == ()


def test_a_check_that_broke_in_a_maintenance_window_is_told_after_it() -> None:
    world = told(fleet(), MaintenanceBegan(NOW - 60, "api", NOW + 60), BROKE)
    assert world.alerts == ()
    assert [one.key for one in raised(world, MaintenanceOver(NOW + 60, "api"))] == ["broken-api-http"]
    known = told(fleet(), BROKE, MaintenanceBegan(NOW + 1, "api", NOW + 60))
    assert raised(known, MaintenanceOver(NOW + 60, "api")) == ()


FLAPS = FlappingBegan(NOW, "api", "http", 0.42)


def test_ups_and_downs_are_told_once_and_their_end() -> None:
    (alert,) = raised(fleet(), FLAPS)
    assert (alert.key, alert.severity, alert.agent, alert.incident) == ("flapping-api-http", "warning", "api", None)
    assert (alert.title, alert.text) == (
        "api keeps changing between well and failed",
        "its check http changed sides in 42 % of its latest results",
    )
    over = FlappingOver(NOW + 60, "api", "http")
    assert [one.resolved for one in told(fleet(), FLAPS, over).alerts] == [False, True]
    assert raised(fleet(), over) == ()


def test_ups_and_downs_in_maintenance_or_of_what_depends_on_something_in_trouble_are_not_told() -> None:
    assert told(fleet(), MaintenanceBegan(NOW - 60, "api", NOW + 60), FLAPS).alerts == ()
    trouble = IncidentOpened(NOW - 10, "inc-1", "cache", "check", "check http: no answer", NOW - 10)
    child = replace(fleet(), agents={**fleet().agents, "api": replace(fleet().agents["api"], depends_on=("cache",))})
    assert told(child, trouble, FLAPS).alerts == ()


def test_a_fleet_that_cannot_be_seen_is_one_notice_and_one_end() -> None:
    names = tuple(fleet().agents)
    assert len(names) > 1
    lost = [CheckBroke(NOW + number, name, "http", "no route", unsure=True) for number, name in enumerate(names)]
    blind = told(fleet(), *lost)
    assert [(one.key, one.severity, one.resolved) for one in blind.alerts] == [("blind", "critical", False)]
    back = [CheckMended(NOW + 100, name, "http") for name in names]
    assert told(blind, *back[:-1]).alerts == blind.alerts
    assert [(one.key, one.resolved) for one in told(blind, *back).alerts] == [("blind", False), ("blind", True)]
