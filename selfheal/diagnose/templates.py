"""Which lines of a log are the same but for what varies in them?

What varies by its look (numbers, ids, times, addresses, what is quoted) is masked first; lines that are equal by then
are one template. The others are joined where most of their words agree, place by place, as in Drain (He et al., ICWS
2017): what differs between two becomes a wildcard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

WILD = "<*>"
# A line is told by its beginning; what comes after so many words or characters is data.
WORDS, CHARACTERS = 24, 400
# Where it is printed stands within so many characters, if at all.
HEAD = 100
# Of two lines of equally many words so many must agree.
ALIKE = 0.6
# Of a line of so few words each one tells.
SHORT = 7
# With more templates of one shape than this a program prints what is no template: the rest is one.
SHAPES = 200

_VARIES = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"  # a UUID
    r"|\"[^\"]{0,400}\"|'[^']{0,400}'"  # what is quoted
    r"|\b[0-9a-fA-F]{12,}\b"  # an id
    r"|\S*\d\S*",  # whatever has a digit in it
    re.IGNORECASE,
)
# Where in a program a line is printed tells more than its words.
_PLACE = re.compile(r"[A-Za-z_][\w$./\[\]]*(?:#|\.[a-z]{1,5}:)\d{1,5}\b")
_BREAKS = re.compile(r"[\s,;=()\[\]{}|]+")


def masked(message: str) -> tuple[str, ...]:
    """The words of a line, with a wildcard for each that varies by its look; those that follow each other are one."""
    text = message[:CHARACTERS]
    printed_at = _PLACE.search(text, 0, HEAD)
    if printed_at is not None:
        return (printed_at[0],)
    words = _BREAKS.split(_VARIES.sub(WILD, text))[:WORDS]
    kept = [
        word for place, word in enumerate(words) if word and not (word == WILD and place and words[place - 1] == WILD)
    ]
    return tuple(kept)


class Miner:
    """Learns templates from lines, in the order in which they come. A template goes by its number."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], int] = {}
        self._shapes: dict[tuple[int, str], list[int]] = {}
        self._words: list[list[str]] = []

    def number(self, message: str) -> int:
        """The number of the template of a line."""
        words = masked(message)
        known = self._numbers.get(words)
        if known is None:
            known = self._numbers[words] = self._joined(words)
        return known

    def text(self, number: int) -> str:
        """A template in words."""
        return " ".join(self._words[number])

    def _joined(self, words: Sequence[str]) -> int:
        shape = self._shapes.setdefault((len(words), words[0] if words else ""), [])
        for number in shape:
            if _agree(self._words[number], words) >= ALIKE and not _speaks(self._words[number], words):
                self._words[number] = [a if a == b else WILD for a, b in zip(self._words[number], words, strict=True)]
                return number
        if len(shape) >= SHAPES:
            return shape[-1]
        self._words.append(list(words))
        shape.append(len(self._words) - 1)
        return shape[-1]


def _agree(one: Sequence[str], other: Sequence[str]) -> float:
    """The share of places at which two lines of equal length have the same word."""
    if not one:
        return 1.0
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def _speaks(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two short lines differ in a word of plain language: "begins" and "finished" are no data."""
    if len(one) > SHORT:
        return False
    return any(
        a != b and a.isalpha() and b.isalpha() and a.islower() and b.islower() for a, b in zip(one, other, strict=True)
    )
