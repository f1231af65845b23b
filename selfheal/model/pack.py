"""What is a language model told about an incident?

Pure. A pack is small, scrubbed and the same for the same facts; causes, fixes and pieces of evidence go by names that
are drawn anew for each question: nobody who writes into a log can know them, and an answer can name nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from selfheal.causes import CAUSES
from selfheal.events import Cause
from selfheal.model.scrub import Scrubber

# Another number makes another question: no answer to an older one is taken for it.
SCHEMA_VERSION = 1
BYTES = 12_000
CAUSES_AT_MOST, FIXES_AT_MOST, LINES_AT_MOST, PAST_AT_MOST = 5, 6, 20, 3
EVIDENCE_AT_MOST, ONSETS_AT_MOST, CHANGES_AT_MOST, DIFF_LINES = 6, 12, 8, 40
TEXT_LENGTH = 300
UNKNOWN = "unknown"
# Tokens are counted by their makers; this many bytes a token is a fair guess for what is sent here.
BYTES_A_TOKEN = 3.5
# What differs each time though the trouble is the same.
_TIMES = frozenset({"seconds_before", "seconds_after", "days_ago"})


@dataclass(frozen=True, slots=True)
class Option:
    """A fix that could be applied; `barred` says why it cannot be now."""

    fix: str
    layer: str
    tier: int
    helps: float
    barred: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What was changed before it began."""

    agent: str
    kind: str
    title: str
    seconds_before: float
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Past:
    """An incident like this one; `outcome` is that of its last attempt."""

    agent: str
    cause: str
    fix: str
    outcome: str
    days_ago: float


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a pack is made from. `onsets` are agents with the seconds after the first that failed."""

    agent: str
    trigger: str
    sign: str
    causes: tuple[Cause, ...]
    options: tuple[Option, ...] = ()
    log: tuple[str, ...] = ()
    onsets: tuple[tuple[str, float], ...] = ()
    changes: tuple[Change, ...] = ()
    past: tuple[Past, ...] = ()


@dataclass(frozen=True, slots=True)
class Pack:
    """What is sent, and what the names in it stand for. `evidence` gives the cause that it is for, and its text."""

    text: str
    key: str
    causes: Mapping[str, Cause]
    fixes: Mapping[str, str]
    evidence: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """About as many as it costs to send it."""
        return round(len(self.text.encode()) / BYTES_A_TOKEN)


Shape = dict[str, object]


def pack(facts: Facts, redact: Callable[[str], str], draw: Callable[[], int], model: str) -> Pack:
    """Return what `model` is told; `draw` gives a number at random, another each time."""
    plain = _shape(facts, redact)
    _shrink(plain)
    names = _Names(draw)
    causes: dict[str, Cause] = {}
    evidence: dict[str, tuple[str, str]] = {}
    fixes: dict[str, str] = {}
    key = _digest(plain, model)
    for cause, shown in zip(facts.causes, _dicts(plain["candidates"]), strict=False):
        name = shown["id"] = names.new("c")
        causes[name] = cause
        told: list[Shape] = []
        for text in _texts(shown["evidence"]):
            piece = names.new("e")
            evidence[piece] = (name, text)
            told.append({"id": piece, "text": text})
        shown["evidence"] = told
    for option, shown in zip(facts.options, _dicts(plain["fixes"]), strict=False):
        shown["id"] = names.new("f")
        fixes[str(shown["id"])] = option.fix
    return Pack(_canonical(plain), key, causes, fixes, evidence)


def _shape(facts: Facts, redact: Callable[[str], str]) -> Shape:
    scrub = Scrubber(redact)

    def text(said: str) -> str:
        shown = scrub.text(said)
        return shown if len(shown) <= TEXT_LENGTH else shown[: TEXT_LENGTH - 1] + "…"

    return {
        "alert": {"agent": text(facts.agent), "trigger": facts.trigger, "sign": text(facts.sign)},
        "candidates": [
            {
                "cause": text(one.slug),
                "means": CAUSES.get(one.slug, ""),
                "agent": text(one.agent),
                "probability": round(one.probability, 3),
                "channels": sorted(one.channels),
                "evidence": [text(said) for said in one.evidence[:EVIDENCE_AT_MOST]],
            }
            for one in facts.causes[:CAUSES_AT_MOST]
        ],
        "fixes": [
            {"fix": text(one.fix), "layer": one.layer, "tier": one.tier, "helps": round(one.helps, 2),
             "barred": text(one.barred)}
            for one in facts.options[:FIXES_AT_MOST]
        ],
        "log": [{"line": line, "count": count} for line, count in scrub.lines(facts.log, LINES_AT_MOST)],
        "onsets": [
            {"agent": text(agent), "seconds_after": round(after, 1)} for agent, after in facts.onsets[:ONSETS_AT_MOST]
        ],
        "changes": [
            {"agent": text(one.agent), "kind": one.kind, "title": text(one.title),
             "seconds_before": round(one.seconds_before), "diff": [scrub.text(line)[:160] for line in one.diff]}
            for one in _cut(facts.changes[-CHANGES_AT_MOST:])
        ],
        "past": [
            {"agent": text(one.agent), "cause": text(one.cause), "fix": text(one.fix), "outcome": one.outcome,
             "days_ago": round(one.days_ago, 1)}
            for one in facts.past[:PAST_AT_MOST]
        ],
    }  # fmt: skip


def _cut(changes: Sequence[Change]) -> list[Change]:
    """The same changes with so many lines of their diffs in all, the latest first served."""
    left, kept = DIFF_LINES, list[Change]()
    for one in reversed(changes):
        kept.append(Change(one.agent, one.kind, one.title, one.seconds_before, one.diff[:left]))
        left -= len(kept[-1].diff)
    return kept


def _shrink(plain: Shape) -> None:
    """Leave out what tells least until it fits, names included."""
    for part in ("diff", "log", "past", "changes", "onsets", "evidence"):
        while len(_canonical(plain).encode()) > BYTES - 1_500:
            if not _drop(plain, part):
                break


def _drop(plain: Shape, part: str) -> bool:
    """Leave out the last of a part; of lists in other lists, of the longest."""
    lists = {
        "diff": [one["diff"] for one in _dicts(plain["changes"])],
        "evidence": [one["evidence"] for one in _dicts(plain["candidates"])],
    }.get(part) or [plain.get(part)]
    longest = max((one for one in lists if isinstance(one, list)), key=len, default=[])
    if not longest:
        return False
    longest.pop()
    return True


def _digest(plain: Shape, model: str) -> str:
    timeless = json.loads(_canonical(plain), object_hook=_without_times)
    return sha256(f"{SCHEMA_VERSION}\n{model}\n{_canonical(timeless)}".encode()).hexdigest()


def _without_times(value: Shape) -> Shape:
    return {key: item for key, item in value.items() if key not in _TIMES}


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _dicts(value: object) -> list[Shape]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


class _Names:
    """Gives names that were not given yet."""

    def __init__(self, draw: Callable[[], int]) -> None:
        self._draw = draw
        self._given: set[str] = set()

    def new(self, kind: str) -> str:
        name = f"{kind}_{self._draw() % 16**8:08x}"
        while name in self._given:
            name = f"{kind}_{self._draw() % 16**8:08x}"
        self._given.add(name)
        return name
