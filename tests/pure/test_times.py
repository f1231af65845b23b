"""Is it told when a failure comes, by what was learned and by the trend, and how sure each of them is?"""

from __future__ import annotations

from math import exp, log
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.errors import SelfhealError
from selfheal.ml.boost import Booster
from selfheal.ml.forest import LEAF
from selfheal.ml.trees import Columns
from selfheal.predict.subjects import FEATURES
from selfheal.recorded.learned import Learned, Word, foreseen, read_learned, write_learned
from selfheal.recorded.learning import examples
from selfheal.recorded.times import FURTHEST, LEAST_SAID, NEAREST, Times, When, joined, wider
from tests.pure.recordings import AT, HOUR, TASK, leak, only, recorded

WHEN = st.lists(st.floats(0.01, 100.0), min_size=3, max_size=3).map(lambda ends: When(*sorted(ends)))


def always(margin: float, features: tuple[str, ...] = FEATURES) -> Booster:
    """A booster that says the same of every row: a leaf alone."""
    return Booster(features, Columns(1, (LEAF,), (0.0,), (0,), (False,), (1.0,)), margin)


def within(low: float, middle: float, high: float, wider: float = 0.0) -> Times:
    """What says the same times of every row, in horizons."""
    return Times(always(log(low)), always(log(middle)), always(log(high)), wider)


def learned(times: Times | None) -> Learned:
    return Learned(
        scope="every fleet", horizon_s=TASK.horizon_s, lead_s=TASK.lead_s, signals=(), whether=always(2.0), modes={},
        threshold=0.5, etas=(), rows=1, failures=1, times=times,
    )  # fmt: skip


def story(count: int, seed: int) -> list[tuple[list[float], float]]:
    """Rows whose first cell says how many horizons are left, but for chance."""
    dice = Random(seed)
    rows = [[dice.random() for _ in range(3)] for _ in range(count)]
    return [(row, exp(2.0 * row[0] - 2.0 + dice.gauss(0.0, 0.3))) for row in rows]


# --- what several say together ---


def test_the_surer_one_weighs_more_and_one_alone_says_what_it_says() -> None:
    vague, sure = When(1.0, 2.0, 4.0), When(3.0, 3.1, 3.2)
    assert joined([vague]) == pytest.approx(vague)
    assert joined([vague, vague]) == pytest.approx(vague)
    assert joined([vague, sure]).middle == pytest.approx(3.1, rel=0.01)
    halfway = joined([When(0.5, 1.0, 2.0), When(2.0, 4.0, 8.0)])
    assert halfway == pytest.approx((1.0, 2.0, 4.0))


@given(st.lists(WHEN, min_size=1, max_size=4), st.floats(0.1, 1e4))
def test_together_they_say_nothing_that_none_of_them_says_in_any_unit(said: list[When], unit: float) -> None:
    found = joined(said)
    assert found.low <= found.middle * (1.0 + 1e-9)
    assert found.middle <= found.high * (1.0 + 1e-9)
    for end, ends in zip(found, zip(*said, strict=True), strict=True):
        assert min(ends) * (1.0 - 1e-9) <= end <= max(ends) * (1.0 + 1e-9)
    assert joined([one.times(unit) for one in said]) == pytest.approx(found.times(unit))


# --- what was learned ---


def test_an_interval_is_in_order() -> None:
    assert within(0.5, 0.3, 0.2).when([0.0] * len(FEATURES)) == pytest.approx((0.2, 0.3, 0.5))


def test_an_interval_is_as_wide_as_what_came_asks_for_and_never_less_wide() -> None:
    said = When(1.0, 2.0, 4.0)
    half_out = [(said, 2.0)] * LEAST_SAID + [(said, 8.0)] * LEAST_SAID
    assert wider(half_out) == pytest.approx(log(2.0))
    assert said.widened(log(2.0)) == pytest.approx((0.5, 2.0, 8.0))
    assert wider([(said, 0.25), *half_out[:LEAST_SAID]]) == 0.0
    assert wider(half_out[LEAST_SAID + 1 :]) == 0.0
    dice = Random(1)
    narrow = [(When(1.9, 2.0, 2.1), exp(dice.gauss(log(2.0), 0.5))) for _ in range(2000)]
    by = wider(narrow[:1000])
    assert 880 <= sum(one.widened(by).low <= came <= one.widened(by).high for one, came in narrow[1000:]) <= 920


