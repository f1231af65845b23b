"""Is a series a count of all that ever happened? Then its rate is what can be strange.

A count never falls but when its program starts again. A series is taken as one once it has risen often and never fallen
for a while; one that falls again and again was none.
"""

from __future__ import annotations

import msgspec

# So many samples without a fall, at least half of which have risen, make a counter. Noise does not manage twenty.
SURE = 200
# A counter that has started again so often within as many samples is none.
RESETS = 3


class Counter(msgspec.Struct):
    """Whether one series counts. It is changed in place, for its speed."""

    counts: bool = False
    last: float | None = None
    steady: int = 0
    rises: int = 0
    resets: int = 0

    def take(self, value: float) -> bool:
        """Take one sample; returns whether it has just turned out that the series counts, or that it does not."""
        before, self.last = self.last, value
        if before is None:
            return False
        self.steady += 1
        if value < before:
            return self._fell()
        self.rises += value > before
        if self.steady < SURE:
            return False
        turned = not self.counts and 2 * self.rises >= self.steady
        self.counts = self.counts or turned
        self.steady = self.rises = self.resets = 0
        return turned

    def _fell(self) -> bool:
        if not self.counts:
            self.steady = self.rises = 0
            return False
        self.resets += 1
        if self.resets < RESETS:
            return False
        self.counts, self.steady, self.rises, self.resets = False, 0, 0, 0
        return True
