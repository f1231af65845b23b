"""How likely is each service to be the cause, by all channels together?

A conditional logit: what each channel says of a service is weighed, and the sums become probabilities, with one more
candidate for "none of these". A channel speaks in two ways, by how high a service scores and by how far that is above
everybody else, or below: most of the weight lies on the second, for a channel that suspects all says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import exp

from selfheal.diagnose.case import NONE
from selfheal.diagnose.channels import Finding

# No channel by itself can say more than this.
MOST = 5.0

Features = tuple[float, ...]
"""Of one service, for each channel in turn: its score, and how far that is from the best of the others."""


def features(findings: Mapping[str, Finding], channels: Sequence[str], services: Sequence[str]) -> dict[str, Features]:
    """Return the features of each service; of a channel that had nothing to look at they are 0."""
    columns = [_column(findings.get(name, Finding(missing="not asked")), services) for name in channels]
    return {service: tuple(number for column in columns for number in column[service]) for service in services}


def _column(finding: Finding, services: Sequence[str]) -> Mapping[str, tuple[float, float]]:
    scores = {service: min(max(finding.scores.get(service, 0.0), 0.0), MOST) for service in services}
    best, next_best = _two_highest(scores.values())
    others = {service: next_best if score == best else best for service, score in scores.items()}
    return {service: (score, score - others[service]) for service, score in scores.items()}


def _two_highest(scores: Iterable[float]) -> tuple[float, float]:
    ordered = sorted(scores, reverse=True)[:2]
    return (ordered[0] if ordered else 0.0), (ordered[1] if len(ordered) > 1 else 0.0)


def probabilities(known: Mapping[str, Features], weights: Sequence[float], nothing: float) -> dict[str, float]:
    """Return the probability of each service and of `none`, which sum to 1. `nothing` is the utility of the latter."""
    utilities = {NONE: nothing} | {
        service: sum(weight * number for weight, number in zip(weights, numbers, strict=True))
        for service, numbers in known.items()
    }
    highest = max(utilities.values())
    raised = {name: exp(utility - highest) for name, utility in utilities.items()}
    total = sum(raised.values())
    return {name: value / total for name, value in raised.items()}