def test_what_is_beyond_all_that_was_learned_is_no_time() -> None:
    nearest, _, furthest = within(1e-9, 0.5, 1e9).when([0.0] * len(FEATURES))
    assert nearest == pytest.approx(NEAREST)
    assert furthest == pytest.approx(FURTHEST)


def test_times_of_different_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="different rows"):
        Times(always(0.0, ("a",)), always(0.0, ("b",)), always(0.0, ("a",)), 0.0)
    with pytest.raises(ValueError, match="how sure"):
        within(0.2, 0.3, 0.5, float("nan"))


def test_nine_in_ten_of_later_failures_come_within_what_was_learned() -> None:
    pytest.importorskip("xgboost", reason="XGBoost is not installed (the extra ml)")
    from selfheal.recorded.times_fit import LEAST, fit_times  # noqa: PLC0415

    made = fit_times(story(3000, 1), ("a", "b", "c"), 1)
    assert made is not None
    later = story(1000, 3)
    said = [made.when(row) for row, _ in later]
    held = sum(one.low <= left <= one.high for one, (_, left) in zip(said, later, strict=True))
    assert 840 <= held <= 940
    early = sum(left < one.middle for one, (_, left) in zip(said, later, strict=True))
    assert 450 <= early <= 550
    assert fit_times(story(LEAST - 1, 1), ("a", "b", "c"), 1) is None


def test_of_a_failure_after_the_end_of_what_is_learned_from_no_time_is_learned() -> None:
    recording = recorded(leak(10.0), failures=(10.0 * HOUR,))
    until_then, before_it = ((AT, AT + hours * HOUR) for hours in (10.5, 9.0))
    known_then = examples(recording, TASK, until_then, "every fleet", 1000, Random(1))
    assert {round(one.left_s / HOUR, 2) for one in known_then if one.leads} >= {0.5, 2.0, 4.0}
    assert not any(one.leads for one in examples(recording, TASK, before_it, "every fleet", 1000, Random(1)))


# --- what is foreseen ---


def test_what_was_learned_says_when_where_no_trend_does() -> None:
    one = only(recorded(lambda _: 40.0))
    place = one.track.length - 1
    word = Word(0.9, [0.0] * len(FEATURES), "rss")
    said = foreseen(learned(within(0.25, 0.5, 1.0)), one, place, word, TASK)
    assert (said.eta_low_s, said.eta_s, said.eta_high_s) == pytest.approx((1800.0, 3600.0, 7200.0))
    assert said.signal == "rss"


def test_a_trend_and_what_was_learned_are_told_as_one() -> None:
    one = only(recorded(leak(10.0), hours=9.0))
    place, row = one.track.length - 1, [0.0] * len(FEATURES)
    assert one.track.ends_at(place) == pytest.approx(AT + 9.0 * HOUR)
    by_trend = foreseen(learned(None), one, place, Word(0.9, row, "rss"), TASK)
    assert by_trend.eta_s == pytest.approx(HOUR, rel=0.05)
    both = foreseen(learned(within(0.9, 1.0, 1.1)), one, place, Word(0.9, row, "rss"), TASK)
    assert by_trend.eta_s < both.eta_s < TASK.horizon_s
    assert by_trend.eta_low_s < both.eta_low_s
    unsure = foreseen(learned(within(0.9, 1.0, 1.1, log(2.0))), one, place, Word(0.9, row, "rss"), TASK)
    assert (unsure.eta_s, unsure.eta_high_s) == pytest.approx((both.eta_s, 2.0 * both.eta_high_s))
    vague = foreseen(learned(within(0.01, 1.0, 2.0)), one, place, Word(0.9, row, "rss"), TASK)
    assert vague.eta_s == pytest.approx(by_trend.eta_s, rel=0.05)


# --- what is kept ---


def test_a_model_with_times_is_kept_and_one_with_times_of_other_rows_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "one.model"
    told = learned(within(0.25, 0.5, 1.0, 0.1))
    write_learned(file, told)
    assert read_learned(file) == told
    one = always(0.0, ("a",))
    other = Times(one, one, one, 0.0)
    write_learned(file, msgspec.structs.replace(told, times=other))
    with pytest.raises(SelfhealError, match="its features are not those that are made now"):
        read_learned(file)
