"""May a regular expression that somebody has brought be matched against any line?

A pattern whose search takes more than polynomial time, or a high power of it, would let a log stop the daemon. What
could do so is refused by its form: repeats within repeats, what refers back, too many repeats one behind the other.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator
from math import prod
from re import _parser as parser  # type: ignore[attr-defined] # the form of a pattern; what it compiles from
from typing import Any

LONGEST = 500
# Of a line so many characters are looked at: as often may go round what has no end.
REACH = 500
# The lengths of all repeats on one way through a pattern, multiplied: what two without an end have. Each place of a
# line is a new beginning; with ten times as many ways one line can take seconds.
MOST_WAYS = REACH * REACH
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})
_REFERS = frozenset({"GROUPREF", "GROUPREF_EXISTS"})
# Pairs of an operation and what it takes, which the standard library gives no types for.
_Parsed = Iterable[Any]


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
    if any(name == "BRANCH" and depth for name, depth in steps):
        return "it repeats alternatives"
    if _ways(parsed) > MOST_WAYS:
        return "its repeats may go on for too long, one behind the other; use fewer, or bound them, as in .{0,40}"
    return ""


def _steps(parsed: _Parsed, depth: int) -> Iterator[tuple[str, int]]:
    """Each part of a pattern by its name, with the number of repeats around it."""
    for name, most, _, parts in _parts(parsed):
        yield name, depth
        for part in parts:
            yield from _steps(part, depth + (most > 1))


def _ways(parsed: _Parsed) -> int:
    """How many lengths the repeats can have together, on the worst way through a pattern."""
    ways = 1
    for name, _, lengths, parts in _parts(parsed):
        inner = [_ways(part) for part in parts]
        ways *= lengths * (max(inner, default=1) if name == "BRANCH" else prod(inner))
    return ways


def _parts(parsed: _Parsed) -> Iterator[tuple[str, int, int, list[_Parsed]]]:
    """Each part: its name, how often it goes round at most, how many lengths that can have, and what is in it."""
    for operation, argument in parsed:
        name = str(operation)
        if name in _REPEATS:
            least, most, inner = argument
            yield name, int(most), min(int(most), REACH) - min(int(least), REACH) + 1, [inner]
        elif name == "BRANCH":
            yield name, 1, 1, list(argument[1])
        elif name == "SUBPATTERN":
            yield name, 1, 1, [argument[3]]
        elif name in ("ASSERT", "ASSERT_NOT"):
            yield name, 1, 1, [argument[1]]
        elif name == "ATOMIC_GROUP":
            yield name, 1, 1, [argument]
        else:
            yield name, 1, 1, []
