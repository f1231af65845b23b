"""Is everything there that was promised, and nothing that never was?

Looks as the next daemon does: it starts over what is left. Says what is wrong, in words; an empty list is well.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selfheal.clock import RealClock
from selfheal.errors import SelfhealError
from selfheal.store.documents import Documents, read
from selfheal.store.journal import Damage, Journal, Record
from selfheal.store.lock import StateLock
from tests.real.crash_story import VIEWS, inline, opened, payload, view

_CLOCK = RealClock()


@dataclass(frozen=True, slots=True)
class Promised:
    """What a life has told: the events it wrote, up to which they are durable, from which on they are kept; the views.

    Numbers that no event was written under are no promise: a start skips some where a tail was torn.
    """

    written: frozenset[int] = frozenset()
    events: int = 0
    kept_from: int = 1
    views: int = 0

    @classmethod
    def by(cls, told: Iterable[str]) -> Promised:
        """What the words of a life, or of some after another, amount to."""
        numbers: dict[str, list[int]] = {"wrote": [], "events": [0], "dropped": [1], "views": [0]}
        for word, _, rest in (line.partition(" ") for line in told):
            if word in numbers:
                numbers[word].append(int(rest))
        return cls(frozenset(numbers["wrote"]), *(max(numbers[word]) for word in ("events", "dropped", "views")))

    def then(self, later: Promised) -> Promised:
        """What two lives have promised."""
        return Promised(
            self.written | later.written,
            max(self.events, later.events),
            max(self.kept_from, later.kept_from),
            max(self.views, later.views),
        )

    def must_be_there(self) -> set[int]:
        """The events that nothing may have cost."""
        return {number for number in self.written if self.kept_from <= number <= self.events}


def wrong(state: Path, promised: Promised, *, damaged: bool = False, lost: frozenset[int] = frozenset()) -> list[str]:
    """What is wrong in `state`, which a next daemon takes over. Where it is `damaged`, damage is no wrong.

    `lost` are events that were damaged on purpose.
    """
    try:
        return [*_started(state, promised, damaged, lost), *_started_again(state, lost), *_left_behind(state)]
    except (SelfhealError, OSError) as why:
        return [f"it does not start: {why}"]


def passed_over(before: Promised, told: Iterable[str], lost: frozenset[int]) -> list[str]:
    """Which events of the life `before` a start did not read, and said nothing of that, and did not refuse for it.

    A file that the disk does not give is told as damage; that descriptors are short is no reason to go without it.
    """
    words = list(told)
    unread = [word for word in words if word.startswith("found") and "the file cannot be read" in word]
    if unread:
        return [f"a start goes on without it: {word}" for word in unread if os.strerror(errno.EMFILE) in word]
    replayed = [{int(number) for number in word.split()[1:]} for word in words if word.startswith("replayed")]
    missing = [before.must_be_there() - numbers - lost for numbers in replayed]
    return [f"a start passes over {sorted(numbers)}" for numbers in missing if numbers]


def _started(state: Path, promised: Promised, damaged: bool, lost: frozenset[int]) -> Iterator[str]:
    lock = StateLock.acquire(state)
    journal, records, damage = _journal(state)
    if not damaged:
        yield from (f"damage is found: {one}" for one in damage)
    yield from _events(records, promised, lost)
    if journal.last_seq < promised.events:
        yield f"numbers are given twice: the last is {journal.last_seq}, {promised.events} was shown"
    if journal.durable_seq != journal.last_seq:
        yield f"it is not durable after the start: {journal.trouble}"
    Documents(state, inline)
    for name in VIEWS:
        yield from wrong_document(state / name, promised, damaged=damaged)
    asyncio.run(journal.sync(journal.append(payload(journal.last_seq + 1))))
    journal.close()
    lock.release()


def _started_again(state: Path, lost: frozenset[int]) -> Iterator[str]:
    """After a start all is mended: the next finds no damage, and goes on where it was."""
    before = {int(path.stem) for path in (state / "journal").glob("*.log")}
    journal, records, damage = _journal(state)
    yield from (f"damage is found a second time: {one}" for one in damage)
    last = records[-1].seq if records else 0
    if last != journal.last_seq:
        yield f"what was appended after the start is gone: {last}, not {journal.last_seq}"
    journal.close()
    if before != {int(path.stem) for path in (state / "journal").glob("*.log")}:
        yield "a start changes what is sound"


def _events(records: list[Record], promised: Promised, lost: frozenset[int]) -> Iterator[str]:
    numbers = [record.seq for record in records]
    if sorted(set(numbers)) != numbers:
        yield f"numbers are not in order: {numbers}"
    missing = promised.must_be_there() - set(numbers) - lost
    if missing:
        yield f"acknowledged events are lost: {sorted(missing)}"
    yield from (f"event {each.seq} is not what it was" for each in records if each.payload != payload(each.seq))


def wrong_document(path: Path, promised: Promised, *, damaged: bool) -> Iterator[str]:
    if not damaged and promised.views and not path.exists():
        yield f"{path.name} is not in its place"
    document, damage = read(path, _CLOCK)
    if damage is not None and not damaged:
        yield f"{path.name} is unreadable: {damage}"
    if document is None:
        if promised.views and not damaged:
            yield f"{path.name} is lost"
        return
    version = document.get("version")
    if not isinstance(version, int) or document != view(path.name, version):
        yield f"{path.name} is not what it was: {document}"
    elif version < promised.views and not damaged:
        yield f"{path.name} is older than promised: {version}, not {promised.views}"


def _left_behind(state: Path) -> Iterator[str]:
    yield from (f"{path.name} is left behind" for path in state.rglob("*.tmp"))


def _journal(state: Path) -> tuple[Journal, list[Record], tuple[Damage, ...]]:
    journal, records, damage = opened(state)
    return journal, list(records), damage
