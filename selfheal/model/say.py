"""How far does a model's opinion move the causes?

Pure. It moves the log-odds of what it has chosen, by as much as it is sure and never by more than `MOST`; all others
make room in proportion. What a fix may do is judged by what the engine found alone, whatever is said here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp

from selfheal.events import Cause

MOST = 1.5


def moved(causes: Sequence[Cause], chosen: Cause | None, confidence: float) -> tuple[Cause, ...]:
    """Return `causes` after the word of a model, likeliest first; as they were where it chose none of them."""
    place = next((at for at, one in enumerate(causes) if (one.slug, one.agent) == _key(chosen)), None)
    if place is None:
        return tuple(causes)
    before = causes[place].probability
    weight = before * exp(MOST * confidence)
    after = weight / (weight + 1.0 - before) if before < 1.0 else 1.0
    others = (1.0 - after) / (1.0 - before) if before < 1.0 else 0.0
    said = [
        replace(one, probability=after if at == place else one.probability * others) for at, one in enumerate(causes)
    ]
    return tuple(sorted(said, key=lambda one: -one.probability))


def _key(cause: Cause | None) -> tuple[str, str]:
    return (cause.slug, cause.agent) if cause is not None else ("", "")
