"""How likely is it that an agent dies within the next hour, by how often it did?

Deaths are taken to come at a rate of the agent's own, which is drawn from a gamma distribution that all of the fleet
shares (Gamma-Poisson): its mean and spread are those of the fleet (method of moments), so that an agent that has just
begun is taken for one like the others, and one that died is known for it from the first time on. Deaths and time up
weigh less the longer they are ago. Restarts on purpose are no deaths.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, lgamma, log, log1p, sqrt

from selfheal.world.deaths import Deaths

HOUR_S = 3600.0
# What is held to be known before anything was seen: half a death in two days.
PRIOR_DEATHS, PRIOR_S = 0.5, 48 * HOUR_S
# How alike the agents of a fleet are: the shape of the gamma distribution, which is 1 over the squared spread of their
# rates about the mean. Within these bounds it is what is seen; that where too few died to see it.
LEAST_ALIKE, MOST_ALIKE, USUAL_ALIKE = 0.1, 20.0, 0.5
# So many deaths and agents are needed to see how alike they are.
LEAST_DEATHS, LEAST_AGENTS = 3.0, 3


@dataclass(frozen=True, slots=True)
class Prior:
    """What rates are like in a fleet: a gamma distribution of `shape`, and `rate_s` in seconds."""

    shape: float
    rate_s: float


@dataclass(frozen=True, slots=True)
class Hazard:
    """The chance of a death within the time asked for, and when the next is expected: seconds from now, the median,
    with the interval in which it comes in 90 % of cases.
    """

    chance: float
    eta_s: float
    eta_low_s: float
    eta_high_s: float
    per_hour: float


def prior_of(fleet: Iterable[Deaths]) -> Prior:
    """Return what the fleet says of an agent of which nothing is known."""
    known = [deaths for deaths in fleet if deaths.up_s > 0]
    died, up_s = sum(one.weight for one in known), sum(one.up_s for one in known)
    mean = (died + PRIOR_DEATHS) / (up_s + PRIOR_S)
    shape = _alike(known, died / up_s) if died >= LEAST_DEATHS and len(known) >= LEAST_AGENTS else USUAL_ALIKE
    return Prior(shape, shape / mean)


def hazard(deaths: Deaths, prior: Prior, within_s: float = HOUR_S) -> Hazard:
    """Return how likely an agent is to die within `within_s` seconds that it is up."""
    shape, rate_s = _posterior(deaths, prior)
    return Hazard(
        _within(shape, rate_s, within_s),
        _time_at(shape, rate_s, 0.5),
        _time_at(shape, rate_s, 0.05),
        _time_at(shape, rate_s, 0.95),
        shape / rate_s * HOUR_S,
    )


def chances(deaths: Deaths, prior: Prior, within_s: float = HOUR_S) -> tuple[float, float]:
    """Return between which chances that of a death within `within_s` seconds is, with 90 % certainty: how well the rate
    is known. Takes half a millisecond.
    """
    shape, rate_s = _posterior(deaths, prior)
    low, high = (1.0 - exp(-_gamma_quantile(shape, share) / rate_s * within_s) for share in (0.05, 0.95))
    return low, high


def _posterior(deaths: Deaths, prior: Prior) -> tuple[float, float]:
    return prior.shape + deaths.weight, prior.rate_s + deaths.up_s


def _alike(known: list[Deaths], mean: float) -> float:
    """One over the squared spread of rates between agents, that of chance taken off (method of moments)."""
    chance = sum(mean * one.up_s for one in known)
    seen = sum((one.weight - mean * one.up_s) ** 2 for one in known)
    between = (seen - chance) / sum((mean * one.up_s) ** 2 for one in known)
    return MOST_ALIKE if between <= 1 / MOST_ALIKE else max(LEAST_ALIKE, 1 / between)


def _within(shape: float, rate_s: float, within_s: float) -> float:
    """That a time to the next death, a mixture of exponentials (Lomax), is shorter."""
    return 1.0 - exp(-shape * log1p(within_s / rate_s))


def _time_at(shape: float, rate_s: float, share: float) -> float:
    """The time to the next death that is longer in all but this share of cases."""
    return rate_s * (exp(min(50.0, -log1p(-share) / shape)) - 1.0)


def _gamma_quantile(shape: float, share: float) -> float:
    """Of a gamma distribution of rate 1: halved until it is known to a thousandth."""
    low, high = 0.0, shape + 10.0 * sqrt(shape) + 10.0
    while high - low > 1e-3 * high and high > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if _gamma_share(shape, middle) < share else (low, middle)
    return high


def _gamma_share(shape: float, value: float) -> float:
    """What of a gamma distribution of rate 1 is below a value: the series of the incomplete gamma function."""
    term = exp(shape * log(value) - value - lgamma(shape + 1.0))
    total, place = term, 0
    while term > 1e-9 * total:
        place += 1
        term *= value / (shape + place)
        total += term
    return total
