"""Which fixes are barred for an agent, and which were, and when?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from selfheal.events import BreakerClosed, BreakerOpened, BreakerTried
from selfheal.vocabulary import BreakerState

# How long a breaker stays open the first time, and at most.
QUARANTINE_FIRST_S, QUARANTINE_LAST_S = 30.0, 900.0
# For who foresees: a day and more of an agent that is barred from something every half an hour.
SPELLS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Breaker:
    """One fix on one agent: `opened` counts the openings in a row, which sets how long the next one lasts."""

    state: BreakerState = "closed"
    opened: int = 0
    retry_at: float = 0.0
    why: str = ""

    @property
    def next_wait_s(self) -> float:
        """How long it stays open when it opens next: doubled with each opening in a row."""
        return min(QUARANTINE_LAST_S, QUARANTINE_FIRST_S * 2.0 ** min(self.opened, 16))


@dataclass(frozen=True, slots=True)
class Spell:
    """From when until when a breaker was not closed; None while it is not. On trial it is not closed either."""

    fix: str
    since: float
    until: float | None = None


def turned(
    breakers: Mapping[str, Breaker], event: BreakerOpened | BreakerTried | BreakerClosed
) -> Mapping[str, Breaker]:
    """The breakers of an agent after one of them was opened, tried or closed; closed ones are left out."""
    then = breakers.get(event.fix, Breaker())
    match event:
        case BreakerOpened(retry_at=retry_at, why=why):
            return {**breakers, event.fix: Breaker("open", then.opened + 1, retry_at, why)}
        case BreakerTried():
            return {**breakers, event.fix: replace(then, state="half_open")}
        case BreakerClosed():
            return {fix: breaker for fix, breaker in breakers.items() if fix != event.fix}
        case _:
            assert_never(event)


def spells(before: Sequence[Spell], breakers: Mapping[str, Breaker], at: float) -> tuple[Spell, ...]:
    """The latest spells, where these are the breakers that are not closed from `at` on."""
    lasting = {one.fix for one in before if one.until is None}
    ended = (replace(one, until=at) if one.until is None and one.fix not in breakers else one for one in before)
    begun = (Spell(fix, at) for fix in breakers if fix not in lasting)
    return (*ended, *begun)[-SPELLS_KEPT:]
