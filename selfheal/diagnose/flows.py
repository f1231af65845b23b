"""What does each service do within one request, as its spans and lines show?

A flow is what one service said and did within one trace: the templates of its lines, its operations, and whom it
called. What is usual is learned from the traces before the trouble: what follows what, and how surprising it is where
something that always follows does not, or where something comes that never did.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log

from selfheal.diagnose.case import Case
from selfheal.diagnose.templates import Miner

# What comes right before the trouble may be part of it, where enough is known from before that.
GUARDS_S, ENOUGH = (120.0, 60.0, 30.0), 1000
# It is often noticed a little late.
SINCE_S = 0.0
# A way in that was seen less often tells nothing of what follows it.
LEAST_SEEN = 5
_TOKEN = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{7,}")
_HEX = re.compile(r"\b[0-9a-fA-F]{32}\b")

Key = tuple[str, str]
"""The trace and the service of a flow."""


@dataclass(frozen=True, slots=True)
class Flows:
    """The flows before and during the trouble; the first word of each is its way in."""

    before: Mapping[Key, Sequence[str]]
    during: Mapping[Key, Sequence[str]]


def until_usual(case: Case) -> float:
    """Up to when spans and lines count as usual."""
    times = sorted([one.at for one in case.spans] + [one.at for one in case.logs])
    whole = bisect_left(times, case.at)
    for guard in GUARDS_S:
        if bisect_left(times, case.at - guard) >= min(ENOUGH, max(whole // 4, 1)):
            return case.at - guard
    return case.at


def flows(case: Case) -> Flows:
    """Bring lines and spans together by their traces."""
    known = {one.trace for one in case.spans}
    owner = {(one.trace, one.id): one.service for one in case.spans}
    begun: dict[str, float] = {}
    events: dict[Key, list[tuple[float, str]]] = defaultdict(list)
    ways: dict[Key, tuple[float, str]] = {}
    for span in case.spans:
        begun[span.trace] = min(begun.get(span.trace, span.at), span.at)
        bad = " !" if is_bad(span.status) else ""
        events[span.trace, span.service].append((span.at, f"does{bad} {span.operation}"))
        way = (span.at, f"does {span.operation}")
        ways[span.trace, span.service] = min(ways.get((span.trace, span.service), way), way)
        caller = owner.get((span.trace, span.parent), "")
        if caller and caller != span.service:
            events[span.trace, caller].append((span.at, f"calls {span.service}"))
    miner = Miner()
    for line in case.logs:
        trace = trace_of(line.message, known)
        if trace:
            begun[trace] = min(begun.get(trace, line.at), line.at)
            events[trace, line.service].append(
                (line.at, f"says{' !' if is_error(line.message) else ' '}#{miner.number(line.message)}")
            )
    until, since = until_usual(case), case.at - SINCE_S
    kept = {key: [word for _, word in sorted(told)] for key, told in events.items()}
    words = _Words(miner)
    named = {
        key: (*([ways[key][1]] if key in ways else ()), *(words.of(word) for word in told))
        for key, told in kept.items()
    }
    return Flows(
        {key: told for key, told in named.items() if begun[key[0]] < until},
        {key: told for key, told in named.items() if begun[key[0]] >= since},
    )


def is_trouble(word: str) -> bool:
    """Whether a word of a flow tells of trouble: that it stays away is none."""
    return " !" in word[:8]


class _Words:
    """A template is known in full only after all lines were read."""

    def __init__(self, miner: Miner) -> None:
        self._miner = miner
        self._known: dict[str, str] = {}

    def of(self, word: str) -> str:
        if not word.startswith("says"):
            return word
        if word not in self._known:
            self._known[word] = f"{word.partition('#')[0]}'{self._miner.text(int(word.partition('#')[2]))}'"
        return self._known[word]


def trace_of(message: str, known: set[str]) -> str:
    """The trace that a line belongs to: one that the spans have, else 32 hexadecimal digits as W3C has it."""
    if known:
        return next((token for token in _TOKEN.findall(message) if token in known), "")
    found = _HEX.search(message)
    return found[0] if found is not None else ""


_ERROR = re.compile(
    r"\b(?:ERROR|ERR|FATAL|CRITICAL|PANIC|SEVERE|EXCEPTION)\b|\b\w*(?:Exception|Error)\b|\b(?:error|failed|failure|panic)\b"
)


def is_error(message: str) -> bool:
    """Whether a line says that something went wrong."""
    return _ERROR.search(message[:400]) is not None


def is_bad(status: str) -> bool:
    """Whether the status of a span says that it went wrong."""
    text = status.strip().lower()
    if text[:1].isdigit():
        return text[:1] in "45" and len(text) == 3
    return any(word in text for word in ("err", "fail", "exception", "unavailable", "deadline", "timeout"))


class Habit:
    """What usually follows each way in of one service."""

    def __init__(self) -> None:
        self.seen = 0
        self._having: Counter[str] = Counter()
        self._pairs: dict[str, Counter[str]] = defaultdict(Counter)
        self._known: dict[tuple[frozenset[str], int], tuple[float, str]] = {}

    def learn(self, flow: Sequence[str]) -> None:
        present = set(flow)
        self.seen += 1
        self._having.update(present)
        for one in present:
            self._pairs[one].update(present)

    def surprise(self, flow: Sequence[str], own: int = 0) -> tuple[float, str]:
        """How surprising a flow is, in nats beyond chance, and why. `own` is 1 for one that this was learned from."""
        key = frozenset(flow), own
        if key not in self._known:
            self._known[key] = max((*self._cuts(key[0], own), *self._news(key[0], own)), default=(0.0, ""))
        return self._known[key]

    def _cuts(self, present: frozenset[str], own: int) -> Iterator[tuple[float, str]]:
        if any(
            10 * often >= 9 * self.seen
            for word, often in self._having.items()
            if word not in present and is_trouble(word)
        ):
            return  # what used to fail did not: that it goes another way is no surprise
        for one in present:
            for other, both in self._pairs.get(one, {}).items():
                if other not in present and not is_trouble(other):
                    often = self._having[one] - own
                    yield _nats(often, often - both), f"{one} without: {other}"

    def _news(self, present: frozenset[str], own: int) -> Iterator[tuple[float, str]]:
        for word in present:
            if is_trouble(word) and self._having[word] * 4 < self.seen:
                yield _nats(self.seen - own, self._having[word] - own), f"new: {word}"


def _nats(tries: int, times: int) -> float:
    return max(0.0, log((tries + 1.0) / (times + 0.5)) - log(2.0))


def habits(known: Mapping[Key, Sequence[str]]) -> Mapping[tuple[str, str], Habit]:
    """What is usual of each service, by the way in."""
    found: dict[tuple[str, str], Habit] = defaultdict(Habit)
    for (_, service), flow in known.items():
        found[service, flow[0]].learn(flow)
    return {key: habit for key, habit in found.items() if habit.seen >= LEAST_SEEN}


def by_trace(known: Mapping[Key, Sequence[str]]) -> Iterable[tuple[str, list[str]]]:
    """The services that took part in each trace."""
    found: dict[str, list[str]] = {}
    for trace, service in known:
        found.setdefault(trace, []).append(service)
    return found.items()
