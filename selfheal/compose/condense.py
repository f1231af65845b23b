"""How do the points of the tail become volumes, minutes and hours?

All of it blocks, and is asked again and again whether to `halt`: then nothing has happened.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import TypeVar

from selfheal.history.batches import SKETCH, names_of, unpack
from selfheal.history.columns import Table, decode, encode
from selfheal.history.rollup import HOUR_S, MINUTE_S, as_rows, distinct, in_order, joined, rolled, sketched, within
from selfheal.store.blocks import BlockFile, BlockWriter
from selfheal.store.shelf import Shelf, Volume

DAY_S = 86_400.0
# The signals whose quantiles are told; a sketch costs three times what the rest of an hour does.
LATENCY = "latency"

T = TypeVar("T")
Halt = Callable[[], bool]


class Halted(Exception):
    """It was to stop, and has."""


def seal(shelf: Shelf, halt: Halt) -> None:
    """Make a volume of the tail, in which each signal is found by itself. Raises OSError, NoRoom, Halted."""
    parts: dict[bytes, tuple[array[float], array[float]]] = {}
    for key, times, values in points_of_tail(shelf):
        mine = parts.setdefault(key, (array("d"), array("d")))
        mine[0].extend(times)
        mine[1].extend(values)
    if parts:
        begin = min(min(times) for times, _ in parts.values())
        end = max(max(times) for times, _ in parts.values())
        with shelf.writing("raw", begin, end + 1.0, anew=False) as writer:
            for key in unless(halt, parts):
                writer.add(key, encode(in_order(*parts[key])))
    shelf.drop_tail()


def points_of_tail(shelf: Shelf, wanted: bytes | None = None) -> Iterator[tuple[bytes, array[float], array[float]]]:
    """Key, times and values of what the tail holds, in the order in which it was written."""
    for payload in shelf.tail():
        try:
            yield from unpack(payload, wanted)
        except ValueError:
            continue  # of another version; what is damaged was left out before


def due_hours(shelf: Shelf, now: float) -> list[float]:
    """The begins of hours that are over and of which there are only points."""
    done = {begin for volume in shelf.volumes("hours") for begin in _hours(volume)}
    there = {begin for volume in shelf.volumes("raw") for begin in _hours(volume, volume.end - DAY_S)}
    return sorted(begin for begin in there - done if begin + HOUR_S <= now)


def condense(shelf: Shelf, hour: float, halt: Halt) -> None:
    """Make minutes, and the hour, of an hour's points. Raises OSError, Halted."""
    with ExitStack() as stack:
        hours = stack.enter_context(shelf.writing("hours", hour, hour + HOUR_S))  # named last: then all is done
        minutes = stack.enter_context(shelf.writing("minutes", hour, hour + HOUR_S))
        files = _opened(stack, shelf, shelf.volumes("raw", hour, hour + HOUR_S))
        for key, tables in unless(halt, _by_key(files)):
            times, values = in_order(*joined(tables, 2))
            times, values = within([times, values], hour, hour + HOUR_S)
            if times:
                _add(minutes, hours, key, times, values)


def _add(minutes: BlockWriter, hours: BlockWriter, key: bytes, times: array[float], values: array[float]) -> None:
    rows = rolled(as_rows(times, values), MINUTE_S)
    minutes.add(key, encode(rows))
    hours.add(key, encode(rolled(rows, HOUR_S)))
    if names_of(key)[1] == LATENCY:
        hours.add(key + SKETCH, encode(sketched(times, values, HOUR_S)))


def due_days(shelf: Shelf, now: float) -> list[float]:
    """The begins of days that are over and whose hours lie in volumes of their own."""
    days = {volume.begin // DAY_S * DAY_S for volume in shelf.volumes("hours") if volume.end - volume.begin < DAY_S}
    return sorted(day for day in days if day + DAY_S + HOUR_S <= now)


def bind(shelf: Shelf, day: float, halt: Halt) -> None:
    """Make one volume of a day's hours. Raises OSError, Halted."""
    old = shelf.volumes("hours", day, day + DAY_S)
    with ExitStack() as stack:
        writer = stack.enter_context(shelf.writing("hours", day, day + DAY_S))
        for key, tables in unless(halt, _by_key(_opened(stack, shelf, old))):
            rows = distinct(joined(tables, len(tables[0])))  # a daemon may have died before it dropped what it bound
            writer.add(key, encode(rows))
    for volume in old:
        if volume.end - volume.begin < DAY_S:
            shelf.drop(volume)


def tables_of(bodies: Iterable[bytes], columns: int | None = None) -> list[Table]:
    """The tables of blocks, with so many columns; what another version has written is left out."""
    tables = []
    for body in bodies:
        try:
            table = decode(body)
        except ValueError:
            continue
        if len(table) == (columns or len(table)):
            tables.append(table)
    return tables


def unless(halt: Halt, items: Iterable[T]) -> Iterator[T]:
    """The items, one by one, until it is to stop. Raises Halted."""
    for item in items:
        if halt():
            raise Halted
        yield item


def _opened(stack: ExitStack, shelf: Shelf, volumes: Iterable[Volume]) -> list[BlockFile]:
    files = (stack.enter_context(shelf.reading(volume)) for volume in volumes)
    return [file for file in files if file is not None]


def _by_key(files: list[BlockFile]) -> Iterator[tuple[bytes, list[Table]]]:
    """Each key of any of the files, with the tables of all."""
    for number in sorted({number for file in files for number in file.numbers}):
        blocks = [block for file in files if (block := file.block(number)) is not None]
        tables = tables_of(body for _, body in blocks)
        if tables:
            yield blocks[0][0], tables


def _hours(volume: Volume, since: float = 0.0) -> Iterator[float]:
    """The begins of its hours: of the last day, where a clock that jumped has made it span years."""
    begin = max(volume.begin, since) // HOUR_S * HOUR_S
    while begin < volume.end:
        yield begin
        begin += HOUR_S
