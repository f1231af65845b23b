"""Are lines the same template where only what varies differs?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.diagnose.templates import SHAPES, Miner, masked, trace_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("user 17 logged in from 10.0.0.7", "user 4711 logged in from 192.168.1.5"),
        ("took 12ms for /orders/17", "took 9000ms for /orders/4"),
        ("id 6f9619ff-8b86-d011-b42d-00cf4fc964ff is gone", "id 00000000-8b86-d011-b42d-00cf4fc964ff is gone"),
        ('opened "a file" for reading', 'opened "another" for reading'),
        ("session closed for user root by admin", "session closed for user mail by admin"),
    ],
)
def test_what_varies_makes_no_other_template(one: str, other: str) -> None:
    miner = Miner()
    assert miner.number(one) == miner.number(other)


def test_another_sentence_is_another_template() -> None:
    miner = Miner()
    assert miner.number("connection opened") != miner.number("charging the card of the user")


def test_the_id_of_a_trace_is_found() -> None:
    assert trace_of("TraceID: 4bf92f3577b34da6a3ce929d0e0e4736 done") == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert trace_of("no trace 4bf92f35") == ""


@given(st.lists(st.text(max_size=80), max_size=40))
def test_any_line_has_a_template_and_the_same_line_the_same(lines: list[str]) -> None:
    miner = Miner()
    first = [miner.number(line) for line in lines]
    assert [miner.number(line) for line in lines] == first
    assert all(isinstance(miner.text(number), str) for number in first)


def test_what_is_no_template_does_not_fill_the_memory() -> None:
    miner = Miner()
    letters = "abcdefghijklmnopqrstuvwxyz"
    numbers = {miner.number(f"say {a}{b} {b}{a} {a}{a} {b}{b}") for a in letters for b in letters}
    assert len(numbers) <= SHAPES
    assert masked("") == ()
