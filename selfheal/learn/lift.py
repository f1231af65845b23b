"""Does the language model find causes that the engine misses, more often than the other way round?

Pure. Counted over incidents of which somebody has said what the cause truly was. Each gives the difference between
what the two had put first: 1 where only the model was right, -1 where only the engine was, else 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

from selfheal.events import ModelAnswered
from selfheal.world import Incident

# With fewer nothing is known yet, and the model may speak.
ENOUGH = 50
# The lower bound is that of the interval that holds the truth in 95 of 100 cases.
Z = 1.96

Suspect = tuple[str, str]
"""A cause and the agent where it is."""


@dataclass(frozen=True, slots=True)
class Lift:
    """How much more often the model was right than the engine, over `count` labelled incidents, with its bounds."""

    count: int = 0
    mean: float = 0.0
    low: float = 0.0
    high: float = 0.0
    engine_right: int = 0
    model_right: int = 0

    @property
    def allows(self) -> bool:
        """Whether the model may move the causes."""
        return self.count < ENOUGH or self.low >= 0.0


def lift(cases: Iterable[tuple[Sequence[Suspect], Sequence[Suspect], Suspect]]) -> Lift:
    """Return the lift over cases of what the engine ranked, what the model ranked, and the truth."""
    right = [(ours[:1] == [truth], theirs[:1] == [truth]) for ours, theirs, truth in _listed(cases)]
    count = len(right)
    if not count:
        return Lift()
    differences = [theirs - ours for ours, theirs in right]
    mean = sum(differences) / count
    spread = sqrt(sum((one - mean) ** 2 for one in differences) / max(1, count - 1) / count)
    low, high = max(-1.0, mean - Z * spread), min(1.0, mean + Z * spread)
    return Lift(count, mean, low, high, sum(ours for ours, _ in right), sum(theirs for _, theirs in right))


def lift_of(incidents: Iterable[Incident]) -> Lift:
    """Return the lift that these incidents show. Where the model did not know, the engine's word is its own."""
    return lift(
        ([(said.first, said.first_agent)], [_model(said)], (one.label.cause, one.label.agent))
        for one in incidents
        if one.label is not None and one.label.cause and (said := one.opinion) is not None
    )


def _model(said: ModelAnswered) -> Suspect:
    return (said.first, said.first_agent) if said.cause == "unknown" else (said.cause, said.cause_agent)


def _listed(
    cases: Iterable[tuple[Sequence[Suspect], Sequence[Suspect], Suspect]],
) -> Iterable[tuple[list[Suspect], list[Suspect], Suspect]]:
    return ((list(ours), list(theirs), truth) for ours, theirs, truth in cases)
