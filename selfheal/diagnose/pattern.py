"""Is a pattern harmless, and what must stand in a line that it matches?

Patterns are a part of Python's regular expressions in which nothing can go on for ever: no look-around, nothing that
refers back, a group at most optional, and few quantifiers, so that the steps for the worst line are known beforehand.
Case is ignored for ASCII letters; `(?-i:…)` minds it. What is always there in a match is looked for first, for that is
a hundred times as quick.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FLAGS = re.IGNORECASE | re.ASCII
# So much of a line is read, in characters.
LONGEST = 2000
# What the worst line may cost: about a tenth of a second.
STEPS_AT_MOST = 10_000_000
# Shorter than this, what is looked for stands in every second line.
LEAST_LITERAL = 3
# A pattern has at most so many characters, and groups within groups so deep.
PATTERN_LONGEST, DEEPEST = 300, 5

_SOME = frozenset("dDwWsS")
_BOUND = frozenset("bB")
_GROUPS = ("(?:", "(?-i:", "(")
# Characters that stand for themselves, and are not repeated.
_PLAIN = re.compile(r"[\w \-:/,;'\"=<>@#%&!`~_]+(?![?*+{])", re.ASCII)
_COUNT = re.compile(r"\{(\d{1,4})(,?)(\d{0,4})\}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: one of `literals`, in lower case, stands in each line that matches; `steps` for the worst line."""

    literals: tuple[str, ...]
    steps: int


def read(pattern: str) -> Reading:
    """Read a pattern. Raises ValueError, with what to write instead, where it may not be used."""
    if len(pattern) > PATTERN_LONGEST:
        raise ValueError(
            f"{pattern[:40]!r}… has {len(pattern)} characters, and {PATTERN_LONGEST} are the most; split it"
        )
    part = _Reader(pattern).whole()
    steps = part.ways * LONGEST
    if steps > STEPS_AT_MOST:
        raise ValueError(
            f"{pattern!r} may take {steps:,} steps on one line; have one '*' or '+' in it at most, and bound what else "
            f"repeats, as in '\\w{{1,40}}'"
        )
    if part.needs is None or min(map(len, part.needs)) < LEAST_LITERAL:
        raise ValueError(
            f"{pattern!r} matches lines that have no word in common; let at least {LEAST_LITERAL} characters in a row "
            f"stand in each of its alternatives"
        )
    return Reading(part.needs, steps)


def compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """One expression for all of them. Raises ValueError where Python does not take one."""
    try:
        return re.compile("|".join(f"(?:{one})" for one in patterns), FLAGS)
    except re.error as why:
        raise ValueError(f"{' | '.join(patterns)!r} is no regular expression: {why}") from why


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of a pattern: one of `needs` stands in each match, None where nothing has to; `ways` to match a line from
    one place on.
    """

    needs: tuple[str, ...] | None
    ways: int


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0

    def whole(self) -> _Part:
        part = self._alternatives()
        if self._at < len(self._pattern):
            raise self._wrong("a ')' closes nothing; write \\) where that is meant")
        return part

    def _alternatives(self) -> _Part:
        parts = [self._sequence()]
        while self._takes("|"):
            parts.append(self._sequence())
        known = [one.needs for one in parts if one.needs is not None]
        needs = tuple(dict.fromkeys(one for some in known for one in some)) if len(known) == len(parts) else None
        return _Part(needs, max(one.ways for one in parts))

    def _sequence(self) -> _Part:
        found: list[tuple[str, ...]] = []
        run, ways = "", 1
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            plain = _PLAIN.match(self._pattern, self._at)
            if plain is not None:
                run += plain[0].lower()
                self._at = plain.end()
                continue
            literal, part = self._atom()
            least, most = self._quantifier(is_group=part is not None)
            if literal == "" and (least, most) != (1, 1):
                raise self._wrong("it repeats nothing; '^', '$' and '\\b' have no width")
            ways = min(ways * (most - least + 1) * (part.ways if part is not None else 1), STEPS_AT_MOST)
            if literal and (least, most) == (1, 1):
                run += literal
                continue
            found.append((run + (literal or "") if least else run,))
            run = ""
            if part is not None and part.needs is not None and least:
                found.append(part.needs)
        return _Part(_best([*found, (run,)]), ways)

    def _atom(self) -> tuple[str | None, _Part | None]:
        """The next atom: what it stands for literally, "" for what has no width, None for one of several; its group."""
        sign = self._pattern[self._at]
        if sign == "(":
            return None, self._group()
        self._at += 1
        match sign:
            case "[":
                self._class()
                return None, None
            case ".":
                return None, None
            case "^" | "$":
                return "", None
            case "\\":
                return self._escape(), None
            case "*" | "+" | "?" | "{":
                raise self._wrong(f"{sign!r} repeats nothing; write \\{sign} where that is meant")
            case _ if not sign.isprintable():
                raise self._wrong("a line has no such character")
            case _:
                return sign.lower(), None

    def _group(self) -> _Part:
        begin = next((one for one in _GROUPS if self._pattern.startswith(one, self._at)), "(")
        self._at += len(begin)
        self._depth += 1
        if self._pattern.startswith("?", self._at) or self._depth > DEEPEST:
            raise self._wrong("of groups there are '(…)', '(?:…)' and '(?-i:…)', five deep at most")
        part = self._alternatives()
        if not self._takes(")"):
            raise self._wrong("a '(' is not closed")
        self._depth -= 1
        return part

    def _class(self) -> None:
        self._takes("^")
        self._takes("]")
        while not self._takes("]"):
            if self._at >= len(self._pattern):
                raise self._wrong("a '[' is not closed")
            if self._takes("\\"):
                self._escape()
            else:
                self._at += 1

    def _escape(self) -> str | None:
        sign = self._pattern[self._at : self._at + 1]
        self._at += 1
        if sign in _SOME and sign:
            return None
        if sign in _BOUND and sign:
            return ""
        if sign == "t":
            return "\t"
        if not sign or sign.isalnum():
            raise self._wrong(f"'\\{sign}' is not among what may be used: \\d \\w \\s \\b and their opposites, \\t")
        return sign

    def _quantifier(self, *, is_group: bool) -> tuple[int, int]:
        counts = self._counts()
        if counts != (1, 1):
            self._takes("?")  # as few as may be: the same steps
        if is_group and counts not in ((0, 1), (1, 1)):
            raise self._wrong("a group may only be optional, with '?'; repeat a single character or class instead")
        return counts

    def _counts(self) -> tuple[int, int]:
        if self._takes("?"):
            return 0, 1
        if self._takes("*"):
            return 0, LONGEST
        if self._takes("+"):
            return 1, LONGEST
        count = _COUNT.match(self._pattern, self._at)
        if count is None:
            return 1, 1
        self._at = count.end()
        least = int(count[1])
        most = int(count[3]) if count[3] else LONGEST if count[2] else least
        if most < least:
            raise self._wrong("the second number of '{…}' is the lesser one")
        return least, most

    def _takes(self, sign: str) -> bool:
        found = self._pattern.startswith(sign, self._at)
        self._at += len(sign) if found else 0
        return found

    def _wrong(self, why: str) -> ValueError:
        return ValueError(f"{self._pattern!r}: {why} (at character {self._at + 1})")


def _best(found: list[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Of all that has to stand in a match what is rarest, as far as its length tells."""
    return max(_full(found), key=lambda some: (min(map(len, some)), -len(some)), default=None)


def _full(found: list[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    return (some for some in found if all(some))
