"""Which weights of the channels would have made the known incidents likeliest?

Maximum likelihood of the conditional logit, held near what was believed before (L2) and at zero or above: that a
channel suspects a service never speaks for its innocence. Projected gradient ascent with a step that shrinks until it
helps; nothing here is random, so the same incidents give the same weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

from selfheal.diagnose.case import NONE
from selfheal.diagnose.fusion import Features, probabilities

RIDGE = 0.003
STEPS = 80
_LEAST_STEP = 1e-6


@dataclass(frozen=True, slots=True)
class Example:
    """An incident: the features of each service, and which was the cause; `none` where none was. `weight` of them."""

    features: Mapping[str, Features]
    truth: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights, the utility of `none`, and the mean log-loss with them."""

    weights: tuple[float, ...]
    nothing: float
    loss: float


def fit(examples: Sequence[Example], begin: Sequence[float], ridge: float = RIDGE) -> Fitted:
    """Fit the weights, from `begin` on. Raises ValueError where there is no example."""
    if not examples:
        raise ValueError("cannot fit weights to no incident at all")
    at, step = [*begin, 0.0], 1.0
    value, slope = _objective(examples, at, begin, ridge)
    for _ in range(STEPS):
        tried = [max(number + step * rise, 0.0) for number, rise in zip(at[:-1], slope[:-1], strict=True)]
        tried.append(at[-1] + step * slope[-1])
        higher, next_slope = _objective(examples, tried, begin, ridge)
        if higher > value:
            at, value, slope, step = tried, higher, next_slope, step * 1.6
        elif (step := step / 2.0) < _LEAST_STEP:
            break
    return Fitted(tuple(at[:-1]), at[-1], loss(examples, at[:-1], at[-1]))


def loss(examples: Sequence[Example], weights: Sequence[float], nothing: float) -> float:
    """Return the mean of -ln(P) of what was true."""
    told = (probabilities(one.features, weights, nothing).get(one.truth, 0.0) for one in examples)
    return sum(-log(max(p, 1e-12)) for p in told) / len(examples)


def is_better(examples: Sequence[Example], new: Fitted, weights: Sequence[float], nothing: float) -> bool:
    """Whether new weights are better on incidents that they were not fitted to: only then are they taken."""
    return bool(examples) and loss(examples, new.weights, new.nothing) < loss(examples, weights, nothing)


def _objective(
    examples: Sequence[Example], at: Sequence[float], begin: Sequence[float], ridge: float
) -> tuple[float, list[float]]:
    """The mean log-likelihood less the ridge, and its slope."""
    weights, nothing = at[:-1], at[-1]
    apart = [weight - believed for weight, believed in zip(weights, begin, strict=True)]
    value = -ridge * sum(number * number for number in apart)
    slope = [-2.0 * ridge * number for number in apart] + [0.0]
    total = sum(one.weight for one in examples)
    for one in examples:
        share = one.weight / total
        told = probabilities(one.features, weights, nothing)
        value += share * log(max(told.get(one.truth, 0.0), 1e-12))
        for name, probability in told.items():
            rest = share * ((name == one.truth) - probability)
            if name == NONE:
                slope[-1] += rest
                continue
            for place, number in enumerate(one.features[name]):
                slope[place] += rest * number
    return value, slope
