"""How do signals get to the disk, and back into memory after a restart?

One loop writes what is new; whatever takes longer is done in its thread. Where the disk refuses, the points stay where
they are and are tried again with the next ones: history is a snapshot beside the journal, and nothing waits for it.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import inf
from typing import TypeVar

from selfheal.compose.condense import DAY_S, Halted, bind, condense, due_days, due_hours, seal, tables_of
from selfheal.compose.uptimes import HEALTHY, WANTED, Uptimes
from selfheal.config.models import HistoryConfig
from selfheal.events import LoopFailed, StateDamaged
from selfheal.history.batches import names_of, pack
from selfheal.history.rings import POINTS_IN_ALL, Fresh, History
from selfheal.history.rollup import HOUR_S, within
from selfheal.ledger import Ledger
from selfheal.ports import Ports
from selfheal.store.shelf import NoRoom, Shelf, Volume

FLUSH_S = 15.0
# Agents whose points, or uptime, are gathered in one go: about a millisecond.
AT_ONCE = 250
# The tail is read as a whole, and made a volume when it is an hour, so many points (16 MB) or this share of all.
TAIL_POINTS = 1_000_000
TAIL_SHARE = 8
# An hour is over when what was asked in it has been answered and written.
GRACE_S = 60.0
# Between two signals the thread lets go of the interpreter: the loop then waits for a millisecond, not for five.
PAUSE_S = 0.0005

_T = TypeVar("_T")


class Archive:
    """Writes the history, and fills it again at the start."""

    def __init__(
        self,
        ledger: Ledger,
        ports: Ports,
        history: History,
        shelf: Shelf,
        uptimes: Uptimes,
        settings: Callable[[], HistoryConfig],
    ) -> None:
        self._ledger = ledger
        self._ports = ports
        self._history = history
        self._shelf = shelf
        self._settings = settings
        self._writing = threading.Lock()  # a cancelled write goes on in its thread; the next must not overtake it
        self._stopping = threading.Event()
        self._open = False
        self._tail_points = 0
        self._tail_since = 0.0
        self._uptimes = uptimes
        self._hours_tried: set[float] = set()
        self._days_tried: set[float] = set()
        self._trouble = ""
        self._cramped = ""

    async def keep(self) -> None:
        """Write what is new, and make volumes of what is old. What does not work is told once, and tried again."""
        trouble = ""
        try:
            if not self._open:
                await self._begin()
            await self._flush()
            self._cramped = ""
            await self._in_thread(self._tidy)
            trouble = self._cramped
        except Halted:
            return
        except OSError as why:
            trouble = f"cannot keep the history of signals: {why.strerror or why}"
        self._tell(trouble)

    async def close(self) -> None:
        """Write what is new a last time."""
        self._stopping.set()
        if self._open:
            try:
                await self._flush(last=True)
            except OSError as why:
                self._tell(f"cannot keep the history of signals: {why.strerror or why}")

    # --- in the loop ---

    async def _begin(self) -> None:
        """Make a volume of what the last daemon has written, and fill the memory from the last hour."""
        since = self._ports.clock.now() - HOUR_S
        await self._in_thread(self._take_over)
        room = POINTS_IN_ALL
        for volume in reversed(self._shelf.volumes("raw", since)):
            found = await self._in_thread(partial(self._points, volume, since))
            room -= sum(len(points) // 2 for _, _, points in found)
            if room < 0:
                break
            await self._recall(found)
        self._open = True

    async def _recall(self, found: Sequence[Fresh]) -> None:
        for some in _slices(found):
            for agent, signal, points in some:
                series = self._history.series(agent, signal) if agent in self._ledger.world.agents else None
                if series is not None:
                    series.precede(points)
            await self._ports.clock.sleep(0)

    async def _flush(self, *, last: bool = False) -> None:
        now = self._ports.clock.now()
        if last or self._uptimes.is_due(now):
            for names in _slices(tuple(self._ledger.world.agents)):
                await self._write(self._uptimes.more(names, now))
                self._uptimes.written()
            self._uptimes.all_written(now)
        for names in _slices(self._history.agents()):
            taken, written = self._history.take(names), False
            try:
                await self._write(taken)
                written = True
            finally:
                if not written:
                    self._history.take_back(taken)

    async def _write(self, taken: list[Fresh]) -> None:
        if not taken:
            return
        await self._in_thread(lambda: self._shelf.append(pack(taken)))
        self._tail_since = self._tail_since or self._ports.clock.now()
        self._tail_points += sum(len(points) // 2 for _, _, points in taken)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        def alone() -> _T:
            with self._writing:
                return work()

        return await self._ports.run_in_thread(alone)

    def _tell(self, trouble: str) -> None:
        now = self._ports.clock.now()
        if trouble and trouble != self._trouble:
            self._ledger.record(LoopFailed(now, "history", trouble, FLUSH_S))
        self._trouble = trouble
        for lost in self._shelf.take_lost():
            self._ledger.record(StateDamaged(now, f"history/{lost.file}", lost.what, None, "signals of that time"))

    # --- in a thread ---

    def _take_over(self) -> None:
        self._shelf.open()
        if self._shelf.tail_size:
            self._seal()

    def _points(self, volume: Volume, since: float) -> list[Fresh]:
        """The points of a volume from a time on."""
        with self._shelf.reading(volume) as file:
            found = [
                (*names_of(key), _pairs(*within(table, since, inf)))
                for key, body in (file.blocks() if file is not None else ())
                for table in tables_of([body], 2)
            ]
        return [one for one in found if one[2] and one[1] not in (HEALTHY, WANTED)]

    def _tidy(self) -> None:
        """Whatever is due. Where it is to stop, the next daemon does the rest."""
        now, kept, halt = self._ports.clock.now(), self._settings(), self._halt
        if self._is_tail_full(now):
            self._seal()
        self._each(due_hours(self._shelf, now - GRACE_S), self._hours_tried, partial(condense, self._shelf, halt=halt))
        self._each(due_days(self._shelf, now), self._days_tried, partial(bind, self._shelf, halt=halt))
        self._shelf.expire(now, {"raw": kept.raw, "minutes": kept.minutes, "hours": max(kept.hours, DAY_S)})

    def _seal(self) -> None:
        try:
            seal(self._shelf, self._halt)
        except NoRoom:  # it was written under a larger budget: what cannot be kept makes room for what comes
            self._shelf.drop_tail()
            raise
        finally:
            if not self._shelf.tail_size:
                self._tail_points, self._tail_since = 0, 0.0

    def _halt(self) -> bool:
        """Whether it is to stop."""
        return self._stopping.wait(PAUSE_S)

    def _each(self, begins: list[float], tried: set[float], work: Callable[[float], None]) -> None:
        """Do the work of each time. Where it makes nothing, or there is no room for it, it is not done again."""
        for begin in begins:
            try:
                if begin not in tried:
                    work(begin)
            except NoRoom as why:
                self._cramped = f"cannot keep what was made of {begin:.0f}: {why}"
            tried.add(begin)
        tried.intersection_update(begins)

    def _is_tail_full(self, now: float) -> bool:
        """Whether it is long, or an hour that it began in is over."""
        over = bool(self._tail_since) and self._tail_since // HOUR_S < (now - GRACE_S) // HOUR_S
        large = self._shelf.tail_size > self._settings().max_size // TAIL_SHARE
        return over or large or self._tail_points >= TAIL_POINTS


def _slices(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """So many at once that the loop is not held up by them."""
    return (items[begin : begin + AT_ONCE] for begin in range(0, len(items), AT_ONCE))


def _pairs(times: array[float], values: array[float]) -> array[float]:
    """Points in order: time, value, time, value, …"""
    pairs = array("d", bytes(16 * len(times)))
    pairs[::2], pairs[1::2] = times, values
    return pairs
