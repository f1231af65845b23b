"""Do boosted trees say what the library says, and each feature's part of it, and is what is none refused?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from itertools import combinations
from math import factorial, inf, isclose, isnan, nan
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from selfheal.ml.boost import MOST_FEATURES, Booster
from selfheal.ml.boost_export import exported
from selfheal.ml.calibration import Isotonic, Platt, logistic
from selfheal.ml.forest import LEAF
from selfheal.ml.lessons import NothingToLearn
from selfheal.ml.trees import MOST_DEPTH, MOST_NODES, MOST_TREES, Columns, NoTrees, cells_of, grown
from tests.pure.boosters import booster, columns, rows_of

SOUND = columns(3)
cells = st.floats(-1e9, 1e9) | st.sampled_from([0.0, -0.0, 1.0, 1e-30, 3e38, -3e38, nan])


@st.composite
def made_up(draw: st.DrawFn) -> tuple[list[list[float]], list[bool], int]:
    """Rows with their labels, of which there are both kinds, and a seed."""
    width = draw(st.integers(1, 4))
    row = st.lists(cells, min_size=width, max_size=width)
    rows = draw(st.lists(row, min_size=4, max_size=60))
    labels = draw(
        st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)).filter(lambda all_: len(set(all_)) == 2)
    )
    return rows, labels, draw(st.integers(0, 1000))


@settings(max_examples=25, deadline=None)
@given(made_up())
def test_a_row_weighs_what_the_library_says_and_so_does_each_feature(
    seen: tuple[list[list[float]], list[bool], int],
) -> None:
    pytest.importorskip("xgboost", reason="XGBoost is not installed (the extra ml)")
    from selfheal.ml import boost_fit  # noqa: PLC0415

    rows, labels, seed = seen
    names = [f"f{place}" for place in range(len(rows[0]))]
    with boost_fit.library() as library:
        given_settings = {**boost_fit.settings_for(names, seed, {}), "min_child_weight": 0.1}
        matrix = boost_fit.matrix(library, rows, labels)
        theirs = library.train(given_settings, matrix, 20)
        margins = theirs.predict(matrix, output_margin=True).tolist()
        chances = theirs.predict(matrix).tolist()
        parts = theirs.predict(matrix, pred_contribs=True).tolist()
    ours = exported(bytes(theirs.save_raw("json")), names)
    for row, margin, chance, part in zip(rows, margins, chances, parts, strict=True):
        assert abs(ours.margin(row) - margin) <= 1e-5
        assert abs(ours.probability(row) - chance) <= 1e-6
        assert ours.contributions(row) == pytest.approx(part, abs=1e-5)


def test_two_hundred_trees_over_thirty_features_say_what_the_library_says() -> None:
    pytest.importorskip("xgboost", reason="XGBoost is not installed (the extra ml)")
    from selfheal.ml import boost_fit  # noqa: PLC0415

    rows, labels = story(1500, 30)
    names = [f"f{place}" for place in range(30)]
    with boost_fit.library() as library:
        matrix = boost_fit.matrix(library, rows, labels)
        theirs = library.train(boost_fit.settings_for(names, 1, {}), matrix, 200)
        chances = theirs.predict(matrix).tolist()
        parts = theirs.predict(matrix, pred_contribs=True).tolist()
    ours = exported(bytes(theirs.save_raw("json")), names)
    assert max(abs(ours.probability(row) - chance) for row, chance in zip(rows, chances, strict=True)) <= 1e-6
    for row, part in zip(rows[:40], parts[:40], strict=True):
        assert ours.contributions(row) == pytest.approx(part, abs=1e-5)


def story(count: int, width: int, seed: int = 1) -> tuple[list[list[float]], list[bool]]:
    """Rows after which it happens where the first feature is high, and the second and third have one sign."""
    dice, rows = Random(seed), rows_of(width, seed=seed, count=count)
    known = [[0.0 if isnan(cell) else cell for cell in row] for row in rows]
    return rows, [dice.random() < logistic(1.5 * row[0] + row[1] * row[2] - 2.0) for row in known]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(0, 7), st.lists(cells, min_size=7, max_size=7))
def test_the_parts_of_a_row_are_its_shapley_values(seed: int, width: int, deepest: int, row: list[float]) -> None:
    made = columns(width, seed=seed, deepest=deepest)
    trees, seen = grown(made, width), cells_of(row[:width])
    expected = shapley(lambda known: known_weight(made, seen, known), width)
    assert trees.contributions(seen) == pytest.approx(expected, abs=1e-9)
    assert sum(trees.contributions(seen)) + trees.bias == pytest.approx(trees.weight(seen), abs=1e-9)
    assert trees.bias == pytest.approx(known_weight(made, seen, frozenset()), abs=1e-9)


def shapley(value: Callable[[frozenset[int]], float], width: int) -> list[float]:
    """The Shapley values as they are defined, over all sets."""
    found = []
    for one in range(width):
        others = [other for other in range(width) if other != one]
        sets = [frozenset(some) for count in range(width) for some in combinations(others, count)]
        found.append(
            sum(
                factorial(len(some))
                * factorial(width - 1 - len(some))
                / factorial(width)
                * (value(some | {one}) - value(some))
                for some in sets
            )
        )
    return found


def known_weight(made: Columns, row: Sequence[float], known: frozenset[int]) -> float:
    """What a row weighs of which only some features are known: for the others, both sides by what came by there."""

    def walk(place: int) -> tuple[float, int]:
        feature, number = made.features[place], made.numbers[place]
        if feature == LEAF:
            return number, place + 1
        left, right_at = walk(place + 1)
        right, end = walk(right_at)
        if feature in known:
            goes_left = made.missing_left[place] if isnan(row[feature]) else row[feature] < number
            return (left if goes_left else right), end
        cover, other = made.covers[place + 1], made.covers[right_at]
        return (left * cover + right * other) / (cover + other), end

    weight, place = 0.0, 0
    for _ in range(made.trees):
        part, place = walk(place)
        weight += part
    return weight


def test_the_parts_of_a_booster_sum_to_its_margin_and_end_with_what_every_row_has() -> None:
    one = booster()
    for row in rows_of(3):
        parts = one.contributions(row)
        assert len(parts) == 4
        assert sum(parts) == pytest.approx(one.margin(row), abs=1e-9)
    assert len({one.contributions(row)[-1] for row in rows_of(3)}) == 1


def test_a_row_of_other_features_is_refused() -> None:
    for ask in (booster().margin, booster().probability, booster().contributions):
        with pytest.raises(ValueError, match="2 cells, and there are 3 features"):
            ask([1.0, 2.0])


def test_a_calibration_has_the_last_word_on_how_likely_it_is() -> None:
    row = [0.1, nan, -0.3]
    plain = booster()
    assert plain.probability(row) == logistic(plain.margin(row))
    line = booster(calibration=Platt(0.5, -1.0))
    assert line.probability(row) == logistic(0.5 * plain.margin(row) - 1.0)
    assert booster(calibration=Isotonic((0.0,), (0.25,))).probability(row) == 0.25
    assert line.contributions(row) == plain.contributions(row)


def test_no_tree_at_all_is_what_every_row_has() -> None:
    none = Booster(("a",), Columns(0, (), (), (), (), ()), 0.5)
    assert (none.margin([1.0]), none.contributions([1.0])) == (0.5, (0.0, 0.5))


def test_a_booster_comes_back_as_it_was() -> None:
    for calibration in (None, Platt(1.0, 0.0), Isotonic((0.0, 1.0), (0.2, 0.3))):
        one = booster(calibration=calibration)
        again = msgspec.msgpack.decode(msgspec.msgpack.encode(one), type=Booster)
        assert again == one
        assert again.margin([1.0, 2.0, nan]) == one.margin([1.0, 2.0, nan])


LEAF_AT, BRANCH_AT = SOUND.features.index(LEAF), SOUND.features.index(SOUND.features[0])


def changed(column: str, place: int, value: float) -> Columns:
    """The sound columns with one cell that is another."""
    whole = list(getattr(SOUND, column))
    whole[place] = value
    return replace(SOUND, **{column: tuple(whole)})


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (replace(SOUND, trees=-1), "it has -1 trees"),
        (replace(SOUND, trees=MOST_TREES + 1), "trees, and may have"),
        (replace(SOUND, trees=SOUND.trees - 1), "belong to no tree"),
        (replace(SOUND, trees=SOUND.trees + 1), "ends before all its branches do"),
        (replace(SOUND, covers=SOUND.covers[1:]), "not of equal length"),
        (replace(SOUND, missing_left=()), "not of equal length"),
        (changed("rights", BRANCH_AT, 0), "leads back"),
        (changed("rights", BRANCH_AT, 1), "leads back"),
        (changed("rights", BRANCH_AT, 10**6), "out of all trees"),
        (changed("rights", BRANCH_AT, 2), "leads somewhere else"),
        (changed("rights", LEAF_AT, 1), "a leaf has a branch"),
        (changed("features", BRANCH_AT, 3), "asks for feature 3 of 3"),
        (changed("features", BRANCH_AT, -2), "asks for feature -2"),
        (changed("numbers", BRANCH_AT, nan), "no number"),
        (changed("numbers", LEAF_AT, inf), "no number"),
        (changed("numbers", LEAF_AT, 1e9), "a leaf weighs 1e+09"),
        (changed("covers", LEAF_AT, -1.0), "less often than never"),
        (replace(SOUND, covers=(0.0,) * len(SOUND.covers)), "never come by"),
        (replace(SOUND, covers=(1.7e308,) * len(SOUND.covers)), "more often than there are numbers"),
        (changed("covers", LEAF_AT, nan), "less often than never"),
    ],
)
def test_what_is_no_trees_is_refused_with_a_reason(made: Columns, why: str) -> None:
    with pytest.raises(NoTrees) as refused:
        Booster(("a", "b", "c"), made, 0.0)
    assert why in str(refused.value)
    written = msgspec.msgpack.encode({"features": ("a", "b", "c"), "columns": made, "base": 0.0})
    written = msgspec.msgpack.encode({"features": ("a", "b", "c"), "columns": made, "base": 0.0})
    with pytest.raises(msgspec.ValidationError):  # nor is one read from a file
        msgspec.msgpack.decode(written, type=Booster)


def test_a_chain_without_end_and_trees_without_measure_are_refused() -> None:
    count = MOST_DEPTH + 2
    chain = Columns(1, (0,) * count, (0.0,) * count, tuple(range(2, count + 2)), (True,) * count, (1.0,) * count)
    with pytest.raises(NoTrees):
        grown(chain, 1)
    huge = MOST_NODES + 1
    with pytest.raises(NoTrees, match="nodes, and may have"):
        grown(Columns(1, (LEAF,) * huge, (0.0,) * huge, (0,) * huge, (True,) * huge, (1.0,) * huge), 1)


@pytest.mark.parametrize(
    ("features", "base"),
    [
        ((), 0.0),
        (("a", "b", "b"), 0.0),
        (("a", "b", ""), 0.0),
        (("a", "b", "c" * 201), 0.0),
        (tuple(map(str, range(MOST_FEATURES + 1))), 0.0),
        (("a", "b", "c"), nan),
        (("a", "b", "c"), 1e9),
    ],
)
def test_features_and_a_beginning_that_are_none_are_refused(features: tuple[str, ...], base: float) -> None:
    with pytest.raises(NoTrees):
        Booster(features, SOUND, base)


node = st.tuples(st.integers(-2, 3), st.floats(), st.integers(-1, 12), st.booleans(), st.floats(-1.0, 10.0))


@given(st.lists(node, max_size=12), st.integers(0, 3))
def test_whatever_the_columns_hold_there_are_trees_or_a_reason(
    nodes: list[tuple[int, float, int, bool, float]], count: int
) -> None:
    features, numbers, rights, missing_left, covers = zip(*nodes, strict=True) if nodes else ((),) * 5
    try:
        trees = grown(Columns(count, features, numbers, rights, missing_left, covers), 3)
    except NoTrees:
        return
    row = [0.0, nan, 2.0]
    assert isclose(sum(trees.contributions(row)) + trees.bias, trees.weight(row), rel_tol=1e-9, abs_tol=1e-6)


# --- what is fitted ---


def test_what_was_learned_tells_rows_apart_by_the_features_that_matter() -> None:
    pytest.importorskip("xgboost", reason="XGBoost is not installed (the extra ml)")
    from selfheal.ml.boost_fit import fit  # noqa: PLC0415

    rows, labels = story(1500, 6)
    held, happened = story(1500, 6, seed=2)
    names = [f"f{place}" for place in range(6)]
    made = fit(rows, labels, names, calibration=(held, happened), seed=3)
    assert isinstance(made.calibration, Isotonic)
    later, came = story(800, 6, seed=3)
    said = [made.probability(row) for row in later]
    high = [label for chance, label in zip(said, came, strict=True) if chance > 0.5]
    assert sum(high) / len(high) > 0.5 > 2 * sum(came) / len(came) - 0.1
    assert abs(sum(said) / len(said) - sum(came) / len(came)) < 0.04
    weights = [sum(abs(made.contributions(row)[place]) for row in later[:200]) for place in range(6)]
    assert weights[0] == max(weights)
    assert made == fit(rows, labels, names, calibration=(held, happened), seed=3)
    assert made != fit(rows, labels, names, calibration=(held, happened), seed=4)


def test_what_can_only_make_it_likelier_never_makes_it_less_likely() -> None:
    pytest.importorskip("xgboost", reason="XGBoost is not installed (the extra ml)")
    from selfheal.ml.boost_fit import fit  # noqa: PLC0415

    rows, labels = story(800, 3)
    dice = Random(1)
    noisy = [label != (dice.random() < 0.2) for label in labels]
    made = fit(rows, noisy, ("a", "b", "c"), monotone={"a": 1})
    for row in rows[:50]:
        rising = [made.margin([cell / 4.0, *row[1:]]) for cell in range(-12, 13)]
        assert rising == sorted(rising)


def test_rows_that_count_for_nothing_teach_nothing() -> None:
    pytest.importorskip("xgboost", reason="XGBoost is not installed (the extra ml)")
    from selfheal.ml.boost_fit import fit  # noqa: PLC0415

    rows, labels = story(600, 3)
    upside_down = [*labels, *(not label for label in labels)]
    made = fit([*rows, *rows], upside_down, ("a", "b", "c"), weights=[1.0] * 600 + [0.0] * 600)
    chances = [made.probability(row) for row in rows]
    yes = [chance for chance, label in zip(chances, labels, strict=True) if label]
    assert sum(yes) / len(yes) > sum(chances) / len(chances)


@pytest.mark.parametrize("count", range(2, 8))
def test_a_handful_of_rows_teaches_little_and_breaks_nothing(count: int) -> None:
    pytest.importorskip("xgboost", reason="XGBoost is not installed (the extra ml)")
    from selfheal.ml.boost_fit import fit  # noqa: PLC0415

    rows = rows_of(3, count=count)
    made = fit(rows, [place == 0 for place in range(count)], ("a", "b", "c"))
    assert all(0.0 < made.probability(row) < 1.0 for row in rows)


@pytest.mark.parametrize("label", [True, False])
def test_rows_of_one_kind_teach_nothing(label: bool) -> None:
    pytest.importorskip("xgboost", reason="XGBoost is not installed (the extra ml)")
    from selfheal.ml.boost_fit import fit  # noqa: PLC0415

    with pytest.raises(NothingToLearn, match="nothing to tell apart"):
        fit(rows_of(3), [label] * 60, ("a", "b", "c"))
    with pytest.raises(ValueError, match="as many labels"):
        fit(rows_of(3), [label] * 59, ("a", "b", "c"))
    with pytest.raises(ValueError, match="as many cells"):
        fit(rows_of(2), [label] * 60, ("a", "b", "c"))


def test_the_library_leaves_no_trace_of_what_was_hidden_from_it() -> None:
    pytest.importorskip("xgboost", reason="XGBoost is not installed (the extra ml)")
    from selfheal.ml.boost_fit import library  # noqa: PLC0415

    with library():
        pass
    assert all(sys.modules.get(name, sys) is not None for name in ("sklearn", "pandas"))
