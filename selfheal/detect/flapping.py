"""Does a check keep changing sides?

Of its latest 21 results the 20 steps from one to the next are looked at. A step that changes sides counts, the newest
for half as much again as the oldest; beyond a share of all that the check flaps, and below a smaller one it has settled
(the rule that Nagios made common). Pure.
"""

from __future__ import annotations

from selfheal.events import FlappingBegan, FlappingOver
from selfheal.kinds import Observation
from selfheal.vitals import CheckRecord

STEPS = 20
OLDEST, NEWEST = 0.8, 1.2  # what a change weighs
BEGINS, ENDS = 0.3, 0.2  # shares
_MASK = (1 << STEPS) - 1


def shifted(flips: int, *, changed: bool = False) -> int:
    """The steps with one more."""
    return (flips << 1 | changed) & _MASK


def share(flips: int) -> float:
    """How much of the latest steps were changes, by weight."""
    slope = (NEWEST - OLDEST) / (STEPS - 1)
    return sum(NEWEST - slope * age for age in range(STEPS) if flips >> age & 1) / STEPS


def judge_flapping(record: CheckRecord, seen: Observation, *, flapping: bool) -> FlappingBegan | FlappingOver | None:
    """Return what there is to tell of a check that is, or is not, flapping."""
    if not flapping and not record.flips:  # as it is nearly always
        return None
    now = share(record.flips)
    if not flapping and now >= BEGINS:
        return FlappingBegan(seen.at, seen.agent, seen.check, now)
    if flapping and now < ENDS:
        return FlappingOver(seen.at, seen.agent, seen.check)
    return None
