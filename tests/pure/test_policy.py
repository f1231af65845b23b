"""Is what was chosen better than what a fixed ladder would have done?"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.learn.policy import DECISIONS, LATEST, Decision, Gain, gain, trusts

# True mean seconds to recovery of each fix; the ladder always begins with the restart.
TRULY = {"restart": 120.0, "mend": 60.0, "pray": 400.0}
LADDER = "restart"


def logged(chances: dict[str, float], expected: dict[str, float], count: int, seed: int) -> list[Decision]:
    """Decisions of a policy that draws by `chances` and expects `expected`, whatever is true."""
    chance = Random(seed)
    found = []
    for _ in range(count):
        chosen = chance.choices([*chances], [*chances.values()])[0]
        took_s = chance.expovariate(1 / TRULY[chosen])
        found.append(Decision(expected, chosen, chances[chosen], LADDER, took_s))
    return found


def found(decisions: list[Decision]) -> Gain:
    result = gain(decisions)
    assert result is not None
    return result


GOOD = {"mend": 0.8, "restart": 0.2}
BAD = {"pray": 0.8, "restart": 0.2}
WRONG = {"restart": 300.0, "mend": 300.0, "pray": 20.0}


@pytest.mark.parametrize("expected", [TRULY, WRONG])
def test_a_policy_that_saves_time_is_seen_to_do_so_whatever_it_expects(expected: dict[str, float]) -> None:
    seen = found(logged(GOOD, expected, 2000, 1))
    assert seen.low_s > 0.0
    assert seen.mean_s == pytest.approx(0.8 * (120 - 60), abs=15)
    assert trusts(logged(GOOD, expected, 200, 2))


@pytest.mark.parametrize("expected", [TRULY, WRONG])
def test_a_policy_that_loses_time_is_not_trusted_whatever_it_expects(expected: dict[str, float]) -> None:
    seen = found(logged(BAD, expected, 2000, 1))
    assert seen.high_s < 0.0
    assert seen.mean_s == pytest.approx(0.8 * (120 - 400), abs=30)
    assert not trusts(logged(BAD, expected, 200, 2))


def test_too_few_decisions_never_end_the_trust() -> None:
    assert trusts(logged(BAD, TRULY, DECISIONS - 1, 1))
    assert not trusts(logged(BAD, TRULY, DECISIONS + 20, 1))


def test_what_never_made_a_choice_of_the_ladder_cannot_be_compared_with_it() -> None:
    assert gain(logged({"pray": 1.0}, TRULY, 500, 1)) is None
    assert trusts(logged({"pray": 1.0}, TRULY, 500, 1))
    assert gain([]) is None


def test_hope_that_is_too_great_in_every_choice_alike_is_not_held_against_the_policy() -> None:
    hopeful = {fix: value_s / 3 for fix, value_s in TRULY.items()}
    assert found(logged(GOOD, hopeful, 2000, 1)).mean_s == pytest.approx(48, abs=15)


def test_trust_returns_when_what_was_bad_is_long_ago() -> None:
    bad = logged(BAD, TRULY, 200, 1)
    followed = logged({"restart": 1.0}, TRULY, LATEST, 2)
    assert not trusts(bad + followed[:50])
    assert trusts(bad + followed)


@given(st.integers(0, 10_000), st.integers(20, 200))
def test_who_follows_the_ladder_gains_and_loses_nothing(seed: int, count: int) -> None:
    seen = found(logged({"restart": 1.0}, WRONG, count, seed))
    assert (seen.mean_s, seen.low_s, seen.high_s) == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)
    assert seen.count == count
    assert trusts(logged({"restart": 1.0}, WRONG, count, seed))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    gained = 0.8 * (120 - 60)
    spans = [found(logged(GOOD, TRULY, 400, seed)) for seed in range(200)]
    assert 0.89 < sum(span.low_s <= gained <= span.high_s for span in spans) / len(spans) <= 1.0
