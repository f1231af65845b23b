"""What did the last daemon leave behind: what is known, and what of it is damaged?

A start loads the newest snapshot of the world that is sound, and what the journal holds after it. The state files are
made from the journal, and say how far it had got: where it has not got so far, it is not the one that they were made
from, or its end is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selfheal.clock import Clock
from selfheal.errors import StateDirUnusable
from selfheal.events import Event, StateDamaged, Unknown, decode
from selfheal.ledger import replay
from selfheal.ports import RunInThread
from selfheal.serve.documents import DOCUMENTS
from selfheal.store import held
from selfheal.store.documents import examine, missing, previous
from selfheal.store.journal import Damage, Journal, Record
from selfheal.store.names import content
from selfheal.store.snapshots import SUFFIX, Found, newest
from selfheal.world import EMPTY, World

JOURNAL = "journal"

_LOST_WITH_VIEW = "nothing but signals, for it is built again from the journal"
_LOST_WITH_SNAPSHOT = "nothing: the journal and the snapshots before it hold the same"
# The head of a state file, as `stamp` gives it.
_HEAD = re.compile(rb'\{\s*"schema_version": \d+,\s*"updated_at": "[^"]{0,40}",\s*"events": (\d{1,18})\b')
_HEAD_BYTES = 256


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What a daemon begins with. `snapshot` is the number of the record whose world was loaded; 0 for none."""

    journal: Journal
    world: World
    damages: tuple[StateDamaged, ...]
    snapshot: int


def take_over(state_dir: Path, run_in_thread: RunInThread, clock: Clock) -> TakenOver:
    """Read what is there. Blocks; for the start. Raises StateDirUnusable."""
    now, folder = clock.now(), state_dir / JOURNAL
    views = tuple(_damaged_views(state_dir, clock))
    found = _newest(folder, now)
    since, world = (found.snapshot.seq, found.snapshot.world) if found.snapshot is not None else (0, EMPTY)
    known = _events_shown(state_dir)
    journal, records, damages = Journal.open(folder, run_in_thread, clock, since=since, known=known)
    world = replay(known_events(records), world)
    gone = _missing_snapshots(folder, now, found)
    told = tuple(told_damage(now, each, since) for each in (*found.damage, *gone, *damages))
    return TakenOver(journal, world, (*told, *views), since)


def known_events(records: Iterable[Record]) -> Iterator[Event]:
    """The events that this version knows; what a newer one wrote stays in the journal and is passed over."""
    for record in records:
        event = decode(record.payload)
        if not isinstance(event, Unknown):
            yield event


def told_damage(at: float, damage: Damage, held: int) -> StateDamaged:
    """Say what was found damaged in the journal's folder. A snapshot holds what the events up to `held` changed."""
    what = f"{damage.what}: {damage.length} bytes at {damage.offset}" if damage.length else damage.what
    return StateDamaged(at, damage.file, what, damage.kept_as, _lost(damage, held))


def _lost(damage: Damage, held: int) -> str:
    if damage.records is None:
        snapshot = damage.file.endswith(SUFFIX)
        return _LOST_WITH_SNAPSHOT if snapshot else "nothing: what it holds is held elsewhere too"
    first, last = damage.records
    events = f"event {first}" if first == last else f"events {first} to {last}"
    if last > held:
        return events
    return f"nothing of what is known, which a snapshot holds; but {events} cannot be shown any more"


def _newest(folder: Path, now: float) -> Found:
    try:
        return newest(folder, now)
    except OSError as why:
        raise StateDirUnusable(folder.parent, why) from why


def _missing_snapshots(folder: Path, now: float, found: Found) -> list[Damage]:
    try:
        return held.examine(folder, now, [each.file for each in found.damage])
    except OSError as why:
        raise StateDirUnusable(folder.parent, why) from why


def _damaged_views(state_dir: Path, clock: Clock) -> Iterator[StateDamaged]:
    now = clock.now()
    gone = missing(state_dir, DOCUMENTS)  # before what is damaged goes too
    for file in examine(state_dir, DOCUMENTS, clock):
        yield StateDamaged(now, file.path.name, file.why, file.kept_as.name, _LOST_WITH_VIEW)
    for name in gone:
        yield StateDamaged(now, name, "it is missing", None, _LOST_WITH_VIEW)


def _events_shown(state_dir: Path) -> int:
    """The highest number of an event that the state files, examined by now, were made from."""
    views = (state_dir / name for name in DOCUMENTS)
    return max(_events_in(view if view.exists() else previous(view)) for view in views)


def _events_in(view: Path) -> int:
    try:
        head = _HEAD.match(content(view, _HEAD_BYTES))
    except OSError:
        return 0
    return int(head[1]) if head is not None else 0
