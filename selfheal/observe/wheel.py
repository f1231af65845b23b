"""What is due now?

One timer for everything periodic: due times are put into slots of 50 ms, and the loop is woken for the next slot that
holds something, never for an empty one. A task for each of 50,000 checks takes an eighth of a core and fires
75 ms late; this takes a fiftieth, and a virtual loop skips hours in one step.

A key has its own phase within its period, a stable hash of it, so that checks of the same period spread out and stay
where they are over restarts. What was missed while the loop stood still is made up for once, not once per period.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import zlib
from collections import deque
from collections.abc import Callable

TICK_S = 0.05
FIRST_WITHIN_S = 1.0  # a new check is first asked within this time, spread out …
FIRST_PER_S = 2000.0  # … but no more of them than so many a second
_HAIR = 1e-6  # of a slot: sums of fractions are a hair off, and would land in the slot after theirs
# Nothing is asked twice within half of the fast pace: an early look and the regular one would count as two misses of
# the same moment.
_LEAST_GAP_S = 0.5


class Alarm:
    """Something that is called once at its time, unless it is taken off the wheel before. It may be set again."""

    __slots__ = ("callback", "tick")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.tick: int | None = None
        """The slot in which it stands; None in none."""


class _Periodic(Alarm):
    """What is called again and again. `regular` is its next time by phase, `due` the next time at all."""

    __slots__ = ("due", "interval_s", "key", "regular")

    def __init__(self, key: str, interval_s: float, callback: Callable[[], None], regular: float, due: float) -> None:
        super().__init__(callback)
        self.key = key
        self.interval_s = interval_s
        self.regular = regular
        self.due = due


# The slot of those whose time has come: they are out of the wheel, and about to be called.
_FIRING = -1


class Wheel:
    """A hashed timer wheel. Callbacks run in the loop, and one that raises does not keep the others from running."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._entries: dict[str, _Periodic] = {}
        self._slots: dict[int, dict[Alarm, None]] = {}
        self._ticks: list[int] = []  # a heap of the slots that there are
        self._firing: deque[Alarm] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0

    def add(self, key: str, interval_s: float, callback: Callable[[], None], first_s: float | None = None) -> None:
        """Call `callback` in `first_s` seconds and then once a period, until removed. Replaces an earlier one.

        Without `first_s` the first time comes within a second, or within the period where that is shorter; of many
        thousands it takes longer, so that they do not all come at once.
        """
        self.remove(key)
        interval_s = max(interval_s, TICK_S)
        share = zlib.crc32(key.encode()) / 2**32
        now = self._loop.time()
        within = max(FIRST_WITHIN_S, len(self._entries) / FIRST_PER_S)
        due = now + (share * min(interval_s, within) if first_s is None else first_s)
        entry = _Periodic(key, interval_s, callback, _phase_after(due, share, interval_s), due)
        self._entries[key] = entry
        self._place(entry, due)

    def remove(self, key: str) -> None:
        """Do not call this one any more, even where it is due already."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.unset(entry)

    def reschedule(self, key: str, in_s: float) -> None:
        """Call this one in `in_s` seconds if it is not due before; its phase stays. Unknown keys are ignored."""
        entry = self._entries.get(key)
        due = self._loop.time() + in_s
        if entry is not None and due < entry.due:
            self.unset(entry)
            entry.due = due
            self._place(entry, due)

    def set(self, alarm: Alarm, in_s: float) -> None:
        """Call this one in `in_s` seconds, and at no other time."""
        self.unset(alarm)
        self._place(alarm, self._loop.time() + in_s)

    def unset(self, alarm: Alarm) -> None:
        """Do not call this one, even where it is due already."""
        # An emptied slot stays until its time: one idle wake-up costs less than to search the heap.
        tick, alarm.tick = alarm.tick, None
        if tick is not None and tick != _FIRING:
            self._slots.get(tick, {}).pop(alarm, None)  # of a wheel that was closed there are no slots

    def close(self) -> None:
        """Forget everything. The wheel may be used again."""
        self._entries.clear()
        self._slots.clear()
        self._ticks.clear()
        self._firing.clear()
        self._disarm()

    def _place(self, alarm: Alarm, due: float) -> None:
        tick = math.ceil(due / TICK_S - _HAIR)
        slot = self._slots.get(tick)
        if slot is None:
            slot = self._slots[tick] = {}
            heapq.heappush(self._ticks, tick)
        slot[alarm] = None
        alarm.tick = tick
        if self._timer is None or tick < self._armed:
            self._arm(tick)

    def _arm(self, tick: int) -> None:
        self._disarm()
        self._armed = tick
        self._timer = self._loop.call_at(tick * TICK_S, self._turn)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _turn(self) -> None:
        """Fire every slot whose time has come, and sleep until the next that holds something."""
        self._timer = None
        now = max(self._loop.time(), self._armed * TICK_S)  # asyncio may call a hair before the time
        while self._ticks and self._ticks[0] * TICK_S <= now:
            slot = self._slots.pop(heapq.heappop(self._ticks))
            for alarm in slot:
                alarm.tick = _FIRING
            self._firing.extend(slot)
        while self._ticks and not self._slots[self._ticks[0]]:  # all that stood in it was taken out
            del self._slots[heapq.heappop(self._ticks)]
        if self._ticks:
            self._arm(self._ticks[0])
        self._fire(now)

    def _fire(self, now: float) -> None:
        try:
            while self._firing:
                alarm = self._firing.popleft()
                if alarm.tick != _FIRING:  # it was taken out, or put elsewhere
                    continue
                alarm.tick = None
                if isinstance(alarm, _Periodic):
                    alarm.due = alarm.regular = _next_regular(alarm, now)
                    self._place(alarm, alarm.due)
                alarm.callback()
        finally:
            if self._firing:  # a callback raised, which the loop reports; the others are none the worse for it
                self._loop.call_soon(self._fire, now)


def _phase_after(moment: float, share: float, interval_s: float) -> float:
    """The first time by phase that is not too soon after `moment`."""
    earliest = moment + min(_LEAST_GAP_S, interval_s / 2)
    phase = math.floor(share * interval_s / TICK_S) * TICK_S  # so that it is never late by a part of a slot
    return phase + interval_s * math.ceil((earliest - phase) / interval_s)


def _next_regular(entry: _Periodic, now: float) -> float:
    """The regular time after a firing at `now`: those that were missed are left out."""
    if entry.due >= entry.regular:
        missed = max(0, math.floor((now - entry.regular) / entry.interval_s))
        return entry.regular + (missed + 1) * entry.interval_s
    near = entry.regular < now + min(_LEAST_GAP_S, entry.interval_s / 2)
    return entry.regular + (entry.interval_s if near else 0.0)
