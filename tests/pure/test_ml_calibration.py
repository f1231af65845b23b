"""Do calibrated chances come true as often as they say, and rise with the model that they correct?"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.ml.calibration import (
    LEAST_ISOTONIC,
    LEAST_PLATT,
    MOST_KNOTS,
    Calibration,
    Isotonic,
    Platt,
    calibrated,
    isotonic,
    logistic,
    platt,
)

seen = st.lists(st.tuples(st.floats(-40.0, 40.0), st.booleans()), min_size=1, max_size=80)


def stretched(count: int, by: float, moved: float, seed: int = 1) -> tuple[list[float], list[bool]]:
    """Margins of a model that exaggerates by so much, and what happened."""
    dice = Random(seed)
    true = [dice.gauss(-1.0, 1.5) for _ in range(count)]
    return [by * one + moved for one in true], [dice.random() < logistic(one) for one in true]


@given(seen, st.lists(st.floats(-100.0, 100.0), min_size=2, max_size=20))
def test_a_calibration_gives_probabilities_that_rise(points: list[tuple[float, bool]], asked: list[float]) -> None:
    margins, labels = [one for one, _ in points], [label for _, label in points]
    for made in (isotonic(margins, labels), platt(margins, labels)):
        chances = [made.probability(margin) for margin in sorted(asked)]
        assert chances == sorted(chances)
        assert all(0.0 <= chance <= 1.0 for chance in chances)


@given(seen)
def test_a_curve_goes_through_the_middles_of_the_steps_that_the_library_finds(points: list[tuple[float, bool]]) -> None:
    library = pytest.importorskip("sklearn.isotonic", reason="scikit-learn is not installed (the extra ml)")
    # The library takes for one what is closer than a billionth.
    margins, labels = [round(one, 3) for one, _ in points], [label for _, label in points]
    ours, least = isotonic(margins, labels), 1.0 / (len(labels) + 2)
    theirs = library.IsotonicRegression(out_of_bounds="clip").fit(margins, [float(one) for one in labels])
    for margin, share in zip(ours.margins, theirs.predict(ours.margins).tolist(), strict=True):
        assert ours.probability(margin) == pytest.approx(min(max(share, least), 1.0 - least), abs=1e-6)
    assert len(set(ours.probabilities)) == len(ours.probabilities)


def test_nothing_is_certain_after_a_hundred_rows() -> None:
    made = isotonic(list(map(float, range(100))), [place >= 50 for place in range(100)])
    assert made.probability(-1e9) == pytest.approx(1.0 / 102.0)
    assert made.probability(1e9) == pytest.approx(101.0 / 102.0)


@pytest.mark.parametrize("make", [isotonic, platt])
def test_a_model_that_exaggerates_is_corrected(make: Callable[[list[float], list[bool]], Calibration]) -> None:
    made = make(*stretched(4000, by=3.0, moved=2.0))
    for true in (-3.0, -2.0, -1.0, 0.0, 1.0):
        assert made.probability(3.0 * true + 2.0) == pytest.approx(logistic(true), abs=0.06)


def test_a_line_finds_how_much_it_was_stretched_and_moved() -> None:
    made = platt(*stretched(20_000, by=4.0, moved=1.0))
    assert made.slope == pytest.approx(0.25, abs=0.02)
    assert made.offset == pytest.approx(-0.25, abs=0.08)


def test_a_model_that_says_the_opposite_is_worth_what_it_was_on_average() -> None:
    margins, labels = stretched(2000, by=-2.0, moved=0.0)
    made = platt(margins, labels)
    assert made.slope == 0.0
    assert made.probability(5.0) == pytest.approx(sum(labels) / 2000, abs=0.01)


@pytest.mark.parametrize("label", [True, False])
def test_margins_that_are_all_the_same_say_how_often_it_happened(label: bool) -> None:
    made = platt([2.0] * 30, [label] * 30)
    assert made.probability(2.0) == pytest.approx(31 / 32 if label else 1 / 32, abs=0.01)


@pytest.mark.parametrize(
    ("happened", "kind"),
    [
        (0, type(None)),
        (LEAST_PLATT - 1, type(None)),
        (LEAST_PLATT, Platt),
        (LEAST_ISOTONIC - 1, Platt),
        (LEAST_ISOTONIC, Isotonic),
        (200 - LEAST_PLATT + 1, type(None)),  # it is the rarer kind that counts
    ],
)
def test_what_is_seldom_is_not_followed_closely(happened: int, kind: type[object]) -> None:
    made = calibrated([place / 10.0 for place in range(200)], [place >= 200 - happened for place in range(200)])
    assert type(made) is kind


def test_a_curve_has_no_more_knots_than_it_may() -> None:
    count = 3 * MOST_KNOTS
    dice = Random(1)
    margins = [place + dice.random() for place in range(count)]
    labels = [dice.random() < place / count for place in range(count)]
    made = isotonic(margins, labels)
    assert len(made.margins) <= MOST_KNOTS
    assert made.probability(count / 2) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("margins", "chances"),
    [
        ((), ()),
        ((0.0,), (0.1, 0.2)),
        ((0.0, nan), (0.1, 0.2)),
        ((0.0, 1.0), (0.1, nan)),
        ((0.0, 1.0, 2.0), (0.1, nan, 0.3)),
        ((1.0, 0.0), (0.1, 0.2)),
        ((0.0, 1.0), (0.2, 0.1)),
        ((0.0, 1.0), (-0.1, 0.1)),
        ((0.0, 1.0), (0.1, 1.1)),
        (tuple(map(float, range(MOST_KNOTS + 1))), (0.5,) * (MOST_KNOTS + 1)),
    ],
)
def test_knots_that_are_none_are_refused(margins: tuple[float, ...], chances: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Isotonic(margins, chances)


@pytest.mark.parametrize(("slope", "offset"), [(-1.0, 0.0), (nan, 0.0), (inf, 0.0), (1.0, nan), (1.0, inf)])
def test_a_line_that_is_none_is_refused(slope: float, offset: float) -> None:
    with pytest.raises(ValueError, match="calibration"):
        Platt(slope, offset)


def test_log_odds_beyond_all_measure_are_a_chance_all_the_same() -> None:
    assert [logistic(margin) for margin in (-1e308, 0.0, 1e308)] == pytest.approx([0.0, 0.5, 1.0])
