"""Which change caused an incident, or did none?

What was changed is held against what is seen: words that stand in the changed lines and in what the services say since,
weighed by how rare they are among all changes; whether it touched the service that is in trouble; whether it is of a
kind that breaks things: limits, time-outs, pools, log levels, guards that were taken out. That it came last says
nothing by itself: of ten deploys before an incident nine are innocent. "None" competes with all of them, and the more
the evidence speaks of the outside (load that rises everywhere, a neighbour on the machine, bad input), the better.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import exp, inf, log, log1p

from selfheal.diagnose.case import NONE, Change, PatternCount
from selfheal.diagnose.robust import median
from selfheal.diagnose.view import View

# --- what each sign counts -------------------------------------------------------------------------------------------
LEXICAL, ALERTING, SUSPECTED, RISKY, GUARD, NAME = 0.125, 0.8, 2.0, 1.0, 0.5, 0.5
NO_DIFF, HARMLESS, LATE, MOVED, CHECKS, SAME = -2.0, -1.5, -3.0, -1.0, -1.0, -2.0
# After these runs what had run before.
_SAME = frozenset({"fix", "restart"})
# What "none" has by itself, for each sign of the outside, and for load that rises in most services at once.
NOTHING, OUTSIDE, SURGE = 1.6, 0.6, 2.0
# So far above its spread load has risen.
RISEN = 5.0
# What came so much later than the noticed beginning did not cause it.
LATE_S = 30.0
# It is only moved where so much of what was taken out stands among what was put in.
ALIKE = 0.75
# A check that was added has no more lines than these.
GUARD_LINES = 6
# A diff is looked at as far as this, in characters; a log as far as so many lines.
LONGEST, LINES = 40_000, 20_000

_WORD = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}(?![a-z])")
_COMMON = frozenset(
    {
        "the", "and", "for", "with", "from", "this", "that", "into", "not", "are", "was", "has", "have", "will",
        "can", "new", "func", "return", "string", "int", "bool", "err", "error", "nil", "null", "none", "true",
        "false", "const", "var", "let", "type", "struct", "class", "def", "self", "import", "public", "private",
        "void", "static", "final", "if", "else", "while", "service", "server", "client", "request", "response",
        "handler", "get", "set", "value", "name", "data", "src", "lib", "pkg", "main", "index", "file", "test",
        "code", "http", "json", "log", "info", "warn", "debug", "msg", "message", "time", "id", "key", "list",
        "map", "array", "object",
    }
)  # fmt: skip
_RISKY = re.compile(
    r"time_?out|deadline|ttl|limit|max|min|pool|size|capacity|retries|retry|backoff|concurren|replica|worker|thread|batch"
    r"|buffer|queue|cache|expir|interval|threshold|quota|rate|level|sample|memory|heap|connections?",
    re.IGNORECASE,
)
_GUARDS = re.compile(
    r"\b(if|guard|assert|check|valid\w*|unless|require|ensure|lock|mutex|synchronized|close|defer|finally|except|catch"
    r"|recover|limit|index|cache)\b",
    re.IGNORECASE,
)
_CHECK = re.compile(r"if|unless|guard|assert|require|ensure|try", re.IGNORECASE)
_QUOTED = re.compile(r"[\"'](\w{3,40})[\"']")
# What a value is: a number with its unit, or a level.
_VALUE = re.compile(
    r"\b\d[\w.]*|\b(?:nano|micro|milli)?seconds?\b|\bminutes?\b|\bhours?\b|\btrue\b|\bfalse\b"
    r"|\b(?:trace|debug|info|warn|error)\b",
    re.IGNORECASE,
)
_HARMLESS_FILE = re.compile(
    r"\.(md|rst|txt|css|scss|svg|png|adoc)\b|(^|/)docs?/|_test\.|\.test\.|\.spec\.|(^|/)tests?/", re.IGNORECASE
)
_HARMLESS_TITLE = re.compile(r"^\W*(docs?|style|test|tests|chore\(deps\)|ci|typo|readme)\b[:(]", re.IGNORECASE)
_OUTSIDE = re.compile(
    r"\b(node|host|neighbou?r|steal|evict\w*|preempt\w*|throttl\w*|saturat\w*|overload\w*|shed\w*|surge|flash|malformed"
    r"|poison\w*|unparse?able|invalid record|schema violation|third.?party|upstream provider|region|zone|dns"
    r"|certificate|hardware|oversubscri\w*)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RankedChange:
    """A change, or `none`, with its probability and why in words."""

    id: str
    title: str
    service: str
    at: float
    probability: float
    evidence: tuple[str, ...] = ()


def rank_changes(view: View, suspected: Mapping[str, float]) -> tuple[RankedChange, ...]:
    """Rank the changes of a case and `none`, likeliest first; nothing where nothing was changed.

    `suspected` is the probability of each service to be the cause, by everything else.
    """
    changes = _merged(view.case.changes)
    if not changes:
        return ()
    seen = _seen(view)
    rare = _rarity(changes)
    told = [_score(one, view, seen, rare, suspected) for one in changes]
    scores = [score for score, _ in told]
    nothing, why = _outside(view)
    highest = max(*scores, nothing)
    shares = [exp(score - highest) for score in scores]
    total = sum(shares) + exp(nothing - highest)
    found = [
        RankedChange(one.id, one.title, one.service, one.at, share / total, words)
        for one, share, (_, words) in zip(changes, shares, told, strict=True)
    ]
    found.append(RankedChange("", NONE, "", view.case.at, exp(nothing - highest) / total, why))
    return tuple(sorted(found, key=lambda one: (-one.probability, one.id, one.title)))


def _merged(changes: Sequence[Change]) -> list[Change]:
    """One for each id: a commit and its deploy are the same change, from its deploy on."""
    found: dict[str, Change] = {}
    for place, one in enumerate(changes):
        key = one.id or f"#{place}"
        known = found.get(key)
        if known is None:
            found[key] = one
            continue
        first, second = (known, one) if len(known.diff) >= len(one.diff) else (one, known)
        title = (
            first.title if first.title in second.title or second.kind == "deploy" else f"{first.title} {second.title}"
        )
        service = first.service or second.service
        found[key] = Change(max(known.at, one.at), service, first.kind, title, first.diff, first.id)
    return list(found.values())


def _words(text: str) -> Counter[str]:
    words = (word.lower().removesuffix("s") for word in _WORD.findall(text[:LONGEST]))
    return Counter(word for word in words if len(word) > 2 and word not in _COMMON)


def _seen(view: View) -> dict[str, float]:
    """The words of what is seen, each with how much it is heard of since."""
    found: dict[str, float] = {}
    for pattern in _more_often(view):
        _hear(found, pattern.pattern, log1p(pattern.delta))
    before, during = Counter[str](), Counter[str]()
    for line in list(view.case.logs)[-LINES:]:
        (during if line.at >= view.case.at else before)[line.message[:200]] += 1
    for message, count in during.items():
        if count > before[message]:
            _hear(found, message, log1p(count - before[message]))
    for one in view.measures:
        if abs(one.distance) > RISEN:
            _hear(found, one.metric, 1.0)
    if view.case.alert is not None:
        _hear(found, f"{view.case.alert.metric} {view.case.alert.service}", 2.0)
    return found


def _more_often(view: View) -> list[PatternCount]:
    """What is said more often than usual."""
    return [one for one in view.case.patterns if 0.0 < one.delta < inf]


def _hear(found: dict[str, float], text: str, loud: float) -> None:
    for word in _words(text):
        found[word] = max(found.get(word, 0.0), loud)


def _rarity(changes: Sequence[Change]) -> dict[str, float]:
    """How much it says that a word stands in a change: less, the more changes have it."""
    having = Counter(word for one in changes for word in _words(f"{one.title} {_changed(one.diff)}"))
    return {word: log(len(changes) / count) + 0.1 for word, count in having.items()}


def _changed(diff: str) -> str:
    """The lines that were put in or taken out."""
    lines = (line for line in diff[:LONGEST].splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---"))
    return "\n".join(lines)


def _score(
    change: Change, view: View, seen: Mapping[str, float], rare: Mapping[str, float], suspected: Mapping[str, float]
) -> tuple[float, tuple[str, ...]]:
    changed, score, why = _changed(change.diff), 0.0, []
    shared = {word: log1p(seen[word]) * rare[word] for word in _words(f"{change.title} {changed}") if word in seen}
    if shared:
        score += LEXICAL * sum(shared.values())
        told = sorted(shared, key=lambda word: (-shared[word], word))[:5]
        why.append(f"what is seen speaks of {', '.join(told)}, as it does")
    alert = view.case.alert.service if view.case.alert is not None else ""
    if alert and alert == change.service:
        score += ALERTING
        why.append(f"it changed {alert}, which alerted")
    score += SUSPECTED * suspected.get(change.service, 0.0)
    for sign, found in _signs(_Edit.of(changed)):
        score += sign.weight * found
        if found:
            why.append(sign.words)
    if not changed and any(one.diff for one in view.case.changes):
        score += NO_DIFF  # where nobody has recorded any, that there is none says nothing
    if change.kind in _SAME:
        score += SAME
        why.append("what runs since is what had run before")
    if _is_harmless(change):
        score += HARMLESS
        why.append("it touched documents, style or tests alone")
    if change.at > view.case.at + LATE_S:
        score += LATE
        why.append("it came after the beginning")
    return score, tuple(why)


@dataclass(frozen=True, slots=True)
class _Edit:
    """What was put in and what was taken out, line by line."""

    put: tuple[str, ...]
    taken: tuple[str, ...]

    @classmethod
    def of(cls, changed: str) -> _Edit:
        lines = [(line[0], line[1:].strip()) for line in changed.splitlines()]
        put, taken = (tuple(text for kind, text in lines if kind == sign and text) for sign in "+-")
        return cls(put, taken)

    @property
    def has_moved(self) -> bool:
        """Whether most of what was taken out stands elsewhere now, as it was."""
        kept = sum(line in self.put for line in self.taken)
        return len(self.taken) > 2 and kept >= ALIKE * len(self.taken)

    @property
    def changes_a_number(self) -> bool:
        """Whether a limit, a time, a size or a level has another value."""
        before, after = (_values(filter(_RISKY.search, lines)) for lines in (self.taken, self.put))
        return bool(before and after) and before != after

    @property
    def drops_a_guard(self) -> bool:
        """Whether there are fewer checks, locks and the like than before."""
        before, after = (sum(len(_GUARDS.findall(line)) for line in lines) for lines in (self.taken, self.put))
        return before > after

    @property
    def drops_a_name(self) -> bool:
        """Whether a name in quotes is gone, by which others may still ask for something."""
        before, after = (set(_QUOTED.findall(" ".join(lines))) for lines in (self.taken, self.put))
        return bool(self.put) and bool(before - after)

    @property
    def only_guards(self) -> bool:
        """Whether it adds a check and nothing else."""
        return not self.taken and bool(self.put) and bool(_CHECK.match(self.put[0])) and len(self.put) <= GUARD_LINES


def _values(lines: Iterable[str]) -> Counter[str]:
    return Counter(value for line in lines for value in _VALUE.findall(line))


@dataclass(frozen=True, slots=True)
class _Sign:
    """What a change is like, how much that counts, and how it is told."""

    weight: float
    words: str


def _signs(edit: _Edit) -> tuple[tuple[_Sign, bool], ...]:
    return (
        (_Sign(RISKY, "it changed a limit, a time, a size or a level"), edit.changes_a_number),
        (_Sign(GUARD, "it took out a check, or what closes, locks or keeps something"), edit.drops_a_guard),
        (_Sign(NAME, "a name that others may use is gone"), edit.drops_a_name),
        (_Sign(MOVED, "it moved what was there"), edit.has_moved),
        (_Sign(CHECKS, "it added a check and nothing else"), edit.only_guards),
    )


def _is_harmless(change: Change) -> bool:
    files = re.findall(r"[\w./-]+\.\w{1,5}\b", change.title)
    return bool(_HARMLESS_TITLE.search(change.title)) or (bool(files) and all(map(_HARMLESS_FILE.search, files)))


def _outside(view: View) -> tuple[float, tuple[str, ...]]:
    """How well "none of these" explains what is seen."""
    score, why = NOTHING, []
    texts: Iterable[str] = (one.pattern for one in _more_often(view))
    signs = {match[0].lower() for text in texts for match in _OUTSIDE.finditer(text)}
    if signs:
        score += OUTSIDE * min(len(signs), 4)
        why.append(f"what is seen speaks of the outside: {', '.join(sorted(signs)[:5])}")
    load = [one.distance for one in view.measures if one.family == "load"]
    if len(load) > 1 and median(load) > RISEN:
        score += SURGE
        why.append("load rose in most services at once")
    return score, tuple(why)
