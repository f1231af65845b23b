"""Is what was chosen better than what a fixed ladder would have done?

Pure. Each decision that was logged tells what was expected of every alternative, with which probability the chosen one
was chosen, and how it ended. What the ladder's choice would have cost is what was expected of it, times how far such
expectations were off where that choice was made itself, each of these weighted by the inverse of its probability: a
doubly robust estimate (Dudik, Langford and Li, 2011) in the form of a ratio, right where either the expectations or
the probabilities are. Expectations are too hopeful as a rule, for the smallest is chosen; a correction that is added
only where the ladder's choice was made would leave the others uncorrected, and blame each choice for the hope in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

# Fewer say nothing that could be told from luck.
DECISIONS = 50
# As many of the latest are judged: what was bad before must not bar for ever what may have learned since.
LATEST = 400
# With fewer choices that were the ladder's as well nobody knows what to make of the expectations.
IN_COMMON = 10
# Beyond this one rare choice would outweigh all others (truncated importance sampling, Ionides 2008).
HEAVIEST = 20.0
Z95 = 1.96


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice of a fix and what came of it.

    `values_s` are the expected seconds to recovery by alternative, `propensity` is the probability in (0, 1] with which
    `chosen` was chosen, `ladder` is what a fixed ladder would have chosen, `outcome_s` are the seconds to recovery.
    """

    values_s: Mapping[str, float]
    chosen: str
    propensity: float
    ladder: str
    outcome_s: float


@dataclass(frozen=True, slots=True)
class Gain:
    """The mean seconds a decision has saved over the ladder, its 95 % interval, and the number of decisions."""

    mean_s: float
    low_s: float
    high_s: float
    count: int


def gain(decisions: Sequence[Decision]) -> Gain | None:
    """Estimate what was gained over the ladder; None where too few of its choices were made to tell."""
    told = [one for one in decisions if one.ladder in one.values_s]
    weights = [_weight(one) for one in told]
    if sum(weight > 0.0 for weight in weights) < IN_COMMON:
        return None
    expected = [one.values_s[one.ladder] for one in told]
    outcomes = [one.outcome_s for one in told]
    came, hoped = _dot(weights, outcomes), _dot(weights, expected)
    ratio = came / hoped
    # The terms of the mean, each with its part in the ratio's error (the linear term of a Taylor series).
    lever = sum(expected) / hoped
    saved = [
        ratio * value_s - outcome_s + lever * weight * (outcome_s - ratio * value_s)
        for value_s, outcome_s, weight in zip(expected, outcomes, weights, strict=True)
    ]
    mean, error = fmean(saved), stdev(saved) / sqrt(len(saved))
    return Gain(mean, mean - Z95 * error, mean + Z95 * error, len(saved))


def trusts(decisions: Sequence[Decision]) -> bool:
    """Whether to go on choosing: False where the latest of enough decisions have provably lost time to the ladder.

    Decisions that followed the ladder since then belong into the log as well, with a propensity of 1: they gain and
    lose nothing, and when the bad ones have left the latest, trust returns for another trial.
    """
    found = gain(decisions[-LATEST:])
    return found is None or found.count < DECISIONS or found.high_s >= 0.0


def _weight(decision: Decision) -> float:
    """How many decisions one stands for, if the ladder had made them all."""
    if decision.chosen != decision.ladder:
        return 0.0
    return min(HEAVIEST, 1.0 / max(decision.propensity, 1.0 / HEAVIEST))


def _dot(some: Sequence[float], others: Sequence[float]) -> float:
    return sum(one * other for one, other in zip(some, others, strict=True))
