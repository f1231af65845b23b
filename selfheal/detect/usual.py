"""Where does a signal use to be at this time of the day, and of the week?

Of each half hour of the last two weeks two numbers are kept: the highest and the lowest level that it held for three
samples, since that is what an anomaly is made of. Usual is what two of the last three days reached at this time, or
both of the last two weeks: what happened once is no custom. The times are in UTC.
"""

from __future__ import annotations

from array import array
from math import inf, isfinite, nan

import msgspec

SLOT_S = 1800.0
DAY, WEEK = 48, 336
# Two weeks and a day: the slot of this time two weeks ago is still needed.
RING = 2 * WEEK + DAY
# Jobs do not begin on the second.
ABOUT_S = 300.0
# It is used where slots differ from those of the day or the week before by at most this share of what they differ by
# from each other, squared. Of noise that is as much, or twice.
EXPLAINED = 0.5
# Slots that the comparison of these remembers, about.
COMPARED = 96
_CELL = 8
_UNKNOWN_DAY = array("f", [nan] * 2 * DAY).tobytes()
_DAYS, _WEEKS = (DAY, 2 * DAY, 3 * DAY), (WEEK, 2 * WEEK)


class Usual(msgspec.Struct, array_like=True):
    """The last two weeks of one signal. It is changed in place, for its speed."""

    slot: int = -1
    origin: int = 0
    low: float = inf
    high: float = -inf
    mean: float = 0.0
    whole: float = 0.0
    left: float = 0.0
    compared: int = 0
    cells: bytearray = msgspec.field(default_factory=bytearray)

    def take(self, at: float, low: float, high: float) -> None:
        """Take what was held: the level has not been above `low`, nor below `high`, for three samples."""
        slot = int(at // SLOT_S)
        if slot != self.slot:
            self._turn(slot)
        self.low = min(self.low, low)
        self.high = max(self.high, high)

    def beyond(self, at: float, value: float) -> float | None:
        """How far the value is beyond what is usual at that time, below 0 where it is too low and 0 where it is not;
        None where nothing is usual.
        """
        if self.left > EXPLAINED * self.whole or self.compared < DAY // 2:
            return None
        first, last = int((at - ABOUT_S) // SLOT_S), int((at + ABOUT_S) // SLOT_S)
        ranges = [found for ago in (_DAYS, _WEEKS) if (found := self._range(first, last, ago)) is not None]
        offs = [min(0.0, value - low) + max(0.0, value - high) for low, high in ranges]
        return min(offs, key=abs, default=None)

    def _range(self, first: int, last: int, ago: tuple[int, ...]) -> tuple[float, float] | None:
        """What two of these times reached, at least."""
        held = [self._held(first - slots, last - slots) for slots in ago if last - slots < self.slot]
        known = [one for one in held if one is not None]
        if len(known) < 2:
            return None
        return sorted(low for low, _ in known)[1], sorted(high for _, high in known)[-2]

    def _held(self, first: int, last: int) -> tuple[float, float] | None:
        cells = memoryview(self.cells).cast("f")
        slots = range(max(first, self.slot - RING + 1), last + 1)
        places = [place for slot in slots if (place := self._place(slot)) < len(cells)]
        known = [(cells[place], cells[place + 1]) for place in places if cells[place] == cells[place]]  # NaN: unknown
        if not known:
            return None
        return min(low for low, _ in known), max(high for _, high in known)

    def _place(self, slot: int) -> int:
        return 2 * ((slot - self.origin) % RING)

    def _turn(self, slot: int) -> None:
        """Write down the slot that is over. Those in which nobody looked are unknown."""
        if self.slot < 0:
            self.origin = slot
        else:
            if isfinite(self.low) and isfinite(self.high):
                self._compare()
                self._put(self.slot, self.low, self.high)
            for missed in range(max(self.slot + 1, slot - RING + 1), slot):
                self._put(missed, nan, nan)
        self.slot, self.low, self.high = slot, inf, -inf

    def _put(self, slot: int, low: float, high: float) -> None:
        place = self._place(slot)
        while len(self.cells) < 4 * (place + 2):
            self.cells += _UNKNOWN_DAY
        cells = memoryview(self.cells).cast("f")
        cells[place], cells[place + 1] = low, high

    def _compare(self) -> None:
        """How much slots differ from each other, and from those of the day or the week before, whichever is nearer."""
        middle = (self.low + self.high) / 2.0
        before = [held for ago in (DAY, WEEK) if (held := self._held(self.slot - ago, self.slot - ago)) is not None]
        if not before:
            return
        off = min(abs(middle - (low + high) / 2.0) for low, high in before)
        apart = middle - self.mean if self.compared else 0.0
        weight = max(1.0 / COMPARED, 1.0 / (self.compared + 1))
        self.mean += weight * (middle - self.mean)
        self.whole += weight * (apart * apart - self.whole)
        self.left += weight * (off * off - self.left)
        self.compared += 1
