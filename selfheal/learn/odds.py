"""How likely is a fix to help against a cause on an agent?

A Beta posterior, pooled from wide to narrow: the prior that is given, what the fix did against other causes, then
against this one on all agents, on the agent's siblings, and on the agent itself. What is known more widely is the prior
of what is narrower, and counts as a few samples at most: few own samples lean on the fleet, many speak for themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp, lgamma, log, log1p

from selfheal.learn.pools import Key, Pools, kin_of
from selfheal.world import Odds

# What a fix did against other causes says whether it works at all, and little more: so many samples at most.
FIX_WEIGHT = 2.0
# What is known more widely counts as at most so many own samples: agents differ, and their own experience has to win
# in a few tries.
FLEET_WEIGHT = 6.0

Counts = tuple[float, float]
"""How often it helped and failed, or the a and b of a Beta distribution."""


@dataclass(frozen=True, slots=True)
class Posterior:
    """Beta(a, b) of the probability that a fix helps, and the number of own samples behind it."""

    a: float
    b: float
    count: float

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)

    @property
    def low(self) -> float:
        """The lower end of the central 95 % interval."""
        return interval(self.a, self.b)[0]

    @property
    def high(self) -> float:
        """The upper end of the central 95 % interval."""
        return interval(self.a, self.b)[1]


def posterior(
    odds: Mapping[Key, Odds] | Pools,
    agent: str,
    cause: str,
    fix: str,
    prior: Counts = (1.0, 1.0),
    *,
    now: float = 0.0,
    kin: Callable[[str], str] = kin_of,
) -> Posterior:
    """Return what is known of `fix` against `cause` on `agent`. `prior` are the a and b of a Beta distribution.

    Counts are faded to `now`, and where that is 0 to the latest of them. Whoever asks often keeps `Pools`, which know
    the kin themselves: bare odds are looked through each time.
    """
    if not isinstance(odds, Pools):
        odds = Pools({key: one for key, one in odds.items() if key[2] == fix}, kin)
    elsewhere, fleet, siblings = odds.wider(agent, cause, fix, now)
    own = odds.odds.get((agent, cause, fix), Odds()).faded(now)
    limit = max(FLEET_WEIGHT, sum(prior))
    known = _sum(prior, _at_most(FIX_WEIGHT, elsewhere))
    for narrower in (fleet, siblings, (own.helped, own.failed)):
        known = _sum(_at_most(limit, known), narrower)
    return Posterior(*known, own.tried)


def _sum(one: Counts, other: Counts) -> Counts:
    return one[0] + other[0], one[1] + other[1]


def _at_most(limit: float, counts: Counts) -> Counts:
    """The counts with the same mean, and no more of them than that."""
    scale = min(1.0, limit / total) if (total := sum(counts)) > 0.0 else 1.0
    return counts[0] * scale, counts[1] * scale


@lru_cache(maxsize=1024)  # a millisecond of bisection, asked for the same few counts with each view
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
