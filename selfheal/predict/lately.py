"""How much was not as usual about an agent, how much was changed about it in the hour before the end of each step, and
how many of its breakers were not closed then?

Columns of its rows like those of its signals. They are worked out from what is known of the past, so that a step of
last week has the number that was seen then. Before what is still known nothing is told.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from math import inf, nan

from selfheal.predict.recent import STEP_S
from selfheal.world import World
from selfheal.world.anomalies import ANOMALIES_KEPT, Anomaly
from selfheal.world.breakers import SPELLS_KEPT
from selfheal.world.changes import CHANGES_KEPT

HOUR_S = 3600.0
# The names by which `roles.role_of` knows them.
LATELY = ANOMALIES, CHANGES, BREAKERS = ("anomalies", "changes", "open_breakers")

Span = tuple[float, float]


def lately(world: World, agent: str, first: int, last: int) -> dict[str, array[float]]:
    """The counts at the ends of the steps from `first` to `last`, by the name of the column.

    An anomaly counts from when it was seen in the agent until an hour after it was over, a change for an hour; what a
    person has dismissed counts for nothing. A breaker counts until it is closed.
    """
    known, changes = world.anomalies.known, world.changes
    barred = world.agents[agent].spells if agent in world.agents else ()
    seen = [_span(one, agent) for _, one in world.anomalies.of(agent) if not one.dismissed]
    made = [(one.at, one.at + HOUR_S) for one in changes if one.agent == agent]
    spells = [(one.since, inf if one.until is None else one.until) for one in barred]
    oldest_seen = next(iter(known.values())).seen.at if len(known) >= ANOMALIES_KEPT else -inf
    oldest_made = changes[0].at if len(changes) >= CHANGES_KEPT else -inf
    oldest_spell = barred[0].since if len(barred) >= SPELLS_KEPT else -inf
    return {
        ANOMALIES: _counts(seen, oldest_seen + HOUR_S, first, last),
        CHANGES: _counts(made, oldest_made + HOUR_S, first, last),
        BREAKERS: _counts(spells, oldest_spell, first, last),
    }


def _span(one: Anomaly, agent: str) -> Span:
    began = min(member.at for member in one.members if member.agent == agent)
    return began, inf if one.over_at is None else one.over_at + HOUR_S


def _counts(spans: Sequence[Span], known_from: float, first: int, last: int) -> array[float]:
    """How many spans hold the end of each step, where they are known; NaN before that."""
    begins, ends = sorted(begin for begin, _ in spans), sorted(end for _, end in spans)
    times = (step * STEP_S for step in range(first, last + 1))
    return array("d", (nan if at < known_from else bisect_right(begins, at) - bisect_right(ends, at) for at in times))
