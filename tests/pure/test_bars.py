"""Which fixes may not be applied, as things are?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.causes import CAUSES, NOT_CURED_BY_RESTART
from selfheal.decide.bars import SURE_ENOUGH, Bar, bars, confidence
from selfheal.decide.matter import Rules
from selfheal.events import BreakerOpened, BreakerTried, Cause, Diagnosed, Event, FixStarted, ModelAnswered, Planned
from selfheal.kinds import Act, Fix, Hands, Target
from selfheal.model.say import moved
from selfheal.recover.data import RESTORE_BACKUP
from selfheal.recover.restart import RESTART
from selfheal.vocabulary import Channel, Mode, Tier
from selfheal.world import World
from tests.pure.situations import NOW, after, died, fleet, incident, opened, tried

RULES = Rules(3, 12, False, 10.0, {})


async def _nothing(hands: Hands, target: Target) -> str:
    return ""


def fix(tier: Tier, *causes: str) -> Fix:
    return Fix("mend", "application", frozenset(causes), 5.0, 0.0, 60.0, (Act("mend", _nothing),), tier=tier)


def sick(*causes: Cause, more: tuple[Event, ...] = ()) -> World:
    return after(fleet(), opened("api", NOW), Diagnosed(NOW, "inc-1", causes), *more)


def barred(world: World, one: Fix, rules: Rules = RULES, now: float = NOW, *, looping: bool = False) -> Bar | None:
    found: Mapping[str, Bar] = bars(world, incident(world), world.agents["api"], (one,), rules, looping, now)
    return found.get(one.name)


def code(world: World, one: Fix, rules: Rules = RULES, now: float = NOW) -> str:
    bar = barred(world, one, rules, now)
    return bar.code if bar is not None else ""


@pytest.mark.parametrize(("tier", "sure", "bar"), [
    (0, 0.05, ""), (1, 0.39, "confidence"), (1, 0.4, ""), (2, 0.69, "confidence"), (2, 0.7, ""),
    (3, 0.84, "confidence"), (3, 0.85, ""),
])  # fmt: skip
def test_the_more_a_fix_may_break_the_surer_its_cause_has_to_be(tier: Tier, sure: float, bar: str) -> None:
    likely = Cause("slow", sure, "api", ("one", "two"), ("check", "log"))
    world = sick(likely, Cause("corrupted", 1.0 - sure, "api", ("x",), ("log",)))
    assert code(world, fix(tier, "slow")) == bar


def test_what_may_break_data_needs_two_signs_or_one_that_cannot_deceive() -> None:
    restore = replace(RESTORE_BACKUP, unfit=lambda world, agent: "")

    def because(*channels: Channel) -> str:
        return code(sick(Cause("corrupted", 0.95, "api", ("x",), channels)), restore)

    assert (because(), because("log"), because("check")) == ("confidence",) * 3
    assert (because("log", "check"), because("data"), because("kernel")) == ("", "", "")


@pytest.mark.parametrize("cause", sorted(CAUSES))
def test_a_restart_is_tried_against_all_that_it_can_cure_and_nothing_else(cause: str) -> None:
    assert code(sick(Cause(cause, 0.9, "api")), RESTART) == ("confidence" if cause in NOT_CURED_BY_RESTART else "")


@pytest.mark.parametrize(("mode", "bar"), [("auto", ""), ("ask", ""), ("suggest", ""), ("off", "mode")])
def test_a_mode_of_off_bars_a_fix_and_a_suggestion_bars_it_once_it_was_made(mode: Mode, bar: str) -> None:
    rules = replace(RULES, mode=lambda agent, fix: mode)
    world = sick(Cause("hung", 0.9, "api"))
    assert code(world, RESTART, rules) == bar
    said = after(world, Planned(NOW, "inc-1", "restart", "api", "", (), shadow=True))
    assert code(said, RESTART, rules) == ("mode" if mode in ("off", "suggest") else "")


def test_a_fix_says_itself_when_it_cannot_be_applied() -> None:
    world = sick(Cause("slow", 0.9, "api"))
    bar = barred(world, replace(fix(1, "slow"), unfit=lambda world, agent: f"{agent.name} has no spare"))
    assert bar == Bar("precondition", "api has no spare")
    assert code(world, replace(fix(1, "disk_full"), only_its_causes=True)) == "precondition"


def test_one_fix_is_applied_so_often_in_the_whole_fleet_and_no_more() -> None:
    often = tuple(
        FixStarted(NOW - 60 * n, "inc-1", n, "restart", "application", "web", "hung") for n in range(20, 0, -1)
    )
    bar = barred(sick(Cause("hung", 0.9, "api"), more=often), RESTART)
    assert bar is not None
    assert (bar.code, bar.until) == ("fix_budget", NOW - 60 * 20 + 3600)
    assert code(sick(Cause("hung", 0.9, "api"), more=often), replace(RESTART, name="reload")) == ""


def test_a_half_open_breaker_lets_exactly_one_trial_through() -> None:
    broken = BreakerOpened(NOW - 60, "api", "restart", NOW - 30, "it did not help")
    world = sick(Cause("hung", 0.9, "api"), more=(broken,))
    assert code(world, RESTART, now=NOW - 31) == "breaker"
    assert code(world, RESTART) == ""
    started, ended = tried("api", NOW)
    on_trial = after(world, BreakerTried(NOW, "api", "restart"), started)
    assert code(on_trial, RESTART) == "breaker"
    assert code(after(on_trial, ended), RESTART) == "breaker", "its end is not judged yet"
    assert code(after(on_trial, tried("api", NOW, outcome="failed")[1]), RESTART) == "breaker", "nor is one in vain"
    assert code(after(on_trial, tried("api", NOW, outcome="interrupted")[1]), RESTART) == "", "what nobody judges"


def test_a_crash_loop_is_the_reflexs_affair_and_another_fix_may_end_it() -> None:
    world = after(sick(Cause("crashed", 0.9, "api")), died("api", NOW))
    bar = barred(world, RESTART, looping=True)
    assert bar is not None
    assert bar.code == "repeated"
    assert barred(world, fix(1, "crashed"), looping=True) is None


@given(
    st.lists(st.tuples(st.sampled_from(sorted(CAUSES)), st.floats(0, 1)), max_size=5),
    st.sampled_from([0, 1, 2, 3]),
    st.sets(st.sampled_from(sorted(CAUSES)), max_size=4),
)
def test_nothing_is_ever_done_on_less_confidence_than_its_tier_asks_for(
    causes: list[tuple[str, float]], tier: Tier, meant: set[str]
) -> None:
    total = sum(share for _, share in causes) or 1.0
    world = sick(*(Cause(slug, share / total, "api") for slug, share in causes))
    one = fix(tier, *meant)
    if barred(world, one) is None:
        assert confidence(incident(world), one) >= SURE_ENOUGH[tier]
        assert tier < 3, "no channel was ever named"


def test_an_agent_that_was_well_for_a_moment_has_not_shortened_the_time_of_its_breaker() -> None:
    broken = BreakerOpened(NOW - 10, "api", "restart", NOW + 20, "it did not help")
    world = sick(Cause("hung", 0.9, "api"), more=(broken, BreakerTried(NOW - 5, "api", "restart")))
    assert code(world, RESTART) == "breaker"
    assert code(world, RESTART, now=NOW + 20) == ""


@given(
    st.lists(st.floats(0.01, 1.0), min_size=2, max_size=4), st.integers(0, 3), st.floats(0.0, 1.0),
    st.sampled_from([0, 1, 2, 3]),
)  # fmt: skip
def test_no_word_of_a_model_frees_a_fix_that_the_engine_is_not_sure_enough_for(
    weights: list[float], place: int, sure: float, tier: Tier
) -> None:
    slugs = ("corrupted", "bad_deploy", "disk_full", "unknown")
    causes = tuple(
        Cause(slug, weight / sum(weights), "api", ("one", "two"), ("check", "log"))
        for slug, weight in zip(slugs, weights, strict=False)
    )
    world = sick(*causes)
    said = ModelAnswered(
        NOW, "inc-1", "anthropic", "m", "ok", "", 1.0, 1, 1, None, "k", "f", causes[0].slug, "api",
        causes=moved(causes, causes[place % len(causes)], sure),
    )  # fmt: skip
    for slug in slugs:
        if code(world, fix(tier, slug)):
            assert code(after(world, said), fix(tier, slug))


def test_whom_a_ranking_blames_bars_no_restart_for_ever_and_makes_nothing_easier_that_may_break_more() -> None:
    vague = Cause("slow", 0.05, "api", ("a sign",), ("check", "log"))
    world = sick(Cause("slow_dependency", 0.95, "cache", ("budget",), ("ranking",)), vague)
    assert code(world, RESTART) == "", "it is waited for by the guard, and then what is seen of itself counts"
    assert code(world, fix(2, "slow")) == "confidence"
    assert code(world, fix(2, "slow_dependency")) == ""


def test_a_ranking_is_no_second_sign() -> None:
    both = Cause("slow_dependency", 0.95, "cache", ("x", "y"), ("log", "ranking"))
    assert code(sick(both), fix(3, "slow_dependency")) == "confidence"
