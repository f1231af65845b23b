"""Did it help?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from selfheal.events import (
    AgentRemoved,
    BreakerOpened,
    BreakerTried,
    CheckBroke,
    Event,
    FixEnded,
    FixStarted,
    RestartDelayed,
    Verified,
)
from selfheal.kinds import Observation
from selfheal.verify import SETTLE_S, Waiting, first_good_at, verify
from selfheal.vitals import CheckRecord, Vitals
from selfheal.world import World
from tests.pure.situations import NOW, after, died, failed, fleet, incident, opened, ready, started, vitals

WINDOW_S = 10.0
DONE = NOW + 1.0


def restarted(*more: Event, agent: str = "api") -> World:
    """The agent was restarted by a fix, which ended at DONE, when it was ready again."""
    begun = FixStarted(NOW, "inc-1", 1, "restart", "application", agent, "hung")
    run = started(agent, NOW + 0.5, 2, "fix")
    return after(
        fleet(),
        failed(agent, NOW - 1),
        opened(agent, NOW - 1),
        begun,
        run,
        ready(agent, DONE, 2),
        FixEnded(DONE, "inc-1", 1, "succeeded", ""),
        *more,
    )


def judged(world: World, seen: Vitals, now: float) -> Verified | Waiting:
    return verify(world, seen, incident(world), WINDOW_S, now)


def test_an_agent_that_was_well_for_a_whole_window_was_helped_from_its_first_good_sign_on() -> None:
    world = restarted()
    seen = vitals(world, DONE + 2.0)
    assert judged(world, seen, DONE + 5.0) == Waiting(DONE + 12.0)
    assert isinstance(judged(world, seen, DONE + 11.9), Waiting)
    verdict = judged(world, seen, DONE + 12.0)
    assert verdict == Verified(DONE + 12.0, "inc-1", 1, "succeeded", "well for 10 s", DONE + 2.0)


def test_good_answers_from_before_the_fix_prove_nothing() -> None:
    world = restarted()
    assert isinstance(judged(world, vitals(world, NOW - 5.0), DONE + 15.0), Waiting)


def test_every_check_has_to_be_good_and_the_last_to_turn_counts() -> None:
    world = restarted()
    seen = vitals(world, DONE + 1.0)
    late = Observation("api", "http", DONE + 6.0, 0.1, "ok")
    seen.put("api", CheckRecord("http", True, True, 1, DONE + 6.0, late))
    assert judged(world, seen, DONE + 12.0) == Waiting(DONE + 16.0)
    assert isinstance(judged(world, vitals(world, DONE + 1.0, api="process"), DONE + 12.0), Waiting)


def test_without_checks_being_up_is_being_well() -> None:
    world = restarted()
    agent = replace(world.agents["api"], checks=())
    assert first_good_at(agent, Vitals(), DONE) == DONE
    assert first_good_at(replace(agent, ready=False), Vitals(), DONE) is None


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (failed("api", DONE + 5), "check http: status 500"),
        (died("api", DONE + 5, 2), "the process is not running"),
    ],
)
def test_what_is_not_well_in_good_time_has_failed_and_it_says_why(trouble: Event, reason: str) -> None:
    world = restarted(trouble)
    deadline = DONE + WINDOW_S + SETTLE_S
    assert isinstance(judged(world, vitals(world, DONE, api="http"), deadline), Waiting)
    verdict = judged(world, vitals(world, DONE, api="http"), deadline + 0.1)
    assert verdict == Verified(deadline + 0.1, "inc-1", 1, "failed", reason)


def test_a_check_that_gives_no_answer_at_all_is_no_good_answer_in_time() -> None:
    world = restarted()
    verdict = judged(world, Vitals(), DONE + WINDOW_S + SETTLE_S + 1.0)
    assert isinstance(verdict, Verified)
    assert (verdict.outcome, verdict.reason) == ("failed", "no good answer in time")


def test_while_the_reflex_waits_to_start_it_again_nothing_can_be_told() -> None:
    world = restarted(died("api", DONE + 5, 2), RestartDelayed(DONE + 5, "api", DONE + 60, "crash loop"))
    assert isinstance(judged(world, Vitals(), DONE + 50.0), Waiting)


def test_while_a_dependency_is_down_a_fix_is_not_blamed() -> None:
    world = restarted(failed("api", DONE + 5), failed("cache", DONE + 5), failed("cache", DONE + 5, "process"))
    assert isinstance(judged(world, vitals(world, NOW), DONE + 1000.0), Waiting)


def test_a_breaker_on_trial_closes_on_three_good_answers_not_on_time_alone() -> None:
    trial = (BreakerOpened(NOW - 60, "api", "restart", NOW, ""), BreakerTried(NOW, "api", "restart"))
    world = after(restarted(), *trial)
    answers = {streak: vitals(world, DONE + 1.0) for streak in (2, 3)}
    for streak, seen in answers.items():
        for check in ("http", "process"):
            seen.put("api", structs.replace(seen.check("api", check), streak=streak))
    assert isinstance(judged(world, answers[2], DONE + 500.0), Waiting)
    assert isinstance(judged(world, answers[3], DONE + 500.0), Verified)


def test_an_agent_that_is_gone_was_not_helped() -> None:
    verdict = judged(restarted(AgentRemoved(DONE + 1, "api")), Vitals(), DONE + 2)
    assert isinstance(verdict, Verified)
    assert verdict.outcome == "failed"


def test_a_fix_that_is_still_being_applied_is_not_judged() -> None:
    begun = FixStarted(NOW, "inc-1", 1, "restart", "application", "api", "hung")
    world = after(fleet(), opened("api", NOW), begun)
    assert isinstance(judged(world, vitals(world), NOW + 900.0), Waiting)


@given(st.floats(0, 200), st.floats(-50, 200), st.booleans())
def test_a_verdict_is_never_early_and_waiting_is_always_for_later(
    passed_s: float, good_s: float, failing: bool
) -> None:
    world = restarted(*([failed("api", DONE + 0.5)] if failing else []))
    now = DONE + passed_s
    found = judged(world, vitals(world, DONE + good_s), now)
    if isinstance(found, Waiting):
        assert found.until > now
        return
    if found.outcome == "succeeded":
        assert found.first_good_at is not None
        assert DONE <= found.first_good_at <= now - WINDOW_S
        assert not failing
    else:
        assert passed_s > WINDOW_S + SETTLE_S


def test_a_check_that_cannot_run_is_not_waited_for_unless_all_are_broken() -> None:
    broke = CheckBroke(NOW - 60, "api", "http", "cannot start './nothere'")
    world = restarted(broke)
    assert first_good_at(world.agents["api"], vitals(world, DONE + 2.0, api="http"), DONE) == DONE + 2.0
    world = restarted(broke, replace(broke, check="process"))
    assert first_good_at(world.agents["api"], vitals(world, DONE + 2.0, api="http"), DONE) is None
