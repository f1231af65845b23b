"""What may be done with a word of a person alone, and what on no account?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.decide.incident import next_step
from selfheal.events import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    FixStarted,
    HealingPaused,
    IncidentJoined,
    Verified,
)
from selfheal.plans import (
    Ask,
    Escalate,
    Hold,
    Judge,
    Plan,
    Rest,
)
from selfheal.recover.restart import RESTART, RESTART_WITH_DEPENDENTS
from selfheal.vitals import Vitals
from tests.pure.histories import histories
from tests.pure.situations import (
    NOW,
    after,
    diagnosed,
    failed,
    fleet,
    opened,
    tried,
    vitals,
)
from tests.pure.steps import BEGAN, OTHER, PURGE, healing, sick, step

# --- approval ---

ASKED = ApprovalAsked(NOW - 60, "inc-1", "purge", "api", NOW + 600)


def test_a_fix_that_needs_approval_is_asked_for_first() -> None:
    ask = step(sick(cause="disk_full"), None, PURGE, RESTART)
    assert isinstance(ask, Ask)
    assert (ask.plan.fix, ask.plan.agent) == ("purge", "api")


def test_while_nobody_has_answered_one_waits_until_the_request_expires() -> None:
    assert step(sick(ASKED, cause="disk_full"), None, PURGE, RESTART) == Rest(NOW + 600)


def test_while_a_person_is_asked_nothing_else_is_given_as_the_reason_to_wait() -> None:
    busy = FixStarted(NOW, "inc-2", 1, "restart", "application", "site", "hung")
    world = sick(ASKED, failed("site", BEGAN), opened("site", BEGAN, 2), busy, cause="disk_full")
    assert isinstance(step(after(world, ApprovalAnswered(NOW, "inc-1", True, "ann")), None, PURGE), Hold)
    assert step(world, None, PURGE, RESTART) == Rest(NOW + 600)
    assert isinstance(step(world, None, OTHER), Rest)
    assert step(sick(ASKED, HealingPaused(NOW, None, "cli"), cause="disk_full"), None, PURGE) == Rest(NOW + 600)


def test_an_approved_fix_is_applied() -> None:
    world = sick(ASKED, ApprovalAnswered(NOW, "inc-1", True, "ann"), cause="disk_full")
    plan = step(world, None, PURGE, RESTART)
    assert isinstance(plan, Plan)
    assert plan.fix == "purge"


def test_an_approval_is_good_for_one_application() -> None:
    world = sick(ASKED, ApprovalAnswered(NOW - 50, "inc-1", True, "ann"), cause="disk_full")
    world = after(world, *tried("api", NOW - 40, 1, "purge"), Verified(NOW, "inc-1", 1, "failed", "still"))
    assert isinstance(step(after(world, diagnosed("corrupted", "api", NOW + 1)), None, PURGE), Ask)


@pytest.mark.parametrize("by", ["ann", "nobody in time"])
def test_after_a_no_or_none_the_next_best_is_done(by: str) -> None:
    world = sick(ASKED, ApprovalAnswered(NOW, "inc-1", False, by), cause="disk_full")
    plan = step(world, None, PURGE, OTHER)
    assert isinstance(plan, Plan)
    assert plan.fix == "other"
    assert f"rejected by {by}" in {one.barred for one in plan.alternatives}


def test_the_first_answer_is_final() -> None:
    no, yes = ApprovalAnswered(NOW, "inc-1", False, "ann"), ApprovalAnswered(NOW + 1, "inc-1", True, "bob")
    assert isinstance(step(sick(ASKED, no, yes, cause="disk_full"), None, PURGE), Escalate)


def test_an_answer_about_one_agent_says_nothing_about_another() -> None:
    """The agent that was asked about is well by now; it is another one that still suffers."""
    joined = IncidentJoined(BEGAN, "inc-1", "api", "")
    world = after(fleet(), opened("cache", BEGAN), diagnosed("disk_full", "cache"), joined, failed("api", BEGAN))
    world = after(world, replace(ASKED, agent="cache"))
    for approved in (True, False):
        ask = step(after(world, ApprovalAnswered(NOW, "inc-1", approved, "ann")), None, PURGE)
        assert isinstance(ask, Ask)
        assert ask.plan.agent == "api"


# --- whatever happened ---


@settings(max_examples=80)
@given(histories(), st.floats(-1e4, 1e5), st.booleans())
def test_whatever_happened_nothing_acts_on_whom_it_must_not(history: list[Event], later: float, asked: bool) -> None:
    world = after(fleet(), *history)
    now = world.at + later
    seen = vitals(world, now) if asked else Vitals()
    for one in world.incidents.values():
        taken = next_step(world, seen, one, healing(RESTART, RESTART_WITH_DEPENDENTS, PURGE), now)
        assert taken == next_step(world, seen, one, healing(RESTART, RESTART_WITH_DEPENDENTS, PURGE), now)
        plan = taken.plan if isinstance(taken, Ask) else taken
        if isinstance(plan, Plan):
            agent = world.agents[plan.agent]
            assert plan.agent in one.agents
            assert agent.wanted
            assert not any((agent.finished, agent.paused, agent.fixing, world.paused))
            assert agent.maintenance_until is None
            assert not one.over
            breaker = agent.breakers.get(plan.fix)
            assert breaker is None or breaker.state != "open" or (plan.trial and now >= breaker.retry_at)
            assert isinstance(taken, Ask) or plan.fix != "purge" or (one.approval is not None and one.approval.approved)
        if isinstance(taken, Escalate):
            assert one.state != "escalated"
        if isinstance(taken, Judge):
            assert one.attempt is not None
            assert not one.attempt.verified
