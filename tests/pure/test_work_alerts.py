"""Is a person told along with a failure what will be done about it, asked in good time, and told what was not done?"""

from __future__ import annotations

from dataclasses import replace

from selfheal.events import (
    AlertRaised,
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    FailurePredicted,
    WorkDone,
    WorkPlanned,
)
from selfheal.notify.alerts import alerts
from selfheal.world import World, fold
from tests.pure.situations import NOW, after, fleet

FORESEEN = FailurePredicted(NOW, "api", "out_of_memory", "rss", 0.9, 1800.0, 1200.0, 2400.0, 300e6, 400e6, 5e4)
PLANNED = WorkPlanned(
    NOW, "work-1", "api", "restart", NOW + 720.0, "rss grows", "out_of_memory", "memory_leak", 0.9, NOW + 1140.0,
    "least is to be done then", "one instance after the other",
)  # fmt: skip
ASKED = ApprovalAsked(NOW, "work-1", "restart", "api", NOW + 1140.0)


def told(*events: Event) -> World:
    """The world after `events` and the alerts that they are worth."""
    world = fleet()
    for event in events:
        world = fold(world, event)
        world = after(world, *alerts(world, event))
    return world


def raised(world: World, event: Event) -> tuple[AlertRaised, ...]:
    return alerts(fold(world, event), event)


def test_the_message_of_the_failure_says_what_will_be_done_and_when_and_why_then() -> None:
    (alert,) = raised(told(FORESEEN), PLANNED)
    assert (alert.key, alert.title) == ("foreseen-api-out_of_memory", "api will be out of memory in about 30 min")
    assert alert.text.endswith(
        "300 MB of 400 MB. Planned: restart at 08:12:00 UTC, one instance after the other, least is to be done then"
    )


def test_a_new_plan_takes_the_place_of_the_one_before() -> None:
    again = replace(PLANNED, work="work-2", due_at=NOW, how="")
    (alert,) = raised(told(FORESEEN, PLANNED), again)
    assert alert.text.count("Planned: ") == 1
    assert alert.text.endswith("Planned: restart now, least is to be done then")


def test_where_nobody_was_told_of_the_failure_nobody_is_told_of_the_work() -> None:
    assert raised(fleet(), PLANNED) == ()
    assert raised(told(replace(FORESEEN, mode="disk_full")), PLANNED) == ()


def test_a_person_is_asked_with_what_it_is_for_and_the_question_goes_with_the_answer() -> None:
    world = told(FORESEEN, replace(PLANNED, asks=True))
    (asked,) = raised(world, ASKED)
    assert (asked.key, asked.incident, asked.asks, asked.asked_at) == ("work-1", "work-1", "restart", NOW)
    assert asked.title == "may restart be applied to api, before it fails?"
    assert "once a person allows it. 'selfheal approve work-1' or" in asked.text
    asking = after(fold(world, ASKED), asked)
    (answered,) = raised(asking, ApprovalAnswered(NOW + 5, "work-1", True, "ann"))
    assert (answered.key, answered.asks, answered.title) == ("work-1", "", "restart of api was approved by ann")
    (over, prevented) = raised(asking, WorkDone(NOW + 9, "work-1", "succeeded", "api was restarted", "done"))
    assert (over.key, over.resolved, over.title) == ("work-1", True, "restart of api: done")
    assert (prevented.key, prevented.resolved) == ("foreseen-api-out_of_memory", True)


def test_what_was_not_done_is_told_with_the_failure_that_will_come() -> None:
    done = WorkDone(NOW + 9, "work-1", "rejected", "not done in time: healing is paused", "skipped")
    (alert,) = raised(told(FORESEEN, PLANNED), done)
    assert not alert.resolved
    assert alert.text.endswith("Planned was a restart, which was not done: not done in time: healing is paused")
    failed = replace(done, outcome="failed", state="failed", output="it did not start")
    (alert,) = raised(told(FORESEEN, PLANNED), failed)
    assert alert.text.endswith("which did not work: it did not start")


def test_what_was_called_off_is_not_told() -> None:
    called_off = WorkDone(NOW + 9, "work-1", "rejected", "called off: it was restarted since", "called_off")
    assert raised(told(FORESEEN, PLANNED), called_off) == ()
