"""A fleet whose troubles and cures are known: what the choice of the fix is measured against.

Nothing here is measured; it is drawn, and the same for the same seed. Each cause has one fix that cures it mostly, one
or two that help by chance, and others that hardly do; each agent differs from that a little. A diagnosis says with
which probability each cause is behind a trouble, and is right about that: the true cause is drawn from what it says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, log
from random import Random

CAUSES = tuple(f"cause_{number}" for number in range(8))
AGENTS = tuple(f"agent_{number}" for number in range(12))
# Seconds that each takes; a look whether it helped comes on top.
FIXES: Mapping[str, float] = {
    "reload": 4.0,
    "reconnect": 8.0,
    "clear": 12.0,
    "restart": 15.0,
    "reroute": 22.0,
    "rollback": 28.0,
    "scale": 30.0,
    "failover": 36.0,
    "restore": 45.0,
}
LADDER = ("restart", "scale", "rollback", "failover", "restore")
VERIFY_S = 10.0
TRIES = 5
PAGING_S = 1800.0
BEGIN, APART_S = 1_800_000_000.0, 10_800.0

# What cures most in practice is what a ladder begins with.
CURES = {"restart": 4.0, "scale": 1.5, "rollback": 1.5, "failover": 1.3, "restore": 1.3}
CURE, BY_CHANCE, HARDLY = (0.78, 0.98), (0.3, 0.65), (0.02, 0.14)
SPREAD = 0.6
"""Of the log odds, between agents."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What can be known of a trouble: when, whose, and what the diagnosis says."""

    at: float
    agent: str
    belief: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What only the simulation knows: the cause, which fixes would help this time, and what each takes."""

    seen: Sighting
    cause: str
    helps: Mapping[str, bool]
    takes_s: Mapping[str, float]


class Fleet:
    """The true chances, drawn once, and troubles as they come."""

    def __init__(self, seed: int, accuracy: float) -> None:
        self._chance = Random(f"fleet {seed}")
        self._accuracy = accuracy
        self._often = [self._chance.gammavariate(2.0, 1.0) for _ in CAUSES]
        self.typical = {(cause, fix): share for cause in CAUSES for fix, share in self._cures().items()}
        self.truly = {
            (agent, *key): _moved(share, self._chance.gauss(0.0, SPREAD))
            for agent in AGENTS
            for key, share in self.typical.items()
        }

    def troubles(self, count: int, seed: int) -> list[Trouble]:
        chance = Random(f"troubles {seed}")
        return [self._trouble(chance, BEGIN + number * APART_S) for number in range(count)]

    def handbook(self, seed: int, wrong: float) -> dict[tuple[str, str], float]:
        """What people who run such fleets would bet, by cause and fix; so large a share of it says the opposite."""
        chance = Random(f"handbook {seed}")
        return {key: _bet(share, chance.random() < wrong) for key, share in self.typical.items()}

    def _cures(self) -> dict[str, float]:
        """For one cause, the typical chance of each fix."""
        cure = self._chance.choices([*FIXES], [CURES.get(fix, 0.55) for fix in FIXES])[0]
        others = self._chance.sample([fix for fix in FIXES if fix != cure], self._chance.choice((1, 2)))
        found = {fix: self._chance.uniform(*(BY_CHANCE if fix in others else HARDLY)) for fix in FIXES}
        return found | {cure: self._chance.uniform(*CURE)}

    def _trouble(self, chance: Random, at: float) -> Trouble:
        agent, likeliest = chance.choice(AGENTS), chance.choices(CAUSES, self._often)[0]
        rest = {cause: chance.expovariate(1.0) for cause in CAUSES if cause != likeliest}
        scale = (1.0 - self._accuracy) / sum(rest.values())
        belief = {cause: rest.get(cause, 0.0) * scale if cause != likeliest else self._accuracy for cause in CAUSES}
        cause = chance.choices([*belief], [*belief.values()])[0]
        helps = {fix: chance.random() < self.truly[agent, cause, fix] for fix in FIXES}
        takes_s = {fix: cost_s * chance.uniform(0.75, 1.25) for fix, cost_s in FIXES.items()}
        return Trouble(Sighting(at, agent, belief), cause, helps, takes_s)


def _moved(share: float, by: float) -> float:
    """The share with its log odds moved."""
    return 1.0 / (1.0 + exp(-(log(share / (1.0 - share)) + by)))


def _bet(share: float, wrong: bool) -> float:
    """What a knowledge base says of a fix with such a chance: meant for it, may help, does not."""
    if BY_CHANCE[0] <= share < CURE[0]:
        return 0.1 if wrong else 0.5
    return 0.85 if (share >= CURE[0]) != wrong else 0.1
