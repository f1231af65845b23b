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
from selfheal.diagnose.circumstances import NEVER
from selfheal.diagnose.fusion import Features, probabilities

RIDGE = 0.01
STEPS = 80
_LEAST_STEP = 1e-6


@dataclass(frozen=True, slots=True)
class Example:
    """An incident: the features of each service, and which was the cause; `none` where none was.

    `circumstances` are those of the whole case; the incident counts as `weight` of them.
    """

    features: Mapping[str, Features]
    truth: str
    circumstances: tuple[float, ...] = NEVER
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights of the features, of the circumstances for `none`, and the mean log-loss with them."""

    weights: tuple[float, ...]
    nothing: tuple[float, ...]
    loss: float

    def told(self, example: Example, temperature: float = 1.0) -> dict[str, float]:
        """What these say of an incident."""
        return _told(example, self.weights, self.nothing, temperature)


def fit(examples: Sequence[Example], begin: Sequence[float], ridge: float = RIDGE) -> Fitted:
    """Fit the weights, from `begin` on, and those for `none` from zero. Raises ValueError where there is no example."""
    if not examples:
        raise ValueError("cannot fit weights to no incident at all")
    at, step = _Point((*begin,), (0.0,) * len(examples[0].circumstances)), 1.0
    value, slope = _objective(examples, at, begin, ridge)
    for _ in range(STEPS):
        tried = at.moved(slope, step)
        higher, next_slope = _objective(examples, tried, begin, ridge)
        if higher > value:
            at, value, slope, step = tried, higher, next_slope, step * 1.6
        elif (step := step / 2.0) < _LEAST_STEP:
            break
    return Fitted(at.weights, at.nothing, loss(examples, at.weights, at.nothing))


def loss(examples: Sequence[Example], weights: Sequence[float], nothing: Sequence[float]) -> float:
    """Return the mean of -ln(P) of what was true."""
    told = (_told(one, weights, nothing).get(one.truth, 0.0) for one in examples)
    return sum(-log(max(p, 1e-12)) for p in told) / len(examples)


def is_better(
    examples: Sequence[Example], new: Fitted, weights: Sequence[float], nothing: Sequence[float]
) -> bool:  # fmt: skip
    """Whether new weights are better on incidents that they were not fitted to: only then are they taken."""
    return bool(examples) and loss(examples, new.weights, new.nothing) < loss(examples, weights, nothing)


@dataclass(frozen=True, slots=True)
class _Point:
    """Where the ascent is, or which way is up."""

    weights: tuple[float, ...]
    nothing: tuple[float, ...]

    def moved(self, slope: _Point, step: float) -> _Point:
        """A step up, with no weight of a feature below zero."""
        return _Point(
            tuple(max(number + step * rise, 0.0) for number, rise in zip(self.weights, slope.weights, strict=True)),
            tuple(number + step * rise for number, rise in zip(self.nothing, slope.nothing, strict=True)),
        )


def _told(
    one: Example, weights: Sequence[float], nothing: Sequence[float], temperature: float = 1.0
) -> dict[str, float]:  # fmt: skip
    utility = sum(weight * number for weight, number in zip(nothing, one.circumstances, strict=True))
    return probabilities(one.features, [weight / temperature for weight in weights], utility / temperature)


def _objective(
    examples: Sequence[Example], at: _Point, begin: Sequence[float], ridge: float
) -> tuple[float, _Point]:  # fmt: skip
    """The mean log-likelihood less the ridge, and its slope. That `none` has an utility at all costs nothing."""
    apart = [weight - believed for weight, believed in zip(at.weights, begin, strict=True)]
    for_none = [0.0, *at.nothing[1:]]
    value = -ridge * sum(number * number for number in (*apart, *for_none))
    slope = [-2.0 * ridge * number for number in apart]
    slope_none = [-2.0 * ridge * number for number in for_none]
    total = sum(one.weight for one in examples)
    for one in examples:
        share = one.weight / total
        told = _told(one, at.weights, at.nothing)
        value += share * log(max(told.get(one.truth, 0.0), 1e-12))
        for name, probability in told.items():
            rest = share * ((name == one.truth) - probability)
            numbers, sums = (one.circumstances, slope_none) if name == NONE else (one.features[name], slope)
            for place, number in enumerate(numbers):
                sums[place] += rest * number
    return value, _Point(tuple(slope), tuple(slope_none))
