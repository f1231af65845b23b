"""Is a value compared as the operators say, and is what nothing can be compared with refused?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from selfheal.observe.compare import MISSING, Expected, Scalar, condition

EXPECTED: TypeAdapter[Scalar | dict[str, Scalar]] = TypeAdapter(Expected)


def wrong(wanted: object, value: object) -> str | None:
    return condition(EXPECTED.validate_python(wanted)).judge("x", value)


@pytest.mark.parametrize(
    ("wanted", "good", "bad"),
    [
        ({"<": 100}, [99, 99.9, -1, float("-inf")], [100, "5", True, None, [], float("nan")]),
        ({"<=": 100}, [100, 100.0], [101, 10**30]),
        ({">": 0.5}, [1, 10**400, float("inf")], [0.5, False, "1", {}]),
        ({">=": 1, "<=": 5}, [1, 3, 5], [0, 6]),
        ({"==": 1}, [1, 1.0], [True, "1", 2]),
        ({"!=": "down"}, ["up", 1, None], ["down"]),
        ({"!=": 1}, [True, 2], [1, 1.0]),
        ({"=~": "^(up|ok)$"}, ["up", "ok"], ["upper", 5, None, ["up"]]),
        ({"exists": True}, [None, 0, "", []], [MISSING]),
        ({"exists": True, ">": 3}, [4], [3, MISSING]),
        ({"exists": False}, [MISSING], [None, 0]),
        ("up", ["up"], ["Up", MISSING]),
        (True, [True], [1, "true", MISSING]),
    ],
)
def test_a_condition_holds_for_what_it_says_and_for_nothing_else(
    wanted: object, good: list[object], bad: list[object]
) -> None:
    assert [value for value in (*good, *bad) if wrong(wanted, value) is None] == good


@pytest.mark.parametrize(
    ("wanted", "value", "said"),
    [
        ({"<": 100}, 120, "x is 120, expected < 100"),
        ({">=": 1, "<=": 5}, 0.5, "x is 0.5, expected >= 1 and <= 5"),
        ({"=~": "^up"}, "down", "x is 'down', expected =~ '^up'"),
        ({"<": 1}, MISSING, "x is missing, expected < 1"),
        ({"exists": True}, MISSING, "x is missing, expected that it exists"),
        ({"exists": False}, None, "x is null, expected that it does not exist"),
        (1, 10**30, "x is a number of more than 18 digits, expected 1"),
        (1, 3.0, "x is 3, expected 1"),
        ("up", "u" * 500, f"x is '{'u' * 60}…', expected 'up'"),
        ("up", {"a": 1}, "x is an object, expected 'up'"),
        (False, [1], "x is a list, expected false"),
    ],
)
def test_a_reason_says_what_there_is_and_what_was_expected(wanted: object, value: object, said: str) -> None:
    assert wrong(wanted, value) == said


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"<>": 1}, "'<>' is no operator; use one of <, <="),
        ({"state": "up"}, "write a dotted name in quotes"),
        ({}, "the table of operators is empty; write"),
        ({"<": "5"}, "'<' compares numbers, and '5' is none; write a finite number"),
        ({">=": True}, "'>=' compares numbers, and true is none"),
        ({">": float("nan")}, "write a finite number"),
        ({"=~": "("}, "is not a regular expression"),
        ({"=~": 5}, "write it in quotes"),
        ({"exists": "no"}, "write true or false"),
        ({"exists": False, "<": 1}, "leave exists = false, or take it out"),
        ([1], "nothing is compared with a list; write a value, or a table of operators"),
        ({"==": [1]}, "nothing is compared with what is no scalar; write"),
    ],
)
def test_what_no_value_could_be_judged_by_is_refused_with_the_cure(wanted: object, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        EXPECTED.validate_python(wanted)
    assert said in str(refused.value)


NUMBERS = st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False)


@given(NUMBERS, NUMBERS)
def test_numbers_are_ordered_as_python_orders_them(value: float, limit: float) -> None:
    holding = [operator for operator in ("<", "<=", ">", ">=", "==", "!=") if wrong({operator: limit}, value) is None]
    assert holding == [
        operator
        for operator, holds in {
            "<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit,
            "==": value == limit, "!=": value != limit,
        }.items()
        if holds
    ]  # fmt: skip
