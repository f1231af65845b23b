"""May a regular expression that somebody has brought be matched against any line?

A pattern whose search takes more than polynomial time, or a high power of it, would let a log stop the daemon. What
could do so is refused by its form: repeats within repeats, what refers back, and more than two that may go on for ever.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from re import _parser as parser  # type: ignore[attr-defined] # the form of a pattern; what it compiles from
from typing import Any

LONGEST = 500
# Repeats without an end in one way through the pattern: with a third one a line of a few hundred letters takes seconds.
MOST_ENDLESS = 2
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_REFERS = frozenset({"GROUPREF", "GROUPREF_EXISTS"})
# Pairs of an operation and what it takes, which the standard library gives no types for.
_Parsed = Iterable[Any]
# A repeat that may go on for longer than this is as good as endless.
SHORT = 100


def why_unsafe(pattern: str) -> str:
    """Return what is wrong with a pattern, in words; empty where nothing is."""
    if len(pattern) > LONGEST:
        return f"it is longer than {LONGEST} characters"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(f"(?:{pattern})", re.IGNORECASE)
            parsed = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError, Warning, ValueError) as why:
        return f"it is no regular expression: {why}"
    if re.search(pattern, "", re.IGNORECASE):
        return "it matches the empty line, and with it every line"
    return _why(parsed)


def _why(parsed: _Parsed) -> str:
    steps = [*_steps(parsed, 0)]
    if any(name in _REFERS for name, _ in steps):
        return "it refers back to a group"
    if any(name in _REPEATS and depth for name, depth in steps):
        return "it repeats what is repeated already"
    if _endless(parsed) > MOST_ENDLESS:
        return f"more than {MOST_ENDLESS} of its parts may go on for ever; bound them, as in .{{0,80}}"
    return ""


def _steps(parsed: _Parsed, depth: int) -> Iterator[tuple[str, int]]:
    """Each part of a pattern by its name, with the number of repeats around it."""
    for name, repeats, parts, _ in _parts(parsed):
        yield name, depth
        for part in parts:
            yield from _steps(part, depth + repeats)


def _endless(parsed: _Parsed) -> int:
    """The repeats without an end on the worst way through a pattern."""
    return sum(
        int(without_end) + max((_endless(part) for part in parts), default=0)
        if name == "BRANCH"
        else int(without_end) + sum(_endless(part) for part in parts)
        for name, _, parts, without_end in _parts(parsed)
    )


def _parts(parsed: _Parsed) -> Iterator[tuple[str, bool, list[_Parsed], bool]]:
    """Each part: its name, whether it repeats, what is in it, and whether it may go on for long."""
    for operation, argument in parsed:
        name = str(operation)
        if name in _REPEATS:
            _, most, inner = argument
            yield name, int(most) > 1, [inner], int(most) > SHORT
        elif name == "BRANCH":
            yield name, False, list(argument[1]), False
        elif name == "SUBPATTERN":
            yield name, False, [argument[3]], False
        elif name in ("ASSERT", "ASSERT_NOT"):
            yield name, False, [argument[1]], False
        elif name == "ATOMIC_GROUP":
            yield name, False, [argument], False
        else:
            yield name, False, [], False
