"""A process has ended: what now?"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.decide.reflex import AT_ONCE, ReflexRules, reflex
from selfheal.plans import Delay, Ending, Finish, Leave, Quarantine, Reflex, Restart
from selfheal.vocabulary import RestartPolicy
from selfheal.world import Agent, Breaker
from selfheal.world.breakers import QUARANTINE_FIRST_S, QUARANTINE_LAST_S

NOW = 1_800_000_000.0
RULES = ReflexRules(attempts_per_hour=12, dry_run=False, paused=False)
API = Agent("api", state="healthy", ready=True)
CRASH = Ending(1, None, 0.5)
ENDINGS = {
    "clean": Ending(0, None, 50.0),
    "failed": Ending(1, None, 50.0),
    "killed": Ending(None, 9, 50.0),
    "unknown": Ending(None, None, 50.0),
}


def decided(agent: Agent = API, ending: Ending = CRASH, rules: ReflexRules = RULES, seed: int = 1) -> Reflex:
    return reflex(agent, ending, "always", rules, NOW, Random(seed))


@pytest.mark.parametrize("how", list(ENDINGS))
@pytest.mark.parametrize(
    ("policy", "restarted"),
    [
        ("always", {"clean", "failed", "killed", "unknown"}),
        ("on-failure", {"failed", "killed", "unknown"}),
        ("never", set()),
    ],
)
def test_the_restart_policy_decides_who_comes_back(policy: RestartPolicy, restarted: set[str], how: str) -> None:
    decision = reflex(API, ENDINGS[how], policy, RULES, NOW, Random(1))
    assert isinstance(decision, Restart) == (how in restarted)
    if how not in restarted:
        assert isinstance(decision, Finish if how == "clean" else Leave)


@pytest.mark.parametrize(("policy", "answer"), [("on-failure", Restart), ("never", Leave)])
def test_a_job_that_took_too_long_is_not_done_whatever_it_says_when_it_is_ended(
    policy: RestartPolicy, answer: type[Reflex]
) -> None:
    late = Agent("migrate", ends=True, start_error="it did not come to its end within 60 s")
    assert isinstance(reflex(late, ENDINGS["clean"], policy, RULES, NOW, Random(1)), answer)
    in_time = replace(late, start_error="")
    assert isinstance(reflex(in_time, ENDINGS["clean"], policy, RULES, NOW, Random(1)), Finish)


def test_the_first_short_runs_are_answered_at_once_and_then_slower_and_slower() -> None:
    for runs in range(AT_ONCE):
        assert decided(replace(API, short_runs=runs)) == Restart("reflex")
    bounds = []
    for runs in range(AT_ONCE, AT_ONCE + 12):
        waits = [_wait(decided(replace(API, short_runs=runs), seed=seed)) for seed in range(200)]
        bounds.append(max(waits))
        assert min(waits) < 0.1 * max(waits), "full jitter reaches down to nothing"
    assert bounds == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 16.0, *[30.0] * 6], rel=0.05)
    assert max(bounds) <= 30.0


def _wait(decision: Reflex) -> float:
    assert isinstance(decision, Delay)
    return decision.due_at - NOW


def test_a_run_that_lasted_ends_the_crash_loop() -> None:
    assert decided(replace(API, short_runs=9), Ending(1, None, 10.0)) == Restart("reflex")


def test_a_spent_budget_opens_the_breaker() -> None:
    tired = replace(API, recent_starts=tuple(NOW - 60.0 * n for n in range(12)))
    decision = decided(tired)
    assert decision == Quarantine(NOW + QUARANTINE_FIRST_S, "12 restarts within an hour did not help")


def test_starts_of_more_than_an_hour_ago_are_forgiven() -> None:
    rested = replace(API, recent_starts=(*(NOW - 3600.0 - n for n in range(20)), *(NOW - 60.0 * n for n in range(11))))
    assert decided(rested) == Restart("reflex")


def test_no_budget_is_no_limit() -> None:
    tired = replace(API, recent_starts=tuple(NOW - n for n in range(64)))
    assert decided(tired, rules=replace(RULES, attempts_per_hour=0)) == Restart("reflex")


def test_a_failed_trial_doubles_the_wait_up_to_a_quarter_of_an_hour() -> None:
    waits = []
    for opened in range(1, 12):
        decision = decided(replace(API, breakers={"restart": Breaker("half_open", opened, NOW, "it did not help")}))
        assert isinstance(decision, Quarantine)
        assert decision.why == "it did not help"
        waits.append(decision.retry_at - NOW)
    assert waits[:5] == [60.0, 120.0, 240.0, 480.0, 900.0]
    assert set(waits[4:]) == {QUARANTINE_LAST_S}


def test_while_the_breaker_is_open_nothing_but_its_trial_starts_it() -> None:
    decision = decided(replace(API, breakers={"restart": Breaker("open", 1, NOW + 17.0, "why")}))
    assert decision == Quarantine(NOW + 17.0, "why")


def test_the_breaker_of_another_fix_does_not_hold_the_reflex() -> None:
    assert decided(replace(API, breakers={"purge": Breaker("open", 1, NOW + 17.0, "why")})) == Restart("reflex")


HELD = {
    "stopped": (replace(API, wanted=False), RULES),
    "dry run": (API, replace(RULES, dry_run=True)),
    "all paused": (API, replace(RULES, paused=True)),
    "agent paused": (replace(API, paused=True), RULES),
    "maintenance": (replace(API, maintenance_until=NOW + 60.0), RULES),
}


@pytest.mark.parametrize("why", list(HELD))
def test_what_holds_the_reflex_holds_it_whatever_the_breaker_says(why: str) -> None:
    agent, rules = HELD[why]
    for breaker in ({}, {"restart": Breaker("half_open", 1, NOW, "")}, {"restart": Breaker("open", 1, NOW, "")}):
        decision = decided(replace(agent, breakers=breaker), rules=rules)
        assert isinstance(decision, Leave)
        assert decision.why


def test_a_clean_end_on_policy_on_failure_is_the_end_even_in_maintenance() -> None:
    agent = replace(API, maintenance_until=NOW + 60.0)
    assert reflex(agent, ENDINGS["clean"], "on-failure", RULES, NOW, Random(1)) == Finish()


AGENTS = st.builds(
    Agent,
    st.just("api"),
    wanted=st.booleans(),
    paused=st.booleans(),
    short_runs=st.integers(0, 100),
    recent_starts=st.lists(st.floats(0, 7200).map(lambda ago: NOW - ago), max_size=64).map(tuple),
    breakers=st.just({})
    | st.builds(
        Breaker,
        st.sampled_from(["open", "half_open"]),
        st.integers(1, 1000),
        st.floats(NOW - 900, NOW + 900),
        st.text(),
    ).map(lambda breaker: {"restart": breaker}),
    maintenance_until=st.none() | st.just(NOW + 60.0),
)
ENDED = st.builds(Ending, st.none() | st.integers(0, 255), st.none() | st.integers(1, 64), st.floats(0, 1e6))
POLICIES: st.SearchStrategy[RestartPolicy] = st.sampled_from(["always", "on-failure", "never"])
ALL_RULES = st.builds(ReflexRules, st.integers(0, 60), st.booleans(), st.booleans())


@given(AGENTS, ENDED, POLICIES, ALL_RULES, st.integers(0, 99))
def test_no_decision_breaks_the_promises(
    agent: Agent, ending: Ending, policy: RestartPolicy, rules: ReflexRules, seed: int
) -> None:
    decision = reflex(agent, ending, policy, rules, NOW, Random(seed))
    assert decision == reflex(agent, ending, policy, rules, NOW, Random(seed))
    spent = sum(at > NOW - 3600.0 for at in agent.recent_starts)
    match decision:
        case Restart() | Delay():
            assert agent.wanted
            assert policy != "never"
            assert not any((rules.dry_run, rules.paused, agent.paused, agent.maintenance_until))
            assert agent.breaker.state == "closed"
            assert not rules.attempts_per_hour or spent < rules.attempts_per_hour
        case Quarantine():
            assert agent.breaker.state != "closed" or spent >= rules.attempts_per_hour > 0
            assert decision.retry_at <= NOW + QUARANTINE_LAST_S
        case Finish():
            assert ending.clean
            assert policy != "always"
        case Leave():
            assert decision.why
    if isinstance(decision, Delay):
        assert NOW <= decision.due_at <= NOW + 30.0
