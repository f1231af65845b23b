"""Are facts shown as a person reads them, in colour only where somebody looks?"""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfheal.cli.output import Cell, Tone, coloured, counted, duration, paint, plain, share, size, state, table
from selfheal.vocabulary import AGENT_STATES, INCIDENT_STATES, OUTCOMES

CELLS = st.builds(Cell, st.text(max_size=20), st.sampled_from(list[Tone](["plain", "good", "bad", "quiet"])))


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 ms"),
        (0.0204, "20 ms"),
        (0.9996, "1.0 s"),
        (1.25, "1.2 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 m 0 s"),
        (192, "3 m 12 s"),
        (7500, "2 h 5 m"),
        (356400, "4 d 3 h"),
    ],
)
def test_a_duration_reads_as_one_says_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@given(st.floats(min_value=0, max_value=1e9))
def test_a_longer_duration_is_never_said_with_a_sixtieth_part(seconds: float) -> None:
    """ "60 s" and "60 m" would be a unit of the next kind."""
    assert not re.search(r"\b60 [sm]\b|\b24 h\b|\b1000 ms\b", duration(seconds))


def test_a_size_reads_as_one_says_it() -> None:
    assert [size(count) for count in (0, 999, 1500, 120_000_000, 2.5e9)] == [
        "0 B",
        "999 B",
        "1.5 KB",
        "120 MB",
        "2.5 GB",
    ]


@pytest.mark.parametrize(
    ("environment", "stream", "wanted"),
    [
        ({}, Terminal(), True),
        ({}, io.StringIO(), False),
        ({"TERM": "dumb"}, Terminal(), False),
        ({"NO_COLOR": "1"}, Terminal(), False),
        ({"NO_COLOR": ""}, Terminal(), True),
        ({"FORCE_COLOR": "1"}, io.StringIO(), True),
        ({"FORCE_COLOR": "0"}, io.StringIO(), False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, Terminal(), False),
    ],
)
def test_colour_is_for_those_who_want_it(environment: dict[str, str], stream: io.StringIO, wanted: bool) -> None:
    assert coloured(stream, environment) is wanted


@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "0 %"), (0.914, "91 %"), (0.994, "99 %"), (0.995, "over 99 %"), (1.0, "over 99 %")]
)
def test_no_probability_is_told_as_certain(value: float, said: str) -> None:
    assert share(value) == said


def test_one_of_a_thing_is_one_thing() -> None:
    assert [counted(number, "agent") for number in (0, 1, 2)] == ["0 agents", "1 agent", "2 agents"]


def test_every_state_has_a_mark_besides_its_colour() -> None:
    unmarked = [word for word in (*AGENT_STATES, *INCIDENT_STATES, *OUTCOMES) if not state(word).text.strip()[0]]
    assert unmarked == []


@given(st.text())
def test_no_text_of_an_agent_speaks_to_the_terminal(text: str) -> None:
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", plain(text))


def test_colours_of_an_agents_own_are_taken_out_whole() -> None:
    assert plain("\x1b[1;31mred\x1b[0m \x1b]0;title\x07 and \x1b[2Jgone") == "red  and gone"


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6))
def test_columns_are_aligned_whatever_is_in_them_and_colour_does_not_move_them(
    rows: list[tuple[Cell, Cell, Cell]],
) -> None:
    header = ("ONE", "TWO", "THREE")
    black, colourful = table(header, rows, colour=False), table(header, rows, colour=True)
    assert [plain(line).rstrip() for line in colourful] == [line.rstrip() for line in black]
    assert len("".join(f"{line}\n" for line in black).split("\n")) == len(rows) + 2


def test_a_painted_cell_ends_its_colour() -> None:
    assert paint(Cell("well", "good"), True) == "\x1b[32mwell\x1b[0m"
    assert paint(Cell("", "good"), True) == ""
