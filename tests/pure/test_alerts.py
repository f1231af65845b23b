"""Which events wake a person, and how often?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from selfheal.events import (
    AlertRaised,
    ApprovalAsked,
    Event,
    FailurePredicted,
    IncidentEscalated,
    IncidentResolved,
    IncidentSuppressed,
    LoopFailed,
    MaintenanceBegan,
    StateDamaged,
    Verified,
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
        ),
    )


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
    assert (alert.key, alert.resolved, alert.severity, alert.title) == ("inc-1", True, "info", "api is well again")
    assert raised(told(world, end), end) == ()
    (silenced,) = raised(world, IncidentSuppressed(NOW + 60, "inc-1", "api was stopped by cli"))
    assert silenced.title == "api needs nobody"


def test_a_request_for_approval_says_how_to_answer() -> None:
    (alert,) = raised(OPEN, ApprovalAsked(NOW, "inc-1", "purge", "api", NOW + 3600))
    assert alert.title == "may purge be applied to api?"
    assert "selfheal approve inc-1" in alert.text
    assert "selfheal reject inc-1" in alert.text


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
    assert alert.text == "rss is 300 MB of 400 MB; 90 % likely"
    (sure,) = raised(fleet(), replace(FORESEEN, probability=0.998))
    assert sure.text.endswith("; over 99 % likely")


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
