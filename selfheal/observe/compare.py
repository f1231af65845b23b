"""Is a value as the configuration expects it? Equal to a scalar, or as a table of operators says.

Pure. A condition is compiled once, when its check is built: judging a value is a call or two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from math import isfinite
from typing import Annotated, Final, TypeGuard

from pydantic import AfterValidator, BeforeValidator, StrictBool, StrictFloat, StrictInt, StrictStr

from selfheal.config.units import brief
from selfheal.observe.wording import excerpt

SHOWN_CHARS = 60  # of one value in a reason
_LONGEST = 10**18  # JSON bounds no number, and a reason is one line
MISSING: Final = object()
"""Stands for a value that is not there."""

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
Test = Callable[[object], bool]

_CURE = "write a value, or a table of operators such as { '<' = 100 }"
_OPERATORS = ("<", "<=", ">", ">=", "==", "!=", "=~", "exists")


@dataclass(frozen=True, slots=True)
class Condition:
    """What one value has to be. `expected` is that in words, `absent` says that it must not be there at all."""

    expected: str
    holds: Test
    absent: bool = False

    def is_met(self, value: object) -> bool:
        """Whether this value, or MISSING, is as it has to be."""
        return self.absent if value is MISSING else not self.absent and self.holds(value)

    def judge(self, name: str, value: object) -> str | None:
        """What is wrong with the value of this name, MISSING where there is none, in words; None where all is well."""
        if self.is_met(value):
            return None
        return f"{name} is {'missing' if value is MISSING else show(value)}, expected {self.expected}"


def condition(wanted: Scalar | Mapping[str, Scalar]) -> Condition:
    """Compile what is expected of a value. Raises ValueError, with the cure, where no value could be judged by it."""
    if not isinstance(wanted, Mapping):
        return Condition(show(wanted), _equals(wanted))
    if not wanted:
        raise ValueError(f"the table of operators is empty; {_CURE}")
    tests = {operator: _test(operator, operand) for operator, operand in wanted.items()}
    if wanted.get("exists") is False:
        if len(wanted) > 1:
            raise ValueError("what does not exist has no value to compare; leave exists = false, or take it out")
        return Condition("that it does not exist", _anything, absent=True)
    words = [f"{operator} {show(operand)}" for operator, operand in wanted.items() if operator != "exists"]
    return Condition(" and ".join(words) or "that it exists", _all(tests.values()))


def show(value: object) -> str:
    """A value in a reason: as JSON has it, but a text cut and in single quotes."""
    match value:
        case str():
            return repr(excerpt(value, SHOWN_CHARS))
        case bool() | None:
            return {True: "true", False: "false", None: "null"}[value]
        case int():
            return str(value) if abs(value) < _LONGEST else "a number of more than 18 digits"
        case float():
            return f"{value:.15g}"
        case dict():
            return "an object"
        case _:
            return "a list"


def _test(operator: str, operand: Scalar) -> Test:
    match operator:
        case "==":
            return _equals(operand)
        case "!=":
            return _not(_equals(operand))
        case "=~":
            return _matches(operand)
        case "exists" if isinstance(operand, bool):
            return _anything
        case "exists":
            raise ValueError(f"exists = {brief(operand)} says neither yes nor no; write true or false")
        case "<" | "<=" | ">" | ">=":
            return _ordered(operator, operand)
        case _:
            names = ", ".join(_OPERATORS)
            raise ValueError(f"{brief(operator)} is no operator; use one of {names}, and write a dotted name in quotes")


def _equals(wanted: Scalar) -> Test:
    """Equality as JSON has it: true is not 1, while 1 is 1.0."""
    is_bool = isinstance(wanted, bool)
    return lambda value: isinstance(value, bool) is is_bool and value == wanted


def _ordered(operator: str, operand: Scalar) -> Test:
    if isinstance(operand, bool | str) or not isfinite(operand):
        raise ValueError(f"'{operator}' compares numbers, and {brief(operand)} is none; write a finite number")
    limit = operand
    tests: Mapping[str, Test] = {
        "<": lambda value: _is_number(value) and value < limit,
        "<=": lambda value: _is_number(value) and value <= limit,
        ">": lambda value: _is_number(value) and value > limit,
        ">=": lambda value: _is_number(value) and value >= limit,
    }
    return tests[operator]


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _matches(operand: Scalar) -> Test:
    if not isinstance(operand, str):
        raise ValueError(f"'=~' searches for a regular expression, and {brief(operand)} is no text; write it in quotes")
    try:
        search = re.compile(operand).search
    except re.error as why:
        raise ValueError(
            f"{brief(operand)} is not a regular expression ({why}); mend it, or compare with '=='"
        ) from why
    return lambda value: isinstance(value, str) and search(value) is not None


def _not(test: Test) -> Test:
    return lambda value: not test(value)


def _anything(_value: object) -> bool:
    return True


def _all(tests: Iterable[Test]) -> Test:
    """All of them as one: nested calls, since `all` over a generator takes three times as long."""
    return reduce(lambda first, second: lambda value: first(value) and second(value), tests)


def _plain(value: object) -> object:
    """Refuse at once what is neither a scalar nor a table of scalars: else each type would say what it misses."""
    parts = value.values() if isinstance(value, dict) else (value,)
    if not all(isinstance(part, bool | int | float | str) for part in parts):
        raise ValueError(
            f"nothing is compared with {'what is no scalar' if isinstance(value, dict) else brief(value)}; {_CURE}"
        )
    return value


def _compiles(value: Scalar | dict[str, Scalar]) -> Scalar | dict[str, Scalar]:
    condition(value)
    return value


Expected = Annotated[Scalar | dict[str, Scalar], BeforeValidator(_plain), AfterValidator(_compiles)]
