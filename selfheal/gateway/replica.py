"""What does the gateway know of the daemon, and how old is that?

The fold of what was pushed: the world from the whole, then from each event, as the daemon itself folds it; so every
answer that is made of it is the daemon's. Nothing is kept elsewhere: after a restart it knows nothing, and says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from selfheal.events import Event, Unknown
from selfheal.gateway.wire import Page, Received, Terms
from selfheal.loops import LoopStats
from selfheal.vitals import Vitals
from selfheal.world import EMPTY, World, fold

KEPT = 2_000
"""Events for readers of the stream that come back; more than any of them may be behind."""
SILENT_S = 60.0
"""A daemon that says nothing for so long may be replaced by one that began before it."""

Subscriber = Callable[[int, Event], None]


class Superseded(Exception):
    """The push of a daemon that another one, which began later, has taken the place of."""


class Replica:
    """The daemon's world and vitals, as of the latest push. One writer, in the loop; times are monotonic seconds."""

    def __init__(self) -> None:
        self.world: World = EMPTY
        self.vitals = Vitals()
        self.seq = 0
        self.run = ""
        self.known = 0
        """The number of the state that this is; 0 where the next push has to hold everything."""
        self.loops: dict[str, LoopStats] = {}
        self.ready = False
        self.trouble: str | None = None
        self.terms = Terms()
        self.metrics: Page | None = None
        self.forgotten = 0
        """The number of the latest event that is not among `events_after`."""
        self._started_at = 0.0
        self._heard_at: float | None = None
        self._events: deque[tuple[int, Event]] = deque()
        self._subscribers: list[Subscriber] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing was pushed yet."""
        return self._heard_at is None

    def age_s(self, now: float) -> float | None:
        """How long ago the latest push came; None before the first."""
        return None if self._heard_at is None else max(0.0, now - self._heard_at)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber(seq, event)` after each event is folded, in order."""
        self._subscribers.append(subscriber)

    def events_after(self, seq: int, count: int) -> Sequence[tuple[int, Event]]:
        """The first `count` of the kept events with a greater number."""
        return [one for one in self._events if one[0] > seq][:count]

    def take(self, received: Received, now: float) -> bool:
        """Go on to the state of a push; False where it does not build on what is known. Raises Superseded."""
        push = received.push
        if self._is_superseded(push.run, push.started_at, now):
            raise Superseded
        if received.world is not None:
            self._begin(received, received.world)
        elif push.run != self.run or push.basis != self.known or not self.known:
            return False
        self.known = push.number
        self._heard_at = now
        for agent, vitals in push.vitals.items():
            self.vitals.put_all(agent, vitals)
        for agent in push.gone:
            self.vitals.forget(agent)
            self.vitals.drop_standby(agent)
        self.loops, self.ready, self.trouble = push.loops, push.ready, push.trouble
        self.vitals.speakers = push.speakers
        self.terms = push.terms or self.terms
        self.metrics = push.metrics or self.metrics
        self._fold(received.events)
        self.seq = max(self.seq, push.seq)
        return True

    def _is_superseded(self, run: str, started_at: float, now: float) -> bool:
        age_s = self.age_s(now)
        return run != self.run and started_at < self._started_at and age_s is not None and age_s < SILENT_S

    def _begin(self, received: Received, world: World) -> None:
        push = received.push
        self.run, self._started_at = push.run, push.started_at
        self.world, self.seq = world, push.seq
        for agent in self.vitals.agents():  # the same object: whoever shows it has hold of it
            self.vitals.forget(agent)
            self.vitals.drop_standby(agent)
        self._events.clear()
        self.forgotten = push.seq

    def _fold(self, events: Sequence[tuple[int, Event | Unknown]]) -> None:
        for seq, event in events:
            if seq <= self.seq:
                continue
            if isinstance(event, Unknown):  # a newer daemon's: what it has changed is in its world, to be sent whole
                self.known = 0
                continue
            self.world, self.seq = fold(self.world, event), seq
            if len(self._events) >= KEPT:
                self.forgotten, _ = self._events.popleft()
            self._events.append((seq, event))
            for subscriber in self._subscribers:
                subscriber(seq, event)
