from __future__ import annotations

import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.history.columns import decode, encode

NUMBERS = st.one_of(
    st.floats(allow_nan=False),
    st.integers(-(2**53), 2**53).map(float),
    st.integers(-(10**12), 10**12).map(lambda number: number / 1000),
)
COLUMNS = st.integers(0, 60).flatmap(
    lambda rows: st.lists(
        st.one_of(
            [
                st.lists(kind, min_size=rows, max_size=rows)
                for kind in (NUMBERS, st.integers(-5, 500).map(float), st.integers(0, 10**6).map(lambda n: n / 1000))
            ]
        ),
        max_size=6,
    )
)


@given(COLUMNS)
def test_what_was_encoded_comes_back_number_for_number(columns: list[list[float]]) -> None:
    assert [list(column) for column in decode(encode([array("d", column) for column in columns]))] == columns


@given(st.binary(max_size=200))
def test_what_are_no_columns_is_refused_and_nothing_else(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        decode(data)


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_a_bit_that_flips_gives_other_numbers_or_a_refusal(place: int, bit: int) -> None:
    data = bytearray(encode([array("d", [1.5, 2.25, 1e300]), array("d", [1.0, 2.0, 3.0])]))
    data[place % len(data)] ^= 1 << bit
    try:
        decode(bytes(data))
    except ValueError:
        pass


def test_times_and_whole_numbers_cost_little() -> None:
    chance = random.Random(1)
    times = array("d", [round(1.8e9 + 10 * place + chance.uniform(0, 0.02), 3) for place in range(360)])
    rss = array("d", [4096.0 * (10_000 + place + chance.randint(0, 3)) for place in range(360)])
    status = array("d", [200.0]) * 360
    assert len(encode([times])) < 2 * 360
    assert len(encode([rss])) < 2 * 360
    assert len(encode([status])) < 64
