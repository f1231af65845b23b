"""What did an agent write?

Its log and the rotated pieces of it, read as the one text that they are. Times are not in it: an agent writes its log
itself. All but `follow` is blocking file work.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count, takewhile
from pathlib import Path

from selfheal.clock import Clock
from selfheal.supervise.rotation import content, piece

_TAIL_BYTES = 64 * 1024
_PAGE_BYTES = 1 << 20  # of one page, so that a flood is shown as it comes
_LONGEST_LINE_BYTES = 64 * 1024  # a longer one is shown in parts
_PAGE_LINES = 1000
_LOOK_EVERY_S = 0.2  # what a person takes for at once

_Stamp = tuple[int, int]
_NO_FILE: _Stamp = (0, 0)


def tail(path: Path, lines: int, max_bytes: int = _TAIL_BYTES) -> tuple[str, ...]:
    """The last lines, oldest first, within the last `max_bytes`, with one that is not ended yet. No log is no lines."""
    with _locked(path) as live:
        text, _ = _last_bytes(path, live, max_bytes)
    return _last(text.removesuffix(b"\n").split(b"\n"), lines) if text else ()


def page(path: Path, lines: int, cursor: str) -> tuple[tuple[str, ...], str]:
    """At most `lines` complete lines written since `cursor`, oldest first, and the cursor behind the last of them.

    Nothing is left out from page to page, however often the log was rotated, as long as the pieces are there. An
    empty or foreign cursor gives the last lines.
    """
    place = _parse(cursor)
    with _locked(path) as live:
        if place is None:
            text, end = _last_bytes(path, live, _TAIL_BYTES)
            complete = text[: _end_of_lines(text)]
            unfinished = len(text) - len(complete)
            return _last(complete.split(b"\n")[:-1], lines), _cursor(_back(end, unfinished))
        text, place = _since(path, live, place, _PAGE_BYTES)
        complete = text[: _end_of_lines(text)]
        given = complete.splitlines(keepends=True)[:lines] if b"\r" not in complete else _split(complete)[:lines]
        after = _advanced(path, live, place, sum(map(len, given)))
    return tuple(map(_decode, given)), _cursor(after)


async def follow(path: Path, clock: Clock, lines: int = 0) -> AsyncIterator[str]:
    """The last `lines` lines, and every later one when its end is written. Never ends by itself."""
    given, cursor = await asyncio.to_thread(page, path, lines, "")
    while True:
        for line in given:
            yield line
        if len(given) < _PAGE_LINES:
            await clock.sleep(_LOOK_EVERY_S)
        given, cursor = await asyncio.to_thread(page, path, _PAGE_LINES, cursor)
