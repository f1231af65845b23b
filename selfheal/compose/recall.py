"""What was a signal in the past, how long was an agent well, and how fast did it answer?

The newest points are in memory, older ones on the disk, first as points, then as minutes, then as hours: what is asked
for is put together from all of them, as fine as it can be shown.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator

from selfheal.compose.condense import DAY_S, points_of_tail, tables_of
from selfheal.compose.uptimes import HEALTHY, WANTED, Counts, Uptimes
from selfheal.history.batches import SKETCH, key_of
from selfheal.history.columns import Table
from selfheal.history.rings import History
from selfheal.history.rollup import (
    AT,
    HOUR_S,
    MINUTE_S,
    SUM,
    as_rows,
    counted,
    distinct,
    drawn,
    in_order,
    joined,
    sketched,
    within,
)
from selfheal.history.sketch import quantile
from selfheal.ports import Ports
from selfheal.serve.ports import Drawing, Pace, Past
from selfheal.store.shelf import GRAINS, Shelf

WINDOWS = {"24h": DAY_S, "7d": 7 * DAY_S, "30d": 30 * DAY_S, "90d": 90 * DAY_S}
# What each grain is in seconds; points are as fine as they come.
_STEPS = {"raw": 0.0, "minutes": MINUTE_S, "hours": HOUR_S}
# The latest figures of so many agents are kept for so long: a page asks for the same ones again and again.
KEPT, FRESH_S = 256, 15.0


class Recall:
    """Reads the history."""

    def __init__(self, ports: Ports, history: History, shelf: Shelf, uptimes: Uptimes) -> None:
        self._ports = ports
        self._uptimes = uptimes
        self._history = history
        self._shelf = shelf
        self._known: dict[str, tuple[float, Past]] = {}

    async def draw(self, agent: str, signal: str, since: float, until: float, count: int) -> Drawing:
        """A signal from `since` until `until` in at most `count` buckets, from the grain that is fine enough."""
        latest = self._history.recent(agent, signal, since - HOUR_S)
        return await self._ports.run_in_thread(lambda: self._draw(agent, signal, since, until, count, latest))

    async def past(self, agent: str) -> Past:
        """Uptime and latency of an agent over each window, at most `FRESH_S` old."""
        now = self._ports.clock.now()
        at, known = self._known.get(agent, (0.0, None))
        if known is not None and 0.0 <= now - at < FRESH_S:
            return known
        latest = self._history.recent(agent, "latency")
        more = self._uptimes.unwritten(agent, now)
        found = await self._ports.run_in_thread(lambda: self._past(agent, now, latest, more))
        while len(self._known) >= KEPT:
            del self._known[next(iter(self._known))]
        self._known[agent] = now, found
        return found

    async def points(self, agent: str, since: float, until: float) -> dict[str, tuple[array[float], array[float]]]:
        """Every signal of an agent between two times, as it was seen."""
        latest = {signal: self._history.recent(agent, signal, since) for signal in self._history.signals(agent)}
        return await self._ports.run_in_thread(
            lambda: {name: self._points(key_of(agent, name), since, until, some) for name, some in latest.items()}
        )

    # --- in a thread ---

    def _draw(
        self, agent: str, signal: str, since: float, until: float, count: int, latest: list[tuple[float, float]]
    ) -> Drawing:
        width_s = (until - since) / count
        grain = next(grain for grain in reversed(GRAINS) if _STEPS[grain] <= width_s)
        key = key_of(agent, signal)
        rows = joined(reversed(list(self._parts(key, grain, since, until, latest))), 6)
        return Drawing(grain, tuple(drawn(rows, since, until, count)))

    def _parts(
        self, key: bytes, grain: str, since: float, until: float, latest: list[tuple[float, float]]
    ) -> Iterator[Table]:
        """The rows of each span of time, the newest first: from the wanted grain, before that from coarser ones."""
        begin = self._points_from(grain, since)
        times, values = self._points(key, begin, until, latest)
        yield within(as_rows(times, values), begin, until)
        for coarser in GRAINS[max(1, GRAINS.index(grain)) :]:
            if begin <= since:
                return
            end, volumes = begin, self._shelf.volumes(coarser)
            begin = max(since, volumes[0].begin) if volumes and coarser != GRAINS[-1] else since
            step = _STEPS[coarser]
            rows = joined(tables_of(self._shelf.find(coarser, key, begin - step, end), 6), 6)
            if rows[AT]:
                yield within(distinct(rows), begin - step, end)

    def _points_from(self, grain: str, since: float) -> float:
        """From when on points are looked at: all of them, or those of which nothing has been made yet."""
        raw, made = self._shelf.volumes("raw"), self._shelf.volumes("hours")
        first = max(since, raw[0].begin) if raw else since
        return first if grain == GRAINS[0] or not made else max(first, made[-1].end)

    def _points(
        self, key: bytes, since: float, until: float, latest: list[tuple[float, float]]
    ) -> tuple[array[float], array[float]]:
        """Points from the disk, and from memory those that are newer than it: there they are not rounded."""
        tail = [[times, values] for _, times, values in points_of_tail(self._shelf, key)]  # first: it becomes a volume
        found = joined([*tables_of(self._shelf.find("raw", key, since, until), 2), *tail], 2)
        first = latest[0][0] if latest else until
        times, values = within(list(in_order(*found)), since, first - 0.001)
        times.extend(at for at, _ in latest)
        values.extend(value for _, value in latest)
        return times, values

    def _past(self, agent: str, now: float, latest: list[tuple[float, float]], more: Counts) -> Past:
        made = self._shelf.volumes("hours")
        begin = made[-1].end if made else 0.0
        sketches = self._sketches(agent, now, begin, latest)
        healthy, wanted = (self._sums(key_of(agent, signal), now, begin) for signal in (HEALTHY, WANTED))
        return Past(
            {
                name: _share(more[0] + _sum(healthy, now - span), more[1] + _sum(wanted, now - span))
                for name, span in WINDOWS.items()
            },
            {name: _pace(counted(sketches, now - span)) for name, span in WINDOWS.items()},
        )

    def _sketches(self, agent: str, now: float, begin: float, latest: list[tuple[float, float]]) -> Table:
        key = key_of(agent, "latency")
        times, values = within(list(self._points(key, begin, now, latest)), begin, now + 1.0)
        made = joined(tables_of(self._shelf.find("hours", key + SKETCH, now - WINDOWS["90d"], now), 3), 3)
        return joined([distinct(made), sketched(times, values, MINUTE_S)], 3)

    def _sums(self, key: bytes, now: float, begin: float) -> Table:
        """Times and sums: of the hours that were made, and of each point since."""
        rows = distinct(joined(tables_of(self._shelf.find("hours", key, now - WINDOWS["90d"], now), 6), 6))
        times, values = self._points(key, begin, now + 1.0, [])
        return joined([[rows[AT], rows[SUM]], [times, values]], 2)


def _sum(sums: Table, since: float) -> float:
    return sum(value for at, value in zip(sums[0], sums[1], strict=True) if at >= since)


def _share(healthy: float, wanted: float) -> float | None:
    return min(1.0, max(0.0, healthy / wanted)) if wanted > 0 else None


def _pace(counts: Counter[int]) -> Pace | None:
    p50, p95, p99 = (quantile(counts, share) for share in (0.5, 0.95, 0.99))
    return Pace(p50, p95, p99) if p50 is not None and p95 is not None and p99 is not None else None
