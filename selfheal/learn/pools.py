"""What did a fix do elsewhere: for siblings, for the whole fleet, against other causes?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import compress, islice
from operator import is_, is_not

from selfheal.world import Odds
from selfheal.world.odds import DAY_S, KEPT_A_DAY

Key = tuple[str, str, str]
"""An agent, a cause and a fix."""


def kin_of(agent: str) -> str:
    """Whose siblings an agent's instances are: `worker` of `worker:2`."""
    return agent.partition(":")[0]


class Pools:
    """The counts of all agents, summed by what they have in common.

    `follow` keeps them up with odds that are replaced whenever one of them changes: a thousand agents with three
    hundred thousand counts are compared in some milliseconds, and only what is another is summed anew. The counts
    fade alike, so their sums are kept as of one moment and faded as a whole.
    """

    def __init__(self, odds: Mapping[Key, Odds] | None = None, kin: Callable[[str], str] = kin_of) -> None:
        self.odds: Mapping[Key, Odds] = {}
        self._kin = kin
        self._as_of = 0.0
        self._sums: dict[tuple[str, ...], tuple[float, float]] = {}
        if odds:
            self.follow(odds)

    def follow(self, odds: Mapping[Key, Odds]) -> Pools:
        """Take over these odds, and return itself."""
        before, self.odds = self.odds, odds
        if odds is before:
            return self
        if not before or len(odds) < len(before) or not all(map(is_, before, odds)):
            self._sums.clear()
            self._as_of = max((one.at for one in odds.values()), default=0.0)
            changed, before = [*odds], {}
        else:
            changed = [*compress(odds, map(is_not, odds.values(), before.values())), *islice(odds, len(before), None)]
        for key in changed:
            self._add(key, odds[key], 1.0)
            if key in before:
                self._add(key, before[key], -1.0)
        return self

    def wider(self, agent: str, cause: str, fix: str, now: float) -> tuple[tuple[float, float], ...]:
        """How often the fix helped and failed elsewhere: against other causes, against this one on agents of another
        kin, and on the agent's siblings. No two of these share a sample.
        """
        own = self._share(self.odds.get((agent, cause, fix), Odds()))
        kin = self._sums.get((self._kin(agent), cause, fix), (0.0, 0.0))
        alike, all_of_fix = self._sums.get((cause, fix), (0.0, 0.0)), self._sums.get((fix,), (0.0, 0.0))
        left = KEPT_A_DAY ** (max(0.0, now - self._as_of) / DAY_S)
        return tuple(
            (max(0.0, more[0] - less[0]) * left, max(0.0, more[1] - less[1]) * left)
            for more, less in ((all_of_fix, alike), (alike, kin), (kin, own))
        )

    def _add(self, key: Key, odds: Odds, sign: float) -> None:
        agent, cause, fix = key
        helped, failed = self._share(odds)
        for pool in ((fix,), (cause, fix), (self._kin(agent), cause, fix)):
            then = self._sums.get(pool, (0.0, 0.0))
            self._sums[pool] = (then[0] + sign * helped, then[1] + sign * failed)

    def _share(self, odds: Odds) -> tuple[float, float]:
        """The counts as of the moment of all sums; those of no known age as of that moment."""
        scale = KEPT_A_DAY ** ((self._as_of - odds.at) / DAY_S) if odds.at else 1.0
        return odds.helped * scale, odds.failed * scale
