"""How soon is a dead daemon started again?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfheal.keeper import Pauses


def test_the_first_time_at_once_then_longer_each_time() -> None:
    pauses = Pauses()
    assert [pauses.after(1.0) for _ in range(9)] == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_minute_of_life_makes_the_next_death_a_first_one() -> None:
    pauses = Pauses()
    assert [pauses.after(lived_s) for lived_s in (1.0, 59.9, 60.0, 1.0)] == [0.0, 0.5, 0.0, 0.5]


@given(st.lists(st.floats(0.0, 1e6)))
def test_it_is_never_given_up_and_never_waits_longer_than_the_last_pause(lives: list[float]) -> None:
    pauses = Pauses(0.1, 3.0)
    assert all(0.0 <= pauses.after(lived_s) <= 3.0 for lived_s in lives)
