"""What may have happened? Histories of every event there is, in an order that no daemon would record.

A few agents, checks, fixes and incidents, so that events meet; time that goes on and sometimes back. What reads the
journal has to cope with all of it: records may be lost, and clocks are set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import accumulate
from typing import Literal, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from selfheal.causes import CAUSES
from selfheal.events import (
    EVENT_TYPES,
    AgentDeclared,
    Alternative,
    Cause,
    Contribution,
    Event,
    Fingerprint,
    HealingPaused,
    HealingResumed,
    Proof,
    Run,
    Signature,
    Similar,
    Suspected,
    SuspectedChange,
    Tally,
)
from selfheal.vocabulary import GUARD_CODES, GuardCode

AGENTS = ("cache", "api", "web:0")
CHECKS = ("http", "process")
FIXES = ("restart", "restart_with_dependents", "purge")
INCIDENTS = ("inc-1", "inc-2", "inc-3", "inc-4")
BEGIN = 1_800_000_000.0

AMOUNTS = st.integers(-8, 4000).map(lambda quarters: quarters / 4)
WORDS = st.text(max_size=8)
MOMENTS = AMOUNTS.map(lambda seconds: BEGIN + seconds)
RUNS = st.builds(Run, st.integers(2, 9), st.integers(0, 3), MOMENTS, st.integers(0, 9), WORDS)
SLUGS = st.sampled_from(("", *CAUSES, "stale_cache"))
CHANCES = st.sampled_from((0.0, 0.25, 0.5, 1.0))

FIELDS: Mapping[str, st.SearchStrategy[object]] = {
    "at": MOMENTS,
    "agent": st.sampled_from(AGENTS),
    "depends_on": st.lists(st.sampled_from((*AGENTS, "gone")), max_size=2, unique=True).map(tuple),
    "checks": st.lists(st.sampled_from(CHECKS), max_size=2, unique=True).map(tuple),
    "implicit": st.sampled_from(((), CHECKS[1:])),
    "check": st.sampled_from(CHECKS),
    "run": RUNS,
    "generation": st.integers(0, 3),
    "fix": st.sampled_from(FIXES),
    "incident": st.sampled_from(INCIDENTS),
    "into": st.sampled_from(INCIDENTS),
    "attempt": st.integers(1, 3),
    "cause": SLUGS,
    "causes": st.lists(
        st.builds(
            Cause,
            SLUGS,
            CHANCES,
            st.sampled_from(AGENTS),
            st.lists(WORDS, max_size=2).map(tuple),
            st.just(()),
            st.lists(st.sampled_from(("own.a", "general.disk_full")), max_size=2).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    "alternatives": st.lists(st.builds(Alternative, st.sampled_from(FIXES), CHANCES, AMOUNTS, WORDS), max_size=2).map(
        tuple
    ),
    "key": st.sampled_from((*INCIDENTS, "loop-heal")),
    "probability": CHANCES,
    "score": CHANCES,
}
_TALLIES = st.builds(Tally, CHANCES, CHANCES, MOMENTS)
_SIGNS = st.sampled_from(("own.a", "own.b", "general.disk_full"))
_LOOKS = st.lists(st.sampled_from(("agent:api", "exit:1", "log:no room", "kind:process")), max_size=3).map(tuple)
SIGNATURES = st.builds(Signature, _SIGNS, SLUGS, st.tuples(WORDS), CHANCES, WORDS, WORDS)
FINGERPRINTS = st.builds(
    Fingerprint, st.sampled_from(INCIDENTS), st.sampled_from(("", "d1", "d2")), st.sampled_from(AGENTS), MOMENTS,
    _LOOKS, SLUGS, st.sampled_from(AGENTS), st.sampled_from(get_args(Proof)), WORDS, st.none() | AMOUNTS, st.booleans(),
)  # fmt: skip
SIMILARS = st.builds(
    Similar, st.sampled_from(INCIDENTS), CHANCES, st.sampled_from(AGENTS), MOMENTS, SLUGS, st.sampled_from(AGENTS)
)
FIELDS = {
    **FIELDS,
    "id": _SIGNS,
    "signature": SIGNATURES,
    "tallies": st.dictionaries(
        st.sampled_from(("d1", "d2")), st.dictionaries(_SIGNS, _TALLIES, max_size=2), max_size=2
    ),
    "incidents": st.lists(FINGERPRINTS, max_size=2).map(tuple),
    "look": _LOOKS,
    "similar": st.lists(SIMILARS, max_size=2).map(tuple),
}
BY_HINT: Mapping[object, st.SearchStrategy[object]] = {
    float: AMOUNTS,
    float | None: st.none() | AMOUNTS,
    int: st.integers(0, 2**40),
    int | None: st.none() | st.integers(0, 2**40),
    str: WORDS,
    str | None: st.none() | WORDS,
    bool: st.booleans(),
    Mapping[str, str]: st.dictionaries(WORDS, WORDS, max_size=2),
    Mapping[str, tuple[float, float]]: st.dictionaries(WORDS, st.tuples(AMOUNTS, AMOUNTS), max_size=2),
    tuple[Suspected, ...]: st.lists(
        st.builds(
            Suspected,
            st.sampled_from(AGENTS),
            CHANCES,
            st.dictionaries(WORDS, WORDS, max_size=2),
            st.lists(AMOUNTS, max_size=4).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    tuple[SuspectedChange, ...]: st.lists(
        st.builds(SuspectedChange, MOMENTS, st.sampled_from(AGENTS), WORDS, CHANCES), max_size=2
    ).map(tuple),
    Mapping[str, float]: st.dictionaries(WORDS, AMOUNTS, max_size=2),
    tuple[float, ...]: st.lists(AMOUNTS, max_size=4).map(tuple),
    tuple[str, ...]: st.lists(WORDS, max_size=2).map(tuple),
    tuple[tuple[str, float], ...]: st.lists(st.tuples(WORDS, AMOUNTS), max_size=2).map(tuple),
    tuple[Contribution, ...]: st.lists(st.builds(Contribution, WORDS, CHANCES, WORDS), max_size=2).map(tuple),
    tuple[GuardCode, ...]: st.lists(st.sampled_from(GUARD_CODES), max_size=2).map(tuple),
    GuardCode | None: st.none() | st.sampled_from(GUARD_CODES),
}


def _of(kind: type[Event], **known: str) -> st.SearchStrategy[Event]:
    hints = get_type_hints(kind)
    given = {field.name: _values(kind, field.name, hints[field.name]) for field in fields(kind)}
    return st.builds(kind, **{**given, **{name: st.just(value) for name, value in known.items()}})


def _values(kind: type[Event], name: str, hint: object) -> st.SearchStrategy[object]:
    if name == "agent" and kind in (HealingPaused, HealingResumed):
        return st.none() | FIELDS[name]
    if name in FIELDS:
        return FIELDS[name]
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    return BY_HINT[hint]


EVENTS: st.SearchStrategy[Event] = st.one_of([_of(kind) for kind in EVENT_TYPES.values()])
DECLARATIONS = [_of(AgentDeclared, agent=name) for name in AGENTS]
STEPS = st.sampled_from((0.0, 0.5, 5.0, 700.0, -60.0))


@st.composite
def histories(draw: st.DrawFn, max_size: int = 40) -> list[Event]:
    """Events in a row, the agents declared first as a rule, with time that now and then goes back."""
    declared = [draw(one) for one in DECLARATIONS if draw(st.integers(0, 9))]
    happened = [*declared, *draw(st.lists(EVENTS, max_size=max_size))]
    steps = draw(st.lists(STEPS, min_size=len(happened), max_size=len(happened)))
    moments = accumulate(steps, initial=BEGIN)
    return [replace(event, at=at) for event, at in zip(happened, moments, strict=False)]
