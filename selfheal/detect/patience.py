"""For how many samples has a signal to be strange before that is worth telling?

For three. But what has come three times within a day, and each time went by itself, is what the signal does: a burst
has to last half as long again as the longest of them.
"""

from __future__ import annotations

from math import ceil

import msgspec

DAY_S = 86_400.0
# Samples in a row that are beyond the bar: one spike, or two, are not worth a person's attention.
HITS = 3
OFTEN, LONGER = 3, 1.5
REMEMBERED = 24


class Patience(msgspec.Struct, array_like=True):
    """For how many samples one signal is strange now, and was the latest times, each with the time of its end. It is
    changed in place, for its speed.
    """

    now: int = 0
    since: float = 0.0
    spells: list[tuple[float, int]] = []

    def needed(self, at: float) -> int:
        """For how many samples it has to be strange."""
        lately = [length for when, length in self.spells if at - when < DAY_S]
        return max(HITS, ceil(LONGER * max(lately))) if len(lately) >= OFTEN else HITS

    def go_on(self, since: float) -> None:
        """It is strange still; at first, for three samples, the first of which came at `since`."""
        if self.now == 0:
            self.now, self.since = HITS - 1, since
        self.now += 1

    def end(self, at: float, others: Patience) -> None:
        """It went by itself, of which `others` are told, too."""
        if self.now:
            for one in (self, others):
                one.spells = [*one.spells[1 - REMEMBERED :], (at, self.now)]
        self.now = 0

    def drop(self) -> None:
        """Something was done about it: how long it would have lasted is not known."""
        self.now = 0
