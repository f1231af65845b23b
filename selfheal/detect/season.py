"""What did a series do at this time of the day, in the last week?

A ring of seven days, in cells of five minutes. A sample fills the cells until the next one is due, so that samples
which come a little early or late still meet those of yesterday. The ring is bytes: as floats of Python it would take
four times as much.
"""

from __future__ import annotations

from array import array
from math import nan

import msgspec

DAYS = 7
DAY_S = 86_400.0
CELLS = 288
CELL_S = DAY_S / CELLS
# Samples before and after the same time of day that count as well: jobs do not begin on the second.
BESIDE = 2
# With fewer samples a day than four there is no day to be seen.
SLOWEST_S = DAY_S / 4

_EMPTY_DAY = array("d", [nan] * CELLS).tobytes()


class Season(msgspec.Struct):
    """A week of one series by the time of day, in UTC. It is changed in place, for its speed."""

    days: list[int] = []
    cells: bytearray = msgspec.field(default_factory=bytearray)

    def residual(self, at: float, value: float, pace_s: float) -> float | None:
        """How far the value is from the median of its time of day; None where no earlier day tells. Then keep it."""
        if not 0.0 < pace_s <= SLOWEST_S:
            return None
        day, second = divmod(at, DAY_S)
        today, cell = int(day), int(second / CELL_S)
        stride = max(1, round(pace_s / CELL_S))
        seen = self._seen(today, cell, stride)
        self._keep(today, cell, stride, value)
        if not seen:
            return None
        seen.sort()
        middle = len(seen) // 2
        usual = seen[middle] if len(seen) % 2 else (seen[middle - 1] + seen[middle]) / 2.0
        return value - usual

    def _seen(self, today: int, cell: int, stride: int) -> list[float]:
        """What is known of the same time of the last days."""
        cells, seen = memoryview(self.cells).cast("d"), []
        rows = {day: row * CELLS for row, day in enumerate(self.days)}
        for place in range(cell - BESIDE * stride, cell + BESIDE * stride + 1, stride):
            later, there = divmod(place, CELLS)  # just before midnight is near just after it
            for day in range(today + later - DAYS, min(today, today + later)):
                start = rows.get(day)
                if start is not None and (value := cells[start + there]) == value:  # NaN: nothing was measured
                    seen.append(value)
        return seen

    def _keep(self, today: int, cell: int, stride: int, value: float) -> None:
        row = self._row(today)
        cells = memoryview(self.cells).cast("d")
        for place in range(row * CELLS + cell, row * CELLS + min(CELLS, cell + stride)):
            cells[place] = value

    def _row(self, today: int) -> int:
        """The row of a day; the oldest one is given up for a new one."""
        if today in self.days:
            return self.days.index(today)
        if len(self.days) < DAYS:
            self.days.append(today)
            self.cells += _EMPTY_DAY
            return len(self.days) - 1
        row = self.days.index(min(self.days))
        self.days[row] = today
        start = row * len(_EMPTY_DAY)
        self.cells[start : start + len(_EMPTY_DAY)] = _EMPTY_DAY
        return row
