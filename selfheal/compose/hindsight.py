"""What was known at an earlier time?

Read from the files alone and changes none, so that it can be asked beside a daemon that runs, or after its death.

The times of events go back a little now and then: a thing is written down a moment after it happened, and clocks are
set. What was known at a time is what had been written down by the last event that is not later than that, so that
nothing that had happened by then is left out. Where the clock was set back, a few that bear a later time may be in it.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from selfheal.compose.takeover import JOURNAL, known_events
from selfheal.errors import SelfhealError
from selfheal.ledger import replay
from selfheal.store.journal import Record, records_in
from selfheal.store.names import number_of
from selfheal.store.salvage import first_seq, segments
from selfheal.store.snapshots import Snapshot, read, snapshots
from selfheal.world import EMPTY, World

_TRIES = 3  # a daemon that runs may drop a file between two looks
_ALL = sys.maxsize


class Recalled(NamedTuple):
    """The world after record `seq`, and the earliest time for which the files that are there can tell it."""

    world: World
    seq: int
    earliest_at: float


class _Time(msgspec.Struct):
    at: float


class _Event(msgspec.Struct):
    data: _Time


_EVENT = msgspec.json.Decoder(_Event)


def recall(state_dir: Path, until: float | None = None) -> Recalled:
    """Return what was known at the time `until`, in seconds since the epoch, or is known by now. Blocks.

    Raises SelfhealError where the journal does not go back so far.
    """
    past = _Past(state_dir / JOURNAL)
    found = past.at(until)
    for _ in range(_TRIES):
        if past.is_still_there():
            break
        past = _Past(state_dir / JOURNAL)
        found = past.at(until)
    if found is None:
        raise SelfhealError(
            f"cannot tell what was known at {_words(until)}: the journal in {str(state_dir)!r} goes back to "
            f"{_words(past.earliest_at())}; ask for a later time, and let [daemon] journal_size keep more"
        )
    return found


class _Past:
    """The files of a journal at one moment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments = segments(folder)
        self._snapshots = snapshots(folder)

    def is_still_there(self) -> bool:
        return segments(self._folder)[:1] == self._segments[:1]

    def at(self, until: float | None) -> Recalled | None:
        """What was known then; None where the files do not go back so far."""
        last = _ALL if until is None else self._last_record(until)
        base = self._newest(last)
        if base is None and self._oldest() is not None:
            return None
        if until is not None and last == self._before_all and (base is None or base.at > until):
            return None
        return self._from(base or Snapshot(0, 0.0, EMPTY), last)

    def earliest_at(self) -> float | None:
        """The earliest time for which the world can be told; None where there is nothing."""
        oldest = self._oldest()
        if oldest is not None:
            return oldest.at
        return next((at for path in self._segments for _, at in _times(path)), None)

    def _from(self, base: Snapshot, last: int) -> Recalled:
        seq, world = base.seq, base.world
        start = bisect_right([first_seq(path) for path in self._segments], seq + 1) - 1
        kept = list(records_in(self._segments[max(start, 0) :], seq, last))
        return Recalled(replay(known_events(kept), world), kept[-1].seq if kept else seq, self.earliest_at() or 0.0)

    def _last_record(self, until: float) -> int:
        """The number of the last record that is not later; of that before them all where there is none."""
        for path in reversed(self._segments):
            found = [seq for seq, at in _times(path) if at <= until]
            if found:
                return found[-1]
        return self._before_all

    @property
    def _before_all(self) -> int:
        return first_seq(self._segments[0]) - 1 if self._segments else _ALL

    def _newest(self, last: int) -> Snapshot | None:
        """The newest snapshot that is sound and holds no record after `last`."""
        fitting = (path for path in reversed(self._snapshots) if number_of(path) <= last)
        return next((found for found in map(_sound, fitting) if found is not None), None)

    def _oldest(self) -> Snapshot | None:
        """The oldest snapshot that is sound, where the journal does not begin with its first record."""
        if self._segments and first_seq(self._segments[0]) == 1:
            return None
        return next((found for found in map(_sound, self._snapshots) if found is not None), None)


def _sound(path: Path) -> Snapshot | None:
    try:
        return read(path)
    except (OSError, ValueError):
        return None


def _times(path: Path) -> list[tuple[int, float]]:
    """The number and the time of each record of a segment."""
    return [(record.seq, at) for record in records_in([path], 0, _ALL) if (at := _time_of(record)) is not None]


def _time_of(record: Record) -> float | None:
    try:
        return _EVENT.decode(record.payload).data.at
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _words(at: float | None) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC" if at is not None else "nothing"
