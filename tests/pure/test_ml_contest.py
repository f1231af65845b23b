"""Does a new model take the place of an old one only where it is better, and not by luck?"""

from __future__ import annotations

from math import nan
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.ml.calibration import logistic
from selfheal.ml.contest import LEAST, contest

Chances = list[float]


def held_back(seed: int, count: int = 1200) -> tuple[Chances, list[bool]]:
    """What was true of rows, oldest first, and what happened."""
    dice = Random(seed)
    true = [logistic(dice.gauss(-2.0, 1.5)) for _ in range(count)]
    return true, [dice.random() < chance for chance in true]


def blurred(true: Chances, by: float, seed: int) -> Chances:
    dice = Random(seed)
    return [min(max(chance + dice.gauss(0.0, by), 0.01), 0.99) for chance in true]


def test_a_model_that_knows_more_is_taken_and_it_is_said_why() -> None:
    true, labels = held_back(1)
    verdict = contest(blurred(true, 0.3, 2), true, labels, old_name="xgboost", new_name="lstm")
    assert verdict.keep == "new"
    assert verdict.new_loss < verdict.old_loss
    assert verdict.luck <= 0.05
    assert verdict.why.startswith("lstm is taken: a row costs it ")
    assert (verdict.rows, verdict.positives) == (1200, sum(labels))


def test_a_model_that_knows_less_is_not() -> None:
    true, labels = held_back(1)
    verdict = contest(true, blurred(true, 0.3, 2), labels)
    assert verdict.keep == "old"
    assert "is no better" in verdict.why


def test_a_tie_keeps_the_old_one() -> None:
    true, labels = held_back(3)
    verdict = contest(true, true, labels)
    assert (verdict.keep, verdict.old_loss) == ("old", verdict.new_loss)


def test_of_two_that_know_as_much_the_new_one_is_seldom_taken() -> None:
    taken = 0
    for seed in range(200):
        true, labels = held_back(seed, 400)
        taken += contest(blurred(true, 0.1, seed + 1000), blurred(true, 0.1, seed + 2000), labels).keep == "new"
    assert taken <= 20  # a twentieth would be ten


def test_one_lucky_stretch_is_not_enough() -> None:
    labels = [place % 10 == 0 for place in range(1200)]
    old = [0.1] * 1200
    new = [0.9 if label and place < 100 else 0.1 for place, label in enumerate(labels)]
    verdict = contest(old, new, labels)
    assert verdict.keep == "old"
    assert "no more than luck" in verdict.why


def test_one_row_that_is_wrong_for_sure_does_not_decide() -> None:
    true, labels = held_back(5)
    new = [*true]
    new[labels.index(True)] = 0.0
    assert contest(blurred(true, 0.3, 1), new, labels).keep == "new"


@pytest.mark.parametrize("rows", [0, 5, 500])
def test_where_too_little_happened_the_old_one_is_kept(rows: int) -> None:
    labels = [place < LEAST - 1 for place in range(rows)]
    worst, best = [0.0 if label else 1.0 for label in labels], [1.0 if label else 0.0 for label in labels]
    verdict = contest(worst, best, labels)
    assert verdict.keep == "old"
    assert f"{sum(labels)} times in {rows} rows" in verdict.why


@pytest.mark.parametrize(
    ("old", "new", "labels"),
    [([0.5], [0.5], []), ([0.5], [], [True]), ([nan], [0.5], [True]), ([0.5], [1.1], [True]), ([-0.1], [0.5], [True])],
)
def test_what_cannot_be_compared_is_refused(old: Chances, new: Chances, labels: list[bool]) -> None:
    with pytest.raises(ValueError, match="model"):
        contest(old, new, labels)


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.booleans()), max_size=60))
def test_there_is_always_a_winner_and_never_two(rows: list[tuple[float, float, bool]]) -> None:
    old, new, labels = [one for one, _, _ in rows], [one for _, one, _ in rows], [label for _, _, label in rows]
    there, back = contest(old, new, labels), contest(new, old, labels)
    assert 0.0 < there.luck <= 1.0
    assert not (there.keep == "new" and back.keep == "new")
