"""Who may change the world?

Only the ledger: `record` hands an event to the journal, folds it and tells the subscribers. What is shown outside is
durable first: `shown` waits for that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from selfheal.events import Event, encode
from selfheal.world import EMPTY, World, fold


class Journal(Protocol):
    """Where events are kept, in order, as bytes."""

    @property
    def trouble(self) -> str | None:
        """Why nothing can be made durable now; None when all is well."""
        ...

    def append(self, payload: bytes) -> int:
        """Hand a record over; returns its sequence number. Never raises."""
        ...

    async def sync(self, seq: int | None = None) -> None:
        """Return once `seq`, or everything so far, is durable. Raises JournalUnavailable."""
        ...


Subscriber = Callable[[int, Event], None]


class Ledger:
    """The one writer. Not for threads: it lives in the loop."""

    def __init__(self, journal: Journal, world: World = EMPTY, seq: int = 0) -> None:
        self._journal = journal
        self._world = world
        self._seq = seq
        self._subscribers: list[Subscriber] = []
        self._untold: deque[tuple[int, Event]] = deque()
        self._telling = False

    @property
    def world(self) -> World:
        return self._world

    @property
    def seq(self) -> int:
        """The sequence number of the latest event."""
        return self._seq

    @property
    def trouble(self) -> str | None:
        """Why nothing can be made durable now; None when all is well."""
        return self._journal.trouble

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber(seq, event)` after each event is folded, in order. It may record, it must not block."""
        self._subscribers.append(subscriber)

    def record(self, *events: Event) -> int:
        """Append and fold; returns the sequence number of the last one. It is not durable yet: see `durable`.

        The world is what the journal holds, and nothing else: where an event cannot be written down, none of `events`
        has happened, and what `encode` raised is raised.
        """
        for event, payload in [(event, encode(event)) for event in events]:
            world = fold(self._world, event)  # before the append: what cannot be folded would fail at every replay
            self._seq = self._journal.append(payload)
            self._world = world
            self._untold.append((self._seq, event))
        self._tell()
        return self._seq

    async def durable(self, *events: Event) -> int:
        """Record `events` and return once they, and all before them, would survive a power loss.

        Raises JournalUnavailable when the disk refuses; the events are folded all the same.
        """
        seq = self.record(*events)
        await self._journal.sync(seq)
        return seq

    async def shown(self) -> World:
        """The world as it may be shown outside: nothing in it can be lost any more.

        While the disk refuses, the daemon goes on in memory and its answers say so: then what is known is shown.
        """
        world, seq = self._world, self._seq
        if self._journal.trouble is None:
            await self._journal.sync(seq)
        return world

    def _tell(self) -> None:
        """Tell the subscribers. What they record meanwhile is told after, so that all see the same order."""
        if self._telling:
            return
        self._telling = True
        try:
            while self._untold:
                seq, event = self._untold.popleft()
                for subscriber in self._subscribers:
                    subscriber(seq, event)
        finally:
            self._telling = False


def replay(events: Iterable[Event], world: World = EMPTY) -> World:
    """Fold the events of a journal."""
    for event in events:
        world = fold(world, event)
    return world
