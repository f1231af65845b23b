"""Which fix gets the agent well soonest?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.causes import CAUSES, NOT_CURED_BY_RESTART
from selfheal.decide.bars import Bar, bars
from selfheal.decide.choice import ASKING_S, Belief, Choice, choose, must_ask, prior
from selfheal.decide.matter import REPEAT_S, Rules
from selfheal.events import (
    ActStarted,
    ApprovalAnswered,
    ApprovalAsked,
    BreakerOpened,
    Cause,
    Diagnosed,
    Event,
    FixEnded,
    FixStarted,
    Verified,
)
from selfheal.kinds import Act, Fix, Hands, Target
from selfheal.learn.odds import posterior
from selfheal.recover.restart import RESTART, RESTART_WITH_DEPENDENTS
from selfheal.vocabulary import Policy
from selfheal.world import Odds, World
from tests.pure.situations import NOW, after, diagnosed, fleet, incident, opened, tried


async def _nothing(hands: Hands, target: Target) -> str:
    return ""


def own_fix(name: str, *causes: str, cost_s: float = 10.0, approval: bool = False) -> Fix:
    """A fix as `[fixes.<name>]` makes it."""
    return Fix(
        name,
        "application",
        frozenset(causes),
        cost_s,
        0.0,
        60.0,
        (Act("command", _nothing, repeatable=False),),
        mode="ask" if approval else "auto",
        for_any_cause=True,
    )


PURGE = own_fix("purge", "disk_full", "wrong_answer")
PAGE = own_fix("page_vendor")
BUILT_IN = (RESTART, RESTART_WITH_DEPENDENTS)


def sick(cause: str = "hung", agent: str = "api", *more: Event) -> World:
    return after(fleet(), opened(agent, NOW), diagnosed(cause, agent), *more)


RULES = Rules(3, 12, False, 10.0, {}, acts_per_fix=0)


def chosen(world: World, *fixes: Fix, barred: dict[str, str] | None = None, now: float = NOW) -> Choice:
    """The choice between fixes; `barred` are some that may not be taken besides those that the bars find."""
    one = incident(world)
    agent = world.agents[one.agent]

    def success(agent: str, cause: str, fix: str, mean: float, weight: float) -> Belief:
        return Belief(posterior(world.odds, agent, cause, fix, (mean * weight, (1 - mean) * weight)).mean)

    more = {fix: Bar("policy", why) for fix, why in (barred or {}).items()}
    found = bars(world, one, agent, fixes, RULES, False, now)
    out = {**{name: bar for name, bar in found.items() if bar.code != "concurrency"}, **more}  # the fleet is small
    return choose(world, one, agent, fixes, success, 10.0, out, lambda fix: must_ask(one, fix, fix.mode))


def fix_of(choice: Choice) -> str | None:
    return choice.plan.fix if choice.plan is not None else None


def test_without_experience_the_cheapest_that_is_meant_for_the_cause_is_chosen() -> None:
    choice = chosen(sick("hung"), *BUILT_IN)
    assert choice.plan is not None
    assert (choice.plan.fix, choice.plan.agent, choice.plan.cause, choice.plan.trial) == (
        "restart",
        "api",
        "hung",
        False,
    )
    assert choice.plan.reason == ("it helps in 85% where the cause is most likely hung")
    assert [one.fix for one in choice.plan.alternatives] == ["restart", "restart_with_dependents"]
    assert choice.plan.ladder == "restart"


@pytest.mark.parametrize("cause", sorted({*CAUSES} - NOT_CURED_BY_RESTART))
def test_the_users_own_fix_for_a_cause_is_tried_before_a_restart(cause: str) -> None:
    assert fix_of(chosen(sick(cause), *BUILT_IN, own_fix("mend", cause))) == "mend"


@pytest.mark.parametrize("cause", sorted(NOT_CURED_BY_RESTART))
def test_against_what_no_restart_cures_any_fix_of_the_users_comes_first(cause: str) -> None:
    assert fix_of(chosen(sick(cause), *BUILT_IN, own_fix("mend", cause))) == "mend"
    assert fix_of(chosen(sick(cause), *BUILT_IN, PAGE)) == "page_vendor"
    restart = chosen(sick(cause), RESTART).alternatives[0]
    assert restart.code == "confidence", "to restart what no restart cures only makes noise"
    assert restart.success < 0.2


def test_a_fix_that_must_ask_a_person_first_does_not_outdo_a_restart() -> None:
    assert fix_of(chosen(sick("hung"), *BUILT_IN, own_fix("failover", "hung", approval=True))) == "restart"


def test_a_fix_for_another_cause_is_a_candidate_and_no_more() -> None:
    choice = chosen(sick("hung"), *BUILT_IN, PURGE)
    assert fix_of(choice) == "restart"
    assert "purge" in {one.fix for one in choice.alternatives}


def test_what_was_learned_moves_the_choice() -> None:
    mend = own_fix("mend", "hung")
    world = sick("hung")
    assert fix_of(chosen(world, RESTART, mend)) == "mend"
    learned = {("api", "hung", "mend"): Odds(0, 6), ("api", "hung", "restart"): Odds(6, 0)}
    assert fix_of(chosen(replace(world, odds=learned), RESTART, mend)) == "restart"
    elsewhere = {("api", "crashed", "mend"): Odds(0, 6), ("api", "crashed", "restart"): Odds(6, 0)}
    assert fix_of(chosen(replace(world, odds=elsewhere), RESTART, mend)) == "mend"


def test_what_helped_on_other_agents_counts_too() -> None:
    elsewhere = {("web", "hung", "restart"): Odds(20, 0), ("web", "hung", "mend"): Odds(0, 20)}
    assert fix_of(chosen(replace(sick("hung"), odds=elsewhere), RESTART, own_fix("mend", "hung"))) == "restart"


def against(cause: str, fix: str) -> tuple[Event, Event]:
    """The first attempt of the first incident, made against what was taken for its cause."""
    ended = FixEnded(NOW + 1, "inc-1", 1, "succeeded", "")
    return FixStarted(NOW, "inc-1", 1, fix, "application", "api", cause), ended


def test_what_has_failed_against_a_cause_is_not_repeated_against_it_for_half_an_hour() -> None:
    verdict = Verified(NOW + 9, "inc-1", 1, "failed", "still")
    world = sick("hung", "api", *against("hung", "restart"), verdict)
    assert fix_of(chosen(world, *BUILT_IN, now=NOW + 10)) == "restart_with_dependents"
    nothing = chosen(world, RESTART, now=NOW + 10)
    assert (nothing.plan, nothing.retry_at) == (None, NOW + 9 + REPEAT_S)
    assert nothing.alternatives[0].code == "repeated"
    assert fix_of(chosen(world, RESTART, now=NOW + 9 + REPEAT_S)) == "restart"
    other = after(world, diagnosed("slow", "api"))
    assert fix_of(chosen(other, RESTART, now=NOW + 10)) == "restart", "against another cause it is another question"


def test_only_failures_on_this_agent_and_no_interruptions_are_held_against_a_fix() -> None:
    elsewhere = sick("hung", "api", *tried("cache", NOW, 1), Verified(NOW + 9, "inc-1", 1, "failed", ""))
    assert fix_of(chosen(elsewhere, RESTART, now=NOW + 10)) == "restart"
    assert fix_of(chosen(sick("hung", "api", *tried("api", NOW, outcome="interrupted")), RESTART)) == "restart"


def test_a_failed_fix_says_something_of_the_cause() -> None:
    """What was sure to help and has not: then the cause is another one, and what helps against that comes first."""
    two = (Cause("hung", 0.6, "api"), Cause("slow", 0.4, "api"))
    against_hung, also = own_fix("unhang", "hung"), own_fix("again", "hung")
    world = after(fleet(), opened("api", NOW), Diagnosed(NOW, "inc-1", two))
    assert fix_of(chosen(world, against_hung, own_fix("speed_up", "slow"))) == "unhang"
    failed = after(world, *against("hung", "unhang"), Verified(NOW + 9, "inc-1", 1, "failed", ""))
    failed = after(failed, Diagnosed(NOW + 9, "inc-1", two))
    assert fix_of(chosen(failed, against_hung, also, own_fix("speed_up", "slow"), now=NOW + 10)) == "speed_up"


def test_the_fixed_order_decides_where_it_has_proved_better() -> None:
    world, mend = sick("hung"), replace(own_fix("mend", "hung"), tier=2)
    one = incident(world)

    def success(agent: str, cause: str, fix: str, mean: float, weight: float) -> Belief:
        return Belief(0.9 if fix == "mend" else 0.2)

    def by(policy: Policy) -> str | None:
        api = world.agents["api"]
        return fix_of(choose(world, one, api, (mend, RESTART), success, 10.0, {}, lambda fix: False, policy))

    assert (by("look_ahead"), by("ladder")) == ("mend", "restart")


def test_barred_fixes_come_last_and_say_why() -> None:
    choice = chosen(sick("hung"), *BUILT_IN, barred={"restart": "restart = never"})
    assert fix_of(choice) == "restart_with_dependents"
    assert choice.alternatives[-1].fix == "restart"
    assert choice.alternatives[-1].barred == "restart = never"
    nothing = chosen(sick("hung"), RESTART, barred={"restart": "restart = never"})
    assert (nothing.plan, nothing.retry_at) == (None, None)


def test_restarting_dependents_needs_some() -> None:
    choice = chosen(sick("hung", "web"), RESTART_WITH_DEPENDENTS)
    assert choice.plan is None
    assert choice.alternatives[0].barred == "nothing depends on it"


def test_restarting_dependents_costs_more_the_more_there_are() -> None:
    many = [chosen(sick("hung", name), RESTART_WITH_DEPENDENTS).alternatives[0].expected_s for name in ("cache", "api")]
    assert many[0] > many[1]


def test_an_open_breaker_bars_its_fix_until_its_time_and_then_lets_a_trial_through() -> None:
    world = sick("hung", "api", BreakerOpened(NOW, "api", "restart", NOW + 30.0, "it did not help"))
    early = chosen(world, RESTART)
    assert (early.plan, early.retry_at) == (None, NOW + 30.0)
    assert early.alternatives[0].barred == "its breaker is open: it did not help"
    late = chosen(world, RESTART, now=NOW + 30.0)
    assert late.plan is not None
    assert late.plan.trial
    assert fix_of(chosen(world, *BUILT_IN)) == "restart_with_dependents"


def test_what_a_person_rejected_is_not_proposed_again_in_this_incident() -> None:
    ask = ApprovalAsked(NOW, "inc-1", "purge", "api", NOW + 3600.0)
    world = sick("disk_full", "api", ask, ApprovalAnswered(NOW + 1, "inc-1", False, "ann"))
    choice = chosen(world, PURGE, PAGE, RESTART)
    assert fix_of(choice) == "page_vendor"
    assert {one.fix: one.code for one in choice.alternatives if one.code} == {
        "purge": "rejected", "restart": "confidence",
    }  # fmt: skip
    approved = sick("disk_full", "api", ask, ApprovalAnswered(NOW + 1, "inc-1", True, "ann"))
    assert fix_of(chosen(approved, PURGE, RESTART)) == "purge"


@pytest.mark.parametrize("by", ["ann", "nobody in time"])
def test_what_was_refused_once_stays_refused_whatever_is_tried_and_asked_meanwhile(by: str) -> None:
    ask = ApprovalAsked(NOW, "inc-1", "purge", "api", NOW + 3600.0)
    world = sick("disk_full", "api", ask, ApprovalAnswered(NOW + 1, "inc-1", False, by))
    world = after(world, *tried("api", NOW + 2), Verified(NOW + 9, "inc-1", 1, "failed", "still"))
    other = replace(ask, at=NOW + 10, fix="page_vendor")
    world = after(world, other, ApprovalAnswered(NOW + 11, "inc-1", False, "bob"))
    choice = chosen(world, PURGE, PAGE, RESTART, now=NOW + 12)
    assert choice.plan is None
    barred = {one.fix: one.barred for one in choice.alternatives if one.code == "rejected"}
    assert barred == {"purge": f"rejected by {by}", "page_vendor": "rejected by bob"}


def test_what_may_be_done_at_once_comes_before_what_a_person_must_be_asked_for() -> None:
    asking, at_once = own_fix("a_failover", "hung", approval=True), own_fix("mend", "hung")
    choice = chosen(sick("hung"), asking, at_once)
    assert fix_of(choice) == "mend"
    worth = [one.expected_s for one in choice.alternatives]
    assert worth[1] - worth[0] > 0.8 * ASKING_S


def test_an_approved_fix_waits_for_nobody_any_more() -> None:
    asking, at_once = own_fix("failover", "hung", cost_s=1.0, approval=True), own_fix("mend", "hung")
    ask = ApprovalAsked(NOW, "inc-1", "failover", "api", NOW + 3600.0)
    assert fix_of(chosen(sick("hung", "api", ask), asking, at_once)) == "mend"
    approved = sick("hung", "api", ask, ApprovalAnswered(NOW + 1, "inc-1", True, "ann"))
    assert fix_of(chosen(approved, asking, at_once)) == "failover"


def test_among_equals_it_is_left_to_chance_and_said_how_likely_it_was() -> None:
    """Else nothing would ever be learned of the second one; the draw is the same however often one asks."""
    first, second = own_fix("first", "hung"), own_fix("second", "hung")
    taken: dict[str, int] = {}
    for number in range(1, 40):
        world = after(fleet(), opened("api", NOW, number), diagnosed("hung", "api", NOW, number))
        one = incident(world, number)
        told = [
            choose(world, one, world.agents["api"], fixes, _even, 10.0, {}, lambda fix: False)
            for fixes in ((first, second), (second, first))
        ]
        assert told[0].plan is not None
        assert fix_of(told[0]) == fix_of(told[1])
        assert [one.propensity for one in told[0].alternatives] == pytest.approx([0.5, 0.5])
        taken[told[0].plan.fix] = taken.get(told[0].plan.fix, 0) + 1
    assert min(taken["first"], taken["second"]) > 8


def _even(agent: str, cause: str, fix: str, mean: float, weight: float) -> Belief:
    return Belief(0.5)


def test_a_fix_that_may_not_be_repeated_and_was_interrupted_waits_for_a_person() -> None:
    world = sick("disk_full", "api", *tried("api", NOW, 1, "purge", "interrupted"))
    plan = chosen(world, PURGE).plan
    assert plan is not None
    assert "it was interrupted" in plan.reason
    assert must_ask(incident(world), PURGE, "auto")
    assert not must_ask(incident(sick("disk_full")), PURGE, "auto")
    assert not must_ask(incident(world), RESTART, "auto")


def test_of_several_acts_only_one_that_may_not_be_repeated_makes_an_interrupted_fix_wait() -> None:
    fix = replace(PURGE, acts=(Act("look", _nothing), Act("purge", _nothing, repeatable=False)))
    for act, asks in (("look", False), ("purge", True)):
        started, ended = tried("api", NOW, 1, "purge", "interrupted")
        world = sick("disk_full", "api", started, ActStarted(NOW, "inc-1", 1, act), ended)
        assert must_ask(incident(world), fix, "auto") is asks


def test_a_fix_that_may_be_done_twice_is_done_again_after_an_interruption() -> None:
    assert fix_of(chosen(sick("hung", "api", *tried("api", NOW, outcome="interrupted")), RESTART)) == "restart"


def test_with_no_fix_at_all_there_is_no_plan() -> None:
    assert chosen(sick()) == Choice(None, (), None)


def test_what_is_told_of_a_fix_beforehand_is_what_the_choice_begins_with() -> None:
    assert prior(BUILT_IN, "restart", "hung") == 0.85
    assert prior(BUILT_IN, "restart", "disk_full") == 0.08
    assert prior((*BUILT_IN, own_fix("mend", "hung")), "restart", "hung") == 0.2
    assert prior((), "gone", "hung") == 0.5


def test_each_fix_is_told_with_what_it_takes_by_itself() -> None:
    costs = {one.fix: one.cost_s for one in chosen(sick(), RESTART, PURGE).alternatives}
    assert costs["restart"] == RESTART.cost_s + RESTART.risk_s + RULES.verify_s
    assert costs["purge"] == 10.0 + RULES.verify_s


FIXES = st.lists(st.sampled_from([*BUILT_IN, PURGE, PAGE, own_fix("mend", "hung")]), unique_by=lambda fix: fix.name)
ODDS = st.dictionaries(
    st.tuples(st.sampled_from(["api", "web"]), st.sampled_from(sorted(CAUSES)), st.sampled_from(["restart", "purge"])),
    st.builds(Odds, st.integers(0, 50), st.integers(0, 50)),
    max_size=8,
)


@given(st.sampled_from(sorted(CAUSES)), FIXES, ODDS, st.sets(st.sampled_from(["restart", "purge", "mend"])))
def test_the_choice_is_one_of_the_fixes_never_a_barred_one_and_their_order_does_not_matter(
    cause: str, fixes: list[Fix], odds: dict[tuple[str, str, str], Odds], barred: set[str]
) -> None:
    world = replace(sick(cause), odds=odds)
    choice = chosen(world, *fixes, barred=dict.fromkeys(barred & {fix.name for fix in fixes}, "not now"))
    assert {one.fix for one in choice.alternatives} == {fix.name for fix in fixes}
    assert all(one.expected_s > 0 and 0 < one.success <= 1 for one in choice.alternatives)
    free = {one.fix for one in choice.alternatives if one.code is None}
    assert (choice.plan is None) == (not free)
    assert choice.plan is None or fix_of(choice) in free - barred
    assert sum(one.propensity for one in choice.alternatives) == pytest.approx(1.0 if free else 0.0)
    again = chosen(world, *reversed(fixes), barred=dict.fromkeys(barred & {fix.name for fix in fixes}, "not now"))
    assert fix_of(again) == fix_of(choice)
