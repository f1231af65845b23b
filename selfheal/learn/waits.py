"""How long is it worth waiting for a fix that usually helps soon?

Pure. What an agent took to show a good sign, each time that a fix helped it, says when one that is not seen yet will
hardly come any more. The slowest of a few counts with room to spare; while they are too few, or too long ago, the time
that was set by hand holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import compress, islice
from operator import is_, is_not

from selfheal.learn.pools import Key
from selfheal.world import Odds

# Of five in a row the next is slower than all of them once in six times; the room that is added covers most of those.
ENOUGH = 5.0
# What was once enough is as good as forgotten when half of it is left, which is after five weeks.
FORGOTTEN = ENOUGH / 2
MARGIN, SLACK_S = 1.5, 1.0
# Less would measure how often a check is asked, and not the agent. More is another trouble.
LEAST_S, MOST = 5.0, 4.0


class Waits:
    """What each fix did for each agent, over all causes.

    `follow` keeps it up with odds that are replaced whenever one of them changes. Whoever asks often keeps one: to look
    through thirty thousand counts takes twenty milliseconds, to see which of them is another a few.
    """

    def __init__(self, odds: Mapping[Key, Odds] | None = None) -> None:
        self._odds: Mapping[Key, Odds] = {}
        self._seen: dict[tuple[str, str], dict[str, Odds]] = {}
        self.follow(odds or {})

    def follow(self, odds: Mapping[Key, Odds]) -> Waits:
        """Take over these odds, and return itself."""
        before, self._odds = self._odds, odds
        if odds is before:
            return self
        changed: Iterable[Key] = odds
        if len(odds) < len(before) or not all(map(is_, before, odds)):
            self._seen.clear()
        else:
            another = compress(odds, map(is_not, odds.values(), before.values()))
            changed = [*another, *islice(odds, len(before), None)]
        for agent, cause, fix in changed:
            self._seen.setdefault((agent, fix), {})[cause] = odds[agent, cause, fix]
        return self

    def seen(self, agent: str, fix: str) -> Iterable[Odds]:
        """What a fix did for an agent, against each of its causes."""
        return self._seen.get((agent, fix), {}).values()


def settle_s(odds: Mapping[Key, Odds] | Waits, agent: str, fix: str, default_s: float, *, now: float = 0.0) -> float:
    """Return how many seconds after a fix its agent may take to a good sign before it counts as failed.

    `default_s` is what holds while nothing is known. Counts are faded to `now`; 0 takes them as they were written down.
    """
    waits = odds if isinstance(odds, Waits) else Waits({key: one for key, one in odds.items() if key[2] == fix})
    return _learned_s(waits.seen(agent, fix), default_s, now)


def _learned_s(seen: Iterable[Odds], default_s: float, now: float) -> float:
    timed = [one.faded(now) for one in seen if one.helped > 0.0 and one.slowest_s > 0.0]
    count = sum(one.helped for one in timed)
    trust = min(1.0, max(0.0, (count - FORGOTTEN) / (ENOUGH - FORGOTTEN)))
    if not trust:
        return default_s
    slowest_s = max(one.slowest_s for one in timed)
    learned_s = min(MOST * default_s, max(LEAST_S, MARGIN * slowest_s + SLACK_S))
    return default_s + trust * (learned_s - default_s)
