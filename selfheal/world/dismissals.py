"""What has a person said was not worth telling, and how much further out has the same to be before it is told again?

The bar is raised to twice what was dismissed, for that signal of that agent in that direction alone, and comes down
again: what it was raised by halves every two weeks, and after twelve nothing is left of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp2, inf

from selfheal.vocabulary import Direction

DAY_S = 86_400.0
# What was dismissed is known to within a factor of two: it is told anew as it doubles, and not in between.
FACTOR = 2.0
# A person forgets what was dismissed last month, and the fleet has changed since.
HALF_LIFE_S, FORGOTTEN_S = 14 * DAY_S, 84 * DAY_S
DISMISSALS_KEPT = 500

Key = tuple[str, str, Direction]
"""An agent, its signal, and to which side that moved."""


@dataclass(frozen=True, slots=True)
class Dismissal:
    """Said of which anomaly, when, by whom; `reach` is how far out the signal was, 1 at the alarm line."""

    anomaly: str
    at: float
    by: str
    reach: float

    def bar(self, at: float) -> float:
        """From which reach on the same is told at time `at`; never below the alarm line."""
        age = max(0.0, at - self.at)
        if age >= FORGOTTEN_S:
            return 1.0
        return 1.0 + max(0.0, FACTOR * self.reach - 1.0) * exp2(-age / HALF_LIFE_S)


Dismissals = Mapping[Key, Dismissal]


def reach_of(score: float) -> float:
    """How far out a score is, in distances of the alarm line: 1 at the line, infinite at a score of 1."""
    return score / (1.0 - score) if score < 1.0 else inf


def dismissed(then: Dismissals, moved: Iterable[tuple[Key, float]], anomaly: str, at: float, by: str) -> Dismissals:
    """Return what is dismissed once `moved`, each with its score, were. The oldest go first, and what is forgotten."""
    now = {key: one for key, one in then.items() if at - one.at < FORGOTTEN_S}
    for key, score in moved:
        known = now.pop(key, None)
        reach = max(reach_of(score), (known.bar(at) / FACTOR) if known is not None else 0.0)
        now[key] = Dismissal(anomaly, at, by, reach)
    return {key: now[key] for key in [*now][-DISMISSALS_KEPT:]}


def restored(then: Dismissals, anomaly: str) -> Dismissals:
    """Return what is left once the dismissal of one anomaly was taken back."""
    return {key: one for key, one in then.items() if one.anomaly != anomaly}
