"""In which order have the fixes proved themselves, for an agent and a cause?

Pure. The order is that of the seconds until the agent is well where one try is all there is, and a person is called
after it: what helps more often comes first, and among equals what helps sooner. What is decided in an incident looks
further ahead, at all that may be tried after it and at what is barred.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from selfheal.events import Signature
from selfheal.learn.decisions import PAGED_S
from selfheal.learn.odds import Counts, posterior
from selfheal.learn.pools import Pools
from selfheal.learn.precision import Precision, precision
from selfheal.learn.shadow import Tally, tallies
from selfheal.learn.waits import Waits, settle_s
from selfheal.world import Odds, World

# What holds where the configuration says nothing else: the window of verification, and the time to settle before it.
WAIT_S = 50.0

Prior = Callable[[str, str, str], Counts]
"""From an agent, a cause and a fix: the a and b of a Beta distribution, before anything was seen."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known of a fix against a cause on an agent.

    `mean`, `low` and `high` are of the chance that it helps, with an interval of 95 %. `helped` and `failed` are its
    own attempts, as they count now. `took_s` is the mean time to the first good sign, `slowest_s` the longest; None
    where it never helped. `expected_s` is what one try takes, whether or not it helps, and `settle_s` how long a good
    sign is waited for after it.
    """

    fix: str
    mean: float
    low: float
    high: float
    helped: float
    failed: float
    took_s: float | None
    slowest_s: float | None
    expected_s: float
    settle_s: float

    @property
    def worth_s(self) -> float:
        """The expected seconds until it is well where this is the only try; the less the better."""
        return self.expected_s + (1.0 - self.mean) * PAGED_S


@dataclass(frozen=True, slots=True)
class Strategy:
    """The fixes for an agent and a cause, best first. One of them was last judged at `used_at`; 0: nobody knows."""

    agent: str
    cause: str
    fixes: tuple[Learned, ...]
    used_at: float


class Lessons:
    """What a world teaches as of `now`. `wait_s` is how long a good sign is waited for where nothing is known.

    A posterior costs about a millisecond, for the ends of its interval: long lists are made in a thread.
    """

    def __init__(
        self, world: World, now: float = 0.0, prior: Prior = lambda *_: (1.0, 1.0), wait_s: float = WAIT_S
    ) -> None:
        self._world = world
        self._now = now
        self._prior = prior
        self._wait_s = wait_s

    def fix(self, agent: str, cause: str, fix: str) -> Learned:
        """What is known of a fix against a cause on an agent."""
        known = posterior(self._pools, agent, cause, fix, self._prior(agent, cause, fix), now=self._now)
        own = self._world.odds.get((agent, cause, fix), Odds()).faded(self._now)
        wait_s = settle_s(self._waits, agent, fix, self._wait_s, now=self._now)
        took_s = own.took_s if own.helped and own.slowest_s else None
        expected_s = known.mean * (wait_s if took_s is None else took_s) + (1.0 - known.mean) * wait_s
        slowest_s = own.slowest_s if took_s is not None else None
        return Learned(
            fix, known.mean, known.low, known.high, own.helped, own.failed, took_s, slowest_s, expected_s, wait_s
        )

    def strategy(self, agent: str, cause: str) -> Strategy:
        """The order of the fixes that were ever judged for an agent and a cause."""
        names = self._by_case.get((agent, cause), [])
        learned = sorted((self.fix(agent, cause, name) for name in names), key=lambda one: (one.worth_s, one.fix))
        used_at = max((self._world.odds[agent, cause, name].tried_at for name in names), default=0.0)
        return Strategy(agent, cause, tuple(learned), used_at)

    def precision(self, signature: Signature) -> Precision:
        """How often the cause of a signature is the true one."""
        return precision(self._world, signature, self._now)

    def shadows(self) -> tuple[Tally, ...]:
        """What became of that which was only suggested, by fix."""
        return tallies(self._world.incidents.values())

    @cached_property
    def _pools(self) -> Pools:
        return Pools(self._world.odds)

    @cached_property
    def _by_case(self) -> dict[tuple[str, str], list[str]]:
        cases: dict[tuple[str, str], list[str]] = {}
        for agent, cause, fix in self._world.odds:
            cases.setdefault((agent, cause), []).append(fix)
        return cases

    @cached_property
    def _waits(self) -> Waits:
        return Waits(self._world.odds)
