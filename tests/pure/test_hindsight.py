"""How likely was each cause, now that is known what has helped?"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.decide.hindsight import LEAST, hindsight

CURES = {"leak": 0.9, "hung": 0.1}


def test_what_was_tried_in_vain_and_would_have_cured_a_cause_speaks_against_it() -> None:
    shares = hindsight({"leak": 0.9, "hung": 0.1}, [(CURES, False)])
    assert shares == pytest.approx({"leak": 0.5, "hung": 0.5})


def test_what_helped_and_hardly_ever_does_against_a_cause_speaks_against_it() -> None:
    shares = hindsight({"leak": 0.3, "hung": 0.7}, [(CURES, True)])
    assert [*shares] == ["leak", "hung"]
    assert shares["leak"] == pytest.approx(0.27 / 0.34)


def test_what_is_less_likely_than_a_tenth_is_left_out() -> None:
    assert hindsight({"leak": 0.9, "hung": 0.5}, [(CURES, True)]) == {"leak": 1.0}


def test_where_nothing_explains_what_came_the_diagnosis_stands() -> None:
    certain = {"leak": 1.0, "hung": 1.0}
    assert hindsight({"leak": 0.75, "hung": 0.25}, [(certain, False)]) == {"leak": 0.75, "hung": 0.25}
    assert hindsight({"leak": 0.0, "hung": 0.0}, []) == {"leak": 0.5, "hung": 0.5}


CHANCES = st.floats(0.0, 1.0)
TRIED = st.tuples(st.fixed_dictionaries({"leak": CHANCES, "hung": CHANCES}), st.booleans())


@given(st.dictionaries(st.sampled_from(("leak", "hung", "crashed")), CHANCES, min_size=1), st.lists(TRIED, max_size=4))
def test_the_shares_sum_to_one_the_likeliest_first(
    belief: Mapping[str, float], tried: list[tuple[Mapping[str, float], bool]]
) -> None:
    shares = hindsight(belief, tried)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert [*shares.values()] == sorted(shares.values(), reverse=True)
    assert min(shares.values()) >= LEAST
    assert hindsight(belief, reversed(tried)) == pytest.approx(shares)
