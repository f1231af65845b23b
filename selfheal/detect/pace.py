"""How often does a series come?

What is strange in one sample of an hour is nothing in one of a second: bars, seasons and silences are set by the
interval between samples. It is the median of the latest ones, so that a gap or a burst does not move it.
"""

from __future__ import annotations

from bisect import bisect_left, insort

import msgspec

# Enough that a third of the intervals may be gaps or bursts.
KEPT = 31


class Pace(msgspec.Struct):
    """The interval between samples; `seconds` is 0 until there were two. It is changed in place, for its speed."""

    at: float | None = None
    seconds: float = 0.0
    latest: list[float] = []
    ordered: list[float] = []

    def take(self, at: float) -> float:
        """Take the time of one sample; returns what passed since the one before, never less than nothing."""
        if self.at is None:
            self.at = at
            return 0.0
        passed = at - self.at
        if passed <= 0.0:
            return 0.0
        self.at = at
        if len(self.latest) == KEPT:
            gone = self.latest.pop(0)
            del self.ordered[bisect_left(self.ordered, gone)]
        self.latest.append(passed)
        insort(self.ordered, passed)
        self.seconds = self.ordered[len(self.ordered) // 2]
        return passed
