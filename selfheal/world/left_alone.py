"""How many of the failures against which something was done would have come?

By what became of those that were left alone. As the draw knows nothing of them, the share of these that came is that of
the others which it might have hit; of the rest it says nothing, and they are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from selfheal.world.foresight import Arm, Foresight
from selfheal.world.intervals import wilson


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of `acted` predictions on which something was done, about `would` had failed, by what became of those that were
    `left` alone: `came` of them did. `low` and `high` are an interval of 95 %; all None where none was left alone.
    """

    acted: int
    left: int
    came: int
    would: float | None = None
    low: float | None = None
    high: float | None = None


def estimate(foresight: Foresight) -> Estimate:
    """How many of those that were acted on would have failed; of those alone that the draw might have hit.

    The interval is that of the share of those left alone that came.
    """
    acted = _count(foresight, "drawn", "averted")
    came = _count(foresight, "left", "happened")
    left = came + _count(foresight, "left", "withdrawn")
    if not left:
        return Estimate(acted, 0, 0)
    share = came / left
    low, high = wilson(came, left)
    return Estimate(acted, left, came, acted * share, acted * low, acted * high)


def _count(foresight: Foresight, arm: Arm, outcome: str) -> int:
    return foresight.drawn_ended.get((arm, outcome), 0)
