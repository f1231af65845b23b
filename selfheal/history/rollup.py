"""What is left of many points where few have to do?

Rows: time of the bucket's begin, how many points, their sum, least, greatest and latest. Points are rows of one point
each, minutes are made from points, hours from minutes, and what is drawn from any of them, all in the same way.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import lt

from selfheal.history.columns import Table
from selfheal.history.sketch import sketch

MINUTE_S, HOUR_S = 60.0, 3600.0
AT, COUNT, SUM, LEAST, MOST, LAST = range(6)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a signal was from `at` on, for one width of what is drawn."""

    at: float
    count: int
    mean: float
    least: float
    most: float


def as_rows(times: array[float], values: array[float]) -> Table:
    """Each point as a row of its own."""
    return [times, array("d", [1.0]) * len(times), values, values, values, values]


def in_order(times: array[float], values: array[float]) -> tuple[array[float], array[float]]:
    """The points by time, each time once: what was written twice, or after the clock was set back, is one again."""
    if all(map(lt, times, times[1:])):
        return times, values
    points = dict(zip(times, values, strict=True))
    ordered = sorted(points)
    return array("d", ordered), array("d", map(points.__getitem__, ordered))


def rolled(rows: Table, width_s: float) -> Table:
    """Rows in order of time, merged to buckets of a width that begin at whole multiples of it."""
    out: Table = [array("d") for _ in range(6)]
    for begin, end in _runs(rows[AT], width_s):
        merged = (
            rows[AT][begin] // width_s * width_s,
            sum(rows[COUNT][begin:end]),
            sum(rows[SUM][begin:end]),
            min(rows[LEAST][begin:end]),
            max(rows[MOST][begin:end]),
            rows[LAST][end - 1],
        )
        for column, value in zip(out, merged, strict=True):
            column.append(value)
    return out


def sketched(times: array[float], values: array[float], width_s: float) -> Table:
    """The sketch of each bucket of time as rows: its begin, a bucket of the sketch, how many are in that."""
    out: Table = [array("d") for _ in range(3)]
    for begin, end in _runs(times, width_s):
        counts = sketch(values[begin:end])
        out[0].extend([times[begin] // width_s * width_s] * len(counts))
        out[1].extend(sorted(counts))
        out[2].extend(counts[bucket] for bucket in sorted(counts))
    return out


def counted(table: Table, since: float) -> Counter[int]:
    """The sketch of everything from `since` on, from rows as `sketched` gives them."""
    counts: Counter[int] = Counter()
    for at, bucket, count in zip(*table, strict=True):
        if at >= since:
            counts[int(bucket)] += int(count)
    return counts


def joined(tables: Iterable[Table], columns: int) -> Table:
    """Tables one below the other."""
    out: Table = [array("d") for _ in range(columns)]
    for table in tables:
        for column, more in zip(out, table, strict=True):
            column.extend(more)
    return out


def distinct(table: Table) -> Table:
    """The rows in order, each once."""
    rows = sorted(set(zip(*table, strict=True)))
    return [array("d", column) for column in zip(*rows, strict=True)] if rows else table


def within(rows: Table, since: float, until: float) -> Table:
    """The rows that begin at `since` or later, and before `until`. They are in order of time."""
    begin, end = bisect_left(rows[AT], since), bisect_left(rows[AT], until)
    return [column[begin:end] for column in rows]


def drawn(rows: Table, since: float, until: float, count: int) -> list[Bucket]:
    """At most `count` buckets of equal width; those without a point are left out."""
    width_s = (until - since) / count
    shifted = [array("d", (max(0.0, at - since) for at in rows[AT])), *rows[COUNT:]]
    merged = rolled(shifted, width_s) if width_s > 0 else shifted
    return [
        Bucket(since + at, int(number), total / number, least, most)
        for at, number, total, least, most, _ in zip(*merged, strict=True)
    ]


def _runs(times: Sequence[float], width_s: float) -> Iterator[tuple[int, int]]:
    """Where the rows of each bucket begin and end."""
    begin = 0
    while begin < len(times):
        bucket = times[begin] // width_s
        end = bisect_left(times, bucket + 1, begin, key=lambda at: at // width_s)
        yield begin, end
        begin = end
