"""Which fix first, when each one that fails leaves less hope and tells something of the cause?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.decide.lookahead import NEAR_S, NEAR_SHARE, Option, Worth, rank, updated

PAGING_S = 1800.0
CAUSES = ("crashed", "hung", "slow")

_SHARE = st.floats(0.0, 1.0)
_BELIEF = st.fixed_dictionaries({cause: st.floats(0.01, 1.0) for cause in CAUSES})
_DRAW = st.floats(0.0, 1.0, exclude_max=True)


def option_lists(least: int = 1, most: int = 5) -> st.SearchStrategy[list[Option]]:
    one = st.tuples(st.floats(1.0, 120.0), st.fixed_dictionaries(dict.fromkeys(CAUSES, _SHARE)))
    many = st.lists(one, min_size=least, max_size=most)
    return many.map(lambda found: [Option(f"fix_{at}", *each) for at, each in enumerate(found)])


def expected_s(plan: tuple[Option, ...], belief: Mapping[str, float]) -> float:
    """What a plan costs, by the definition: the belief is normal after each failure, and a page ends it."""
    if not plan:
        return PAGING_S
    first = plan[0]
    total = sum(belief.values())
    fails = sum(share / total * (1 - first.helps.get(cause, 0.0)) for cause, share in belief.items())
    if fails <= 0.0:
        return first.cost_s
    after = {cause: share / total * (1 - first.helps.get(cause, 0.0)) / fails for cause, share in belief.items()}
    return first.cost_s + fails * expected_s(plan[1:], after)


def ranked(
    options: list[Option], belief: Mapping[str, float], tries: int = 3, draw: float = 0.0, paging_s: float = PAGING_S
) -> tuple[Worth, ...]:
    return rank(options, belief, tries=tries, paging_s=paging_s, draw=draw)


@given(option_lists(), _BELIEF, st.integers(1, 4))
def test_the_value_of_each_fix_is_that_of_the_best_plan_that_begins_with_it(
    options: list[Option], belief: dict[str, float], tries: int
) -> None:
    plans = [plan for size in range(1, tries + 1) for plan in permutations(options, min(size, len(options)))]
    for one in ranked(options, belief, tries):
        best = min(expected_s(plan, belief) for plan in plans if plan[0].fix == one.fix)
        assert one.value_s == pytest.approx(best, rel=1e-9)


@given(option_lists(0, 14), _BELIEF, st.integers(0, 6), _DRAW)
def test_every_fix_is_ranked_once_and_those_after_the_first_by_their_worth(
    options: list[Option], belief: dict[str, float], tries: int, draw: float
) -> None:
    found = ranked(options, belief, tries, draw)
    assert sorted(one.fix for one in found) == sorted(one.fix for one in options)
    assert [one.value_s for one in found[1:]] == sorted(one.value_s for one in found[1:])


@given(option_lists(10, 14), _BELIEF, st.integers(4, 6))
def test_with_too_many_fixes_for_an_exact_answer_no_value_is_better_than_there_is_a_plan_for(
    options: list[Option], belief: dict[str, float], tries: int
) -> None:
    found = ranked(options, belief, tries)
    alone = {one.fix: expected_s((one,), belief) for one in options}
    assert all(one.value_s <= alone[one.fix] * (1 + 1e-9) for one in found)


@given(option_lists(1, 12), _BELIEF, st.integers(1, 5), _DRAW)
def test_the_order_of_the_options_does_not_matter(
    options: list[Option], belief: dict[str, float], tries: int, draw: float
) -> None:
    turned = options[::-1]
    assert ranked(turned, dict(reversed(belief.items())), tries, draw) == ranked(options, belief, tries, draw)


@given(option_lists(1, 12), _BELIEF, st.integers(1, 5), _DRAW)
def test_propensities_are_a_distribution_over_near_ties_and_the_first_has_one(
    options: list[Option], belief: dict[str, float], tries: int, draw: float
) -> None:
    found = ranked(options, belief, tries, draw)
    assert sum(one.propensity for one in found) == pytest.approx(1.0)
    assert found[0].propensity > 0.0
    drawn = [one.value_s for one in found if one.propensity > 0.0]
    assert max(drawn) <= min(drawn) + max(NEAR_S, NEAR_SHARE * min(drawn)) + 1e-6


@given(option_lists(2, 6), _BELIEF, st.integers(1, 4))
def test_draws_put_each_fix_first_as_often_as_its_propensity_says(
    options: list[Option], belief: dict[str, float], tries: int
) -> None:
    firsts = [ranked(options, belief, tries, (at + 0.5) / 200)[0] for at in range(200)]
    for one in ranked(options, belief, tries):
        often = sum(first.fix == one.fix for first in firsts) / 200
        assert often == pytest.approx(one.propensity, abs=0.006)


@given(option_lists(1, 7), _BELIEF, st.integers(1, 4), _DRAW, st.floats(0.0, 1.0), st.floats(0.0, 20.0))
def test_what_another_fix_outdoes_in_every_respect_never_comes_first(
    options: list[Option], belief: dict[str, float], tries: int, draw: float, share: float, dearer_s: float
) -> None:
    model = options[0]
    worse = {cause: helps * share * 0.99 for cause, helps in model.helps.items()}
    dominated = Option("dominated", model.cost_s + dearer_s + 0.01, worse)
    assert ranked([*options, dominated], belief, tries, draw)[0].fix != "dominated"


def test_a_clear_winner_is_certain_and_near_ties_are_drawn_by_their_values() -> None:
    clear = ranked([Option("mend", 10.0, {"hung": 0.9}), Option("pray", 10.0, {"hung": 0.1})], {"hung": 1.0}, 1)
    assert [(one.fix, one.propensity) for one in clear] == [("mend", 1.0), ("pray", 0.0)]
    near = [Option("mend", 20.0, {"hung": 0.9}), Option("restart", 16.0, {"hung": 0.898})]
    shares = {one.fix: one.propensity for one in ranked(near, {"hung": 1.0}, 1)}
    assert shares["restart"] == pytest.approx(0.599, abs=0.001)  # 199.6 s and 200.0 s
    assert {ranked(near, {"hung": 1.0}, 1, draw)[0].fix for draw in (0.0, 0.99)} == {"mend", "restart"}


def test_where_tries_are_few_a_cheap_fix_that_is_as_good_as_hopeless_is_passed_over() -> None:
    # Success per second takes the cheap one: 2 s / 0.1 is less than 30 s / 0.9.
    options = [Option("cheap", 2.0, {"hung": 0.1}), Option("sure", 30.0, {"hung": 0.9})]
    assert ranked(options, {"hung": 1.0}, 1)[0].fix == "sure"
    assert ranked(options, {"hung": 1.0}, 2)[0].fix == "cheap"


def test_what_helps_against_both_causes_is_followed_by_what_is_left_to_believe() -> None:
    options = [Option("restart", 10.0, {"crashed": 0.9, "hung": 0.1}), Option("kill", 10.0, {"hung": 0.9})]
    belief = {"crashed": 0.6, "hung": 0.4}
    assert ranked(options, belief)[0].fix == "restart"
    after = updated(belief, [options[0].helps])
    assert after["hung"] == pytest.approx(0.36 / 0.42)


def test_where_nothing_is_worth_its_time_every_value_is_that_of_a_page_or_more() -> None:
    options = [Option("pray", 100.0, {"hung": 0.01}), Option("beg", 50.0, {"hung": 0.02})]
    found = ranked(options, {"hung": 1.0})
    assert min(one.value_s for one in found) > PAGING_S
    # A page comes as soon as the rest is hopeless, not after it.
    good = ranked([*options, Option("mend", 10.0, {"hung": 0.5})], {"hung": 1.0})
    assert good[0].value_s == pytest.approx(10 + 0.5 * PAGING_S)
    assert ranked([Option("mend", 10.0, {"hung": 0.9})], {"hung": 1.0}, tries=0)[0].value_s == PAGING_S + 10


def test_without_a_belief_every_cause_is_as_likely_and_without_options_there_is_no_answer() -> None:
    options = [Option("mend", 10.0, {"hung": 0.8, "crashed": 0.4})]
    assert ranked(options, {"hung": 0.0, "crashed": 0.0})[0].helps == pytest.approx(0.6)
    assert (ranked(options, {})[0].helps, ranked(options, {})[0].value_s) == (0.0, 10 + PAGING_S)
    assert ranked([], {"hung": 1.0}) == ()


@given(option_lists(1, 4), _BELIEF)
def test_a_fix_that_has_failed_makes_the_causes_less_likely_that_it_helps_against_most(
    options: list[Option], belief: dict[str, float]
) -> None:
    helps = options[0].helps
    before = updated(belief, [])
    after = updated(belief, [helps])
    assert sum(after.values()) == pytest.approx(1.0)
    most, least = max(CAUSES, key=lambda one: helps[one]), min(CAUSES, key=lambda one: helps[one])
    assert after[most] <= before[most] + 1e-9
    assert after[least] >= before[least] - 1e-9 or min(helps.values()) == 1.0


@given(option_lists(2, 4), _BELIEF)
def test_in_which_order_fixes_have_failed_does_not_matter(options: list[Option], belief: dict[str, float]) -> None:
    failed = [replace(one, helps={cause: share * 0.99 for cause, share in one.helps.items()}) for one in options]
    there = updated(belief, [one.helps for one in failed])
    back = updated(belief, [one.helps for one in reversed(failed)])
    assert there == pytest.approx(back)


def test_when_what_could_not_fail_has_failed_the_belief_stays_as_it_was() -> None:
    assert updated({"hung": 0.2, "slow": 0.6}, [{"hung": 1.0, "slow": 1.0}]) == pytest.approx(
        {"hung": 0.25, "slow": 0.75}
    )
    assert updated({}, [{"hung": 0.5}]) == {}
