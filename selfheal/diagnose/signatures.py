"""Which lines of a log give a cause away?

`Signatures` holds all that are known and finds those that some lines show. What stands in each match is looked for in
all lines at once; only where it is there, which is seldom, the expression itself is tried, and compiled at first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from selfheal.diagnose.pattern import LONGEST, compiled, read
from selfheal.events import Signature

# However often a sign was right, other evidence may outweigh it.
WEIGHT_AT_MOST = 30.0


@dataclass(frozen=True, slots=True)
class Hit:
    """A signature that some line shows, how often it is right, and the latest such line."""

    signature: Signature
    precision: float
    line: str

    @property
    def weight(self) -> float:
        """The odds that it is right, which is how much it counts in a verdict."""
        return weight(self.precision)


def weight(precision: float) -> float:
    """The odds of a share, within bounds."""
    return min(WEIGHT_AT_MOST, precision / (1.0 - precision)) if precision < 1.0 else WEIGHT_AT_MOST


def check(signature: Signature) -> None:
    """Raises ValueError, with what to write instead, where a pattern of it may not be used."""
    for pattern in signature.patterns:
        read(pattern)
    if not signature.patterns:
        raise ValueError(f"{signature.id!r} has no pattern; write what a line looks like that shows it")
    compiled(signature.patterns)


class _Sign:
    """A signature, read: its expression is compiled when it is tried for the first time."""

    __slots__ = ("_literals", "_regex", "signature")

    def __init__(self, signature: Signature) -> None:
        self.signature = signature
        self._regex: re.Pattern[str] | None = None
        self._literals: frozenset[str] | None = None

    @property
    def literals(self) -> frozenset[str]:
        """One of them stands in each line that shows it. Raises ValueError where a pattern may not be used."""
        if self._literals is None:
            self._literals = frozenset(one for pattern in self.signature.patterns for one in read(pattern).literals)
        return self._literals

    def latest(self, lines: Sequence[str]) -> int | None:
        """The place of the latest line that shows it."""
        if self._regex is None:
            self._regex = compiled(self.signature.patterns)
        search = self._regex.search
        return next((at for at in range(len(lines) - 1, -1, -1) if search(lines[at])), None)


class Signatures(Collection[Signature]):
    """All signatures in force. Never changes: what is added or learned makes another, which shares what was read."""

    def __init__(self, signs: Callable[[], Sequence[_Sign]], precisions: Mapping[str, float]) -> None:
        self._made = signs
        self._precisions = precisions

    @classmethod
    def of(
        cls,
        shipped: Iterable[Signature],
        own: Iterable[Signature] = (),
        precisions: Mapping[str, float] | None = None,
        off: Collection[str] = (),
    ) -> Signatures:
        """Those that are shipped and not `off`, and those that a person added, with what was learned of them, by id.

        Nothing is read before it is needed, and `Signatures` are not read again. Of a person's own those are left out
        that may not be used: `check` says why.
        """
        added = tuple(own)

        def made() -> Sequence[_Sign]:
            known = shipped._signs if isinstance(shipped, Signatures) else map(_Sign, shipped)  # noqa: SLF001
            speak = (sign for sign in known if sign.signature.id not in off)
            return (*speak, *(_Sign(one) for one in added if _may_be_used(one)))

        return cls(made, precisions or {})

    def prepare(self) -> None:
        """Read all of it now, in a thread, and not when the first line is looked at."""
        _ = self._by_literal

    @cached_property
    def _signs(self) -> Sequence[_Sign]:
        return self._made()

    @cached_property
    def _by_literal(self) -> Sequence[tuple[str, tuple[int, ...]]]:
        found: dict[str, tuple[int, ...]] = {}
        for place, sign in enumerate(self._signs):
            for literal in sign.literals:
                found[literal] = (*found.get(literal, ()), place)
        return tuple(found.items())

    def precision(self, signature: Signature) -> float:
        """How often it is right, as was learned, or else as was believed before."""
        return self._precisions.get(signature.id, signature.precision)

    def hits(self, lines: Sequence[str]) -> tuple[Hit, ...]:
        """Each signature that some line shows, the latest line's first, of one line's the most precise first."""
        lines = [line[:LONGEST] for line in lines]
        text = "\n".join(lines).lower()
        tried = {place for literal, places in self._by_literal if literal in text for place in places}
        found = [(at, sign) for sign in map(self._signs.__getitem__, tried) if (at := sign.latest(lines)) is not None]
        hits = [(at, Hit(sign.signature, self.precision(sign.signature), lines[at].strip())) for at, sign in found]
        hits.sort(key=lambda one: (-one[0], -one[1].precision, one[1].signature.id))
        return tuple(hit for _, hit in hits)

    def __contains__(self, one: object) -> bool:
        return any(sign.signature == one for sign in self._signs)

    def __len__(self) -> int:
        return len(self._signs)

    def __iter__(self) -> Iterator[Signature]:
        return (sign.signature for sign in self._signs)


def _may_be_used(signature: Signature) -> bool:
    try:
        check(signature)
    except ValueError:
        return False
    return True
