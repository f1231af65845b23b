"""How often is the cause of a signature the true one where it shows?

A Beta posterior: what was believed before counts as a few incidents, and what was seen since moves it. A signature of
which nothing was seen is as good as it was believed to be.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from selfheal.events import Signature
from selfheal.world import World

# What was believed weighs as much as so many incidents: three that were all wrong take a .9 to .65.
PRIOR_WEIGHT = 8.0


@dataclass(frozen=True, slots=True)
class Precision:
    """The mean of what is known now, and the counts behind it as they count by now."""

    mean: float
    right: float
    wrong: float


def precision(world: World, signature: Signature, now: float | None = None) -> Precision:
    """Return what is known of a signature; counts fade to `now`, else to the latest event."""
    seen = world.knowledge.seen(signature.id, world.at if now is None else now)
    mean = (signature.precision * PRIOR_WEIGHT + seen.right) / (PRIOR_WEIGHT + seen.right + seen.wrong)
    return Precision(mean, seen.right, seen.wrong)


def precisions(world: World, signatures: Iterable[Signature], now: float | None = None) -> dict[str, float]:
    """Return the precision of each signature, by its id."""
    return {one.id: precision(world, one, now).mean for one in signatures}
