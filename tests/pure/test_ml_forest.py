"""Does a forest say what the library's says, and is what is none refused?"""

from __future__ import annotations

from array import array
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfheal.ml.forest import LEAF, MOST_DEPTH, MOST_NODES, MOST_TREES, Columns, NoForest, grown, singles
from tests.pure import forests

ROWS = [[Random(7 * place + side).gauss(0.0, 1.0) for side in range(3)] for place in range(60)]
SOUND = forests.grow(ROWS, trees=3)

numbers = st.floats(-1e9, 1e9) | st.sampled_from([0.0, 1.0, -1.0, 1e-30, 3e38, -3e38])


@settings(max_examples=40)
@given(
    rows=st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=4, max_size=40)
    ),
    seed=st.integers(0, 1000),
    sample=st.integers(2, 64),
)
def test_a_row_scores_what_the_library_says(rows: list[list[float]], seed: int, sample: int) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (the extra ml)")
    from selfheal.ml import fit  # noqa: PLC0415

    half = rows[: max(2, len(rows) // 2)]
    theirs = fit.grow(half, seed, trees=12, sample=sample)
    ours = grown(fit.columns_of(theirs), len(rows[0]))
    for row, score in zip(rows, fit.scores(theirs, rows), strict=True):
        assert abs(ours.score(row) - score) <= 1e-12


def test_a_whole_forest_over_thirteen_features_scores_what_the_library_says() -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (the extra ml)")
    from selfheal.ml import fit  # noqa: PLC0415

    dice = Random(1)
    rows = [[dice.gauss(0.0, 1.0) for _ in range(13)] for _ in range(400)]
    far = [[3.0 * cell for cell in row] for row in rows]
    theirs = fit.grow(rows, 5)
    ours = grown(fit.columns_of(theirs), 13)
    apart = (abs(ours.score(row) - score) for row, score in zip(far, fit.scores(theirs, far), strict=True))
    assert max(apart) <= 1e-12


def test_a_row_is_read_in_single_precision_and_has_no_end_beyond_it() -> None:
    assert singles([0.1, 1e300, -1e300]) == array("f", [0.1, 3.4e38, -3.4e38]).tolist()


def test_what_is_far_from_all_is_stranger() -> None:
    forest = grown(SOUND, 3)
    assert forest.score([9.0, -9.0, 9.0]) > max(forest.score(row) for row in ROWS[:20])


def changed(column: str, place: int, value: float) -> Columns:
    """The sound columns with one cell that is another."""
    whole, cuts = {name: getattr(SOUND, name)[:] for name in ("features", "rights")}, SOUND.numbers[:]
    if column == "numbers":
        cuts[place] = value
    else:
        whole[column][place] = int(value)
    return Columns(SOUND.trees, whole["features"], cuts, whole["rights"], SOUND.scale)


LEAF_AT = SOUND.features.index(LEAF)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        (replace(SOUND, trees=0), "it has 0 trees"),
        (replace(SOUND, trees=MOST_TREES + 1), "trees, and may have"),
        (replace(SOUND, trees=2), "belong to no tree"),
        (replace(SOUND, trees=4), "ends before all its branches do"),
        (replace(SOUND, numbers=SOUND.numbers[:-1]), "not of equal length"),
        (replace(SOUND, scale=0.0), "no number above 0"),
        (replace(SOUND, scale=float("nan")), "no number above 0"),
        (changed("rights", 0, 0), "leads somewhere else"),  # back to itself
        (changed("rights", 0, 1), "leads somewhere else"),
        (changed("rights", LEAF_AT, 1), "a leaf has a branch"),
        (changed("features", 0, 3), "asks for feature 3 of 3"),
        (changed("features", 0, -2), "asks for feature -2"),
        (changed("numbers", 0, float("inf")), "no number"),
        (changed("numbers", LEAF_AT, -1.0), "a leaf weighs -1"),
        (changed("numbers", LEAF_AT, 1e9), "a leaf weighs 1e+09"),
    ],
)
def test_what_is_no_forest_is_refused_with_a_reason(columns: Columns, why: str) -> None:
    with pytest.raises(NoForest, match="(?s).*" + why.replace("+", r"\+")):
        grown(columns, 3)


def test_a_chain_without_end_and_a_forest_without_measure_are_refused() -> None:
    count = MOST_DEPTH + 2
    chain = Columns(1, array("i", [0] * count), array("d", [0.0] * count), array("i", [0] * count), 1.0)
    with pytest.raises(NoForest, match="deeper than"):
        grown(chain, 1)
    huge = MOST_NODES + 1
    with pytest.raises(NoForest, match="nodes, and may have"):
        grown(Columns(1, array("i", [LEAF]) * huge, array("d", [0.0]) * huge, array("i", [0]) * huge, 1.0), 1)


@given(st.lists(st.tuples(st.integers(-2, 3), st.floats(), st.integers(-1, 12)), max_size=12), st.integers(0, 3))
def test_whatever_the_columns_hold_there_is_a_forest_or_a_reason(
    nodes: list[tuple[int, float, int]], trees: int
) -> None:
    features, cuts, rights = zip(*nodes, strict=True) if nodes else ((), (), ())
    try:
        forest = grown(Columns(trees, array("i", features), array("d", cuts), array("i", rights), 1.0), 3)
    except NoForest:
        return
    assert 0.0 <= forest.score([0.0, 1.0, 2.0]) <= 1.0
