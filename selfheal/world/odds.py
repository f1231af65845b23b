"""What did a fix do for an agent, time after time?

Counts fade: what was seen long ago, or of another version of the agent, says less. They are kept as of the moment of
the last change, and looked at as of any later one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from selfheal.vocabulary import Outcome

DAY_S = 86_400.0
# Of what is known a day later so much counts still: half of it after five weeks.
KEPT_A_DAY = 0.98
# A new version of an agent shares most of its troubles with the one before, and not all.
KEPT_A_VERSION = 0.5
# What came back soon after it was verified bought some time, and cured nothing.
HELPED_FOR_A_WHILE = 0.3
# How long after its end an incident of the same kind says that what ended it has not lasted.
RELAPSE_S = 600.0

# Outcomes that say something about a fix, and how much it helped; an interrupted or rejected one says nothing.
HELPED: Mapping[Outcome | None, float] = {
    "succeeded": 1.0,
    "failed": 0.0,
    "relapsed": 0.0,
    "timed_out": 0.0,
    "undone": 0.0,
}


@dataclass(frozen=True, slots=True)
class Odds:
    """How often a fix helped against a cause on an agent, as verified, and how soon.

    `took_s` is the mean time from the begin of an attempt that helped to the first good sign, `slowest_s` the longest.
    `at` is the moment as of which it is all told, `tried_at` when the latest of them was judged; 0 where nobody knows.
    """

    helped: float = 0.0
    failed: float = 0.0
    at: float = 0.0
    took_s: float = 0.0
    slowest_s: float = 0.0
    tried_at: float = 0.0

    @property
    def tried(self) -> float:
        return self.helped + self.failed

    def faded(self, now: float) -> Odds:
        """As it counts at `now`."""
        days = max(0.0, now - self.at) / DAY_S if self.at else 0.0
        return self.scaled(KEPT_A_DAY**days, max(now, self.at)) if days else replace(self, at=max(now, self.at))

    def scaled(self, share: float, at: float) -> Odds:
        """With so much of the counts left."""
        return replace(self, helped=self.helped * share, failed=self.failed * share, at=at)

    def tried_once_more(self, helped: float, took_s: float | None, now: float, share: float = 1.0) -> Odds:
        """With one more attempt, of which `helped` says how far it did; `took_s` where it has come to a good sign.

        `share` is how much of the attempt was against this cause.
        """
        then, good, bad = self.faded(now), helped * share, (1.0 - helped) * share
        odds = replace(then, helped=then.helped + good, failed=then.failed + bad, tried_at=now)
        if took_s is None or not good:
            return odds
        mean_s = (then.took_s * then.helped + took_s * good) / odds.helped
        return replace(odds, took_s=mean_s, slowest_s=max(then.slowest_s, took_s))

    def relapsed(self, now: float, share: float = 1.0) -> Odds:
        """What counted as help, by so large a share of an attempt, has not lasted."""
        then, lost = self.faded(now), (1.0 - HELPED_FOR_A_WHILE) * share
        return replace(then, helped=max(0.0, then.helped - lost), failed=then.failed + min(lost, then.helped))
