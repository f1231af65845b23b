"""How likely is a fix to help against a cause on an agent?

A Beta posterior, pooled in three steps: what a fix did for the same cause on other agents is the prior of this one,
and the prior that is given stands behind that. Few own samples lean on the fleet, many speak for themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma, log, log1p

from selfheal.world import Odds

# The fleet counts as at most so many own samples: agents differ, and their own experience has to win in a few tries.
FLEET_WEIGHT = 8.0


@dataclass(frozen=True, slots=True)
class Posterior:
    """The probability that a fix helps, its central 95 % interval, and the number of own samples behind it."""

    mean: float
    low: float
    high: float
    count: float


def posterior(
    odds: Mapping[tuple[str, str, str], Odds],
    agent: str,
    cause: str,
    fix: str,
    prior: tuple[float, float] = (1.0, 1.0),
) -> Posterior:
    """Return what is known of `fix` against `cause` on `agent`. `prior` are the a and b of a Beta distribution."""
    others = [seen for (name, why, what), seen in odds.items() if name != agent and (why, what) == (cause, fix)]
    a = prior[0] + sum(seen.helped for seen in others)
    b = prior[1] + sum(seen.failed for seen in others)
    scale = min(1.0, max(FLEET_WEIGHT, sum(prior)) / (a + b))
    own = odds.get((agent, cause, fix), Odds())
    a, b = a * scale + own.helped, b * scale + own.failed
    low, high = interval(a, b)
    return Posterior(a / (a + b), low, high, own.helped + own.failed)


@lru_cache(maxsize=1024)  # a millisecond of bisection, asked for the same few counts with each decision and each view
def interval(a: float, b: float, level: float = 0.95) -> tuple[float, float]:
    """The central interval of Beta(a, b)."""
    tail = (1.0 - level) / 2
    return quantile(tail, a, b), quantile(1.0 - tail, a, b)


def quantile(share: float, a: float, b: float) -> float:
    """The x below which `share` of Beta(a, b) lies, by bisection: 50 halvings reach the last bits of a share."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        if beta_cdf(middle, a, b) < share:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b), for a and b above 0."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x))
    # The fraction converges fast below the mean; above it the symmetry I_x(a, b) = 1 - I_(1-x)(b, a) is used.
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1.0 - front * _fraction(1.0 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function, DLMF 8.17.22, by the modified Lentz algorithm."""
    tiny, enough = 1e-300, 1e-14
    c, d = 1.0, 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 1000):  # it takes about sqrt(max(a, b)) rounds
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / _nonzero(1.0 + term * d, tiny)
            c = _nonzero(1.0 + term / c, tiny)
            value *= c * d
        if abs(c * d - 1.0) < enough:
            break
    return value


def _nonzero(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
