"""When does a check flap, and when no longer?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from selfheal.detect.flapping import BEGINS, ENDS, STEPS, judge_flapping, share, shifted
from selfheal.detect.health import judge
from selfheal.events import FlappingBegan, FlappingOver
from selfheal.kinds import Observation
from selfheal.vitals import CheckRecord


def told(text: str) -> list[tuple[int, str]]:
    """What is told of a check whose results are these, `.` for well and `x` for failed, and at which of them."""
    record, flapping, events = CheckRecord("http"), False, list[tuple[int, str]]()
    for number, sign in enumerate(text):
        seen = Observation("api", "http", float(number), 0.1, "ok" if sign == "." else "failed")
        record, _ = judge(record, seen, 3, 2)
        event = judge_flapping(record, seen, flapping=flapping)
        if event is not None:
            flapping = isinstance(event, FlappingBegan)
            events.append((number, type(event).__name__))
    return events


def test_every_change_weighs_and_the_newest_weighs_most() -> None:
    assert share(0) == 0.0
    assert round(share((1 << STEPS) - 1), 9) == 1.0
    assert round(share(1) / share(1 << (STEPS - 1)), 9) == 1.5


def test_a_check_that_changes_sides_at_each_result_flaps_and_one_that_stays_has_settled() -> None:
    ((began, _), (over, _)) = events = told("." * 30 + "x." * 8 + "." * 40)
    assert [name for _, name in events] == ["FlappingBegan", "FlappingOver"]
    assert began < 30 + 7
    assert 46 < over < 46 + STEPS


def test_one_outage_is_no_flapping_and_neither_are_two() -> None:
    assert told("." * 30 + "x" * 30 + "." * 30) == []
    assert told("." * 30 + "xxx" + "." * 5 + "xxx" + "." * 30) == []


def test_between_the_two_shares_it_stays_as_it_is() -> None:
    """Two changes in ten results are a fifth of all: too few to begin, and too many to end."""
    steady = ("." * 8 + "xx") * 10
    assert told("." * 30 + steady) == []
    assert [name for _, name in told("x." * 20 + (".." + "xxx") * 20)] == ["FlappingBegan"]


@given(st.text("..x", max_size=200))
def test_begin_and_end_take_turns(text: str) -> None:
    names = [name for _, name in told(text)]
    assert names[::2] == ["FlappingBegan"] * len(names[::2])
    assert names[1::2] == ["FlappingOver"] * len(names[1::2])


@given(st.lists(st.booleans(), max_size=60))
def test_what_is_older_than_twenty_steps_is_forgotten(changes: list[bool]) -> None:
    flips = 0
    for changed in changes:
        flips = shifted(flips, changed=changed)
    assert flips == sum(changed << age for age, changed in enumerate(reversed(changes[-STEPS:])))
    assert 0.0 <= share(flips) <= 1.0 + 1e-9
    assert ENDS < BEGINS


def test_the_end_is_told_as_what_it_is() -> None:
    seen = Observation("api", "http", 7.0, 0.1, "ok")
    assert judge_flapping(CheckRecord("http"), seen, flapping=True) == FlappingOver(7.0, "api", "http")
    assert judge_flapping(CheckRecord("http"), seen, flapping=False) is None
