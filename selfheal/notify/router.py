"""How does an alert reach whoever should know, once and for certain?

Alerts are events, so that what was raised and not delivered survives a restart of the daemon; that a notifier has had
one is an event too. Each notifier gets its alerts in their order, when the rules say so. One that is out of order is
tried again, later and later, and keeps nothing from the others. The log has every alert in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from random import Random

from selfheal.clock import Clock
from selfheal.events import AlertDelivered, AlertFailed, AlertRaised
from selfheal.kinds import Alert, Notifier, NotifyFailed
from selfheal.ledger import Ledger
from selfheal.notify.rules import BUNDLE, NEVER, Rules, bundled, due_at, may_be_bundled, repeated, standing

BACKOFF_FIRST_S, BACKOFF_LAST_S = 1.0, 300.0
# After a day an alert is history, and the page tells it better.
GIVE_UP_S = 86_400.0
# While a notifier stays out of order for the same reason, that is said so often.
SAID_AGAIN_S = 3600.0
# What has failed so often may be the alert's own fault: the next one is tried too.
PATIENT = 3

AlertKey = tuple[str, bool]


@dataclass(slots=True)
class _Way:
    """What is known of a notifier: how often in a row it has failed, since when it may be tried again, and why."""

    tries: int = 0
    due: float = 0.0
    why: str = ""
    said_at: float = 0.0


@dataclass(slots=True)
class _Delivery:
    """How far one alert has come: the notifiers that are done with it, and how often the others were tried."""

    event: AlertRaised
    reached: set[str] = field(default_factory=set)
    tries: int = 0


class Router:
    """Delivers what the world holds as undelivered."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        chance: Random,
        notifiers: Sequence[Notifier],
        redact: Callable[[str], str],
        on_retry: Callable[[str], None],
        rules: Callable[[], Rules] = Rules,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._chance = chance
        self.notifiers = notifiers
        self._redact = redact
        self._on_retry = on_retry
        self._rules = rules
        self._ways: dict[str, _Way] = {}
        self._deliveries: dict[AlertKey, _Delivery] = {}

    def has_nothing_to_tell(self) -> bool:
        """Whether nothing is to be told, now or by and by."""
        world = self._ledger.world
        return not world.undelivered and not (self._rules().repeat_s and standing(world))

    async def deliver(self) -> None:
        """Let each notifier send what is due, oldest first."""
        self._ledger.record(*repeated(self._ledger.world, self._rules(), self._clock.now()))
        if self._ledger.world.undelivered and self._ledger.trouble is None:
            await self._ledger.durable()  # a notice is an acknowledgement
        for notifier in self.notifiers:
            await self._serve(notifier)
        for key in tuple(self._ledger.world.undelivered):
            delivery = self._delivery(key)
            if delivery is not None and all(one.name in delivery.reached for one in self.notifiers):
                self._reached(key, "log", None)  # none has had it, or none waits for it any more

    async def _serve(self, notifier: Notifier) -> None:
        """Send what one notifier is to be told now, until it fails."""
        way = self._ways.setdefault(notifier.name, _Way())
        if self._clock.monotonic() < way.due:
            return
        waiting = self._due(notifier)
        for alerts in self._parted(notifier, waiting):
            first = self._delivery(alerts[0])
            if first is None or (alerts[0][1] and self._has_to_begin(notifier, alerts[0][0])):
                continue
            tries = first.tries
            if not await self._send(notifier, way, alerts) and tries < PATIENT:
                return

    def _has_to_begin(self, notifier: Notifier, key: str) -> bool:
        """Whether a notifier has still to tell that something began: that it is over is told after that."""
        began = self._delivery((key, False))
        return began is not None and notifier.name not in began.reached

    def _due(self, notifier: Notifier) -> list[AlertKey]:
        """The keys of the alerts that a notifier may send now; what it is never to send counts as done.

        What waits for more of the same goes with the first that has waited long enough.
        """
        world, rules, now = self._ledger.world, self._rules(), self._clock.now()
        found, together = list[AlertKey](), list[AlertKey]()
        at_once = replace(rules, group_s=0.0)
        for key, event in world.undelivered.items():
            delivery = self._delivery(key)
            if delivery is None or notifier.name in delivery.reached:
                continue
            at = due_at(rules, notifier.name, event, world.undelivered, world.post, now)
            if at == NEVER:
                delivery.reached.add(notifier.name)
            elif at <= now:
                found.append(key)
            elif due_at(at_once, notifier.name, event, world.undelivered, world.post, now) <= now:
                together.append(key)
        if not any(not over and not world.undelivered[name, over].asks for name, over in found):
            together.clear()
        return sorted(found + together, key=lambda key: world.undelivered[key].at)

    def _parted(self, notifier: Notifier, keys: list[AlertKey]) -> list[list[AlertKey]]:
        """The messages that these alerts make, in their order: many that begin or end together are one."""
        if notifier.one_by_one:
            return [[key] for key in keys]
        world = self._ledger.world
        known = {key for key, told in world.post.told.items() if told.receipts.get(notifier.name)}
        parted = list[list[AlertKey]]()
        for over in (False, True):
            alike = [world.undelivered[key] for key in keys if key[1] is over]
            together = [(one.key, over) for one in may_be_bundled(alike, known)]
            if len(together) >= BUNDLE:
                parted.append(together)
        return sorted(
            [*parted, *([key] for key in keys if key not in chain.from_iterable(parted))],
            key=lambda message: world.undelivered[message[0]].at,
        )

    async def _send(self, notifier: Notifier, way: _Way, keys: list[AlertKey]) -> bool:
        """Send one message; returns whether the notifier has taken it, or never will."""
        events = [self._ledger.world.undelivered[key] for key in keys if key in self._ledger.world.undelivered]
        if not events:
            return True
        event = events[0] if len(events) == 1 else bundled(events)
        earlier = "" if event.again or len(events) > 1 else self._earlier(event.key, notifier.name)
        try:
            receipt = await notifier.send(_alert(event), earlier)
        except NotifyFailed as why:
            reason = self._redact(str(why))
            if not why.permanent and self._clock.now() - event.at < GIVE_UP_S:
                self._try_later(notifier.name, way, events, reason, why.retry_after_s or 0.0)
                return False
            self._done(notifier.name, events, reason)
        else:
            way.tries, way.why = 0, ""
            self._done(notifier.name, events, None, receipt if len(events) == 1 else "")
        return True

    def _earlier(self, key: str, notifier: str) -> str:
        told = self._ledger.world.post.told.get(key)
        return told.receipts.get(notifier, "") if told is not None else ""

    def _try_later(self, name: str, way: _Way, events: Sequence[AlertRaised], why: str, retry_after_s: float) -> None:
        wait_s = min(BACKOFF_LAST_S, BACKOFF_FIRST_S * 2.0 ** min(way.tries, 16)) * self._chance.uniform(0.5, 1.0)
        retry_s, now = max(wait_s, retry_after_s), self._clock.now()
        way.tries += 1
        way.due = self._clock.monotonic() + retry_s
        for event in events:
            delivery = self._delivery((event.key, event.resolved))
            if delivery is not None:
                delivery.tries += 1
        self._on_retry(name)
        if why != way.why or now - way.said_at >= SAID_AGAIN_S:
            way.why, way.said_at = why, now
            self._ledger.record(AlertFailed(now, events[0].key, name, events[0].resolved, why, retry_s))

    def _done(self, name: str, events: Sequence[AlertRaised], error: str | None, receipt: str = "") -> None:
        """A notifier has had these, or never will. What took the place of one meanwhile has its own turn."""
        for event in events:
            key = (event.key, event.resolved)
            delivery = self._delivery(key)
            if delivery is not None and delivery.event is event:
                delivery.reached.add(name)
                self._reached(key, name, error, receipt)
            else:  # the message is there all the same, and is changed by what comes next
                now = self._clock.now()
                self._ledger.record(AlertDelivered(now, event.key, name, event.resolved, error, receipt, outdated=True))

    def _reached(self, key: AlertKey, name: str, error: str | None, receipt: str = "") -> None:
        """Write down how far an alert has come: a daemon that is started in its midst has to know."""
        delivery = self._deliveries[key]
        more = any(one.name not in delivery.reached for one in self.notifiers)
        event = delivery.event
        self._ledger.record(AlertDelivered(self._clock.now(), event.key, name, event.resolved, error, receipt, more))
        if not more:
            del self._deliveries[key]

    def _delivery(self, key: AlertKey) -> _Delivery | None:
        """How far the alert of this key has come; None where there is none any more."""
        world = self._ledger.world
        event, known = world.undelivered.get(key), self._deliveries.get(key)
        if event is None:
            self._deliveries.pop(key, None)
            return None
        if known is None or known.event is not event:
            known = self._deliveries[key] = _Delivery(event, {*world.post.reached.get(key, ())})
        return known


def _alert(event: AlertRaised) -> Alert:
    return Alert(
        event.key,
        event.at,
        event.severity,
        event.title,
        event.text,
        event.agent,
        event.incident,
        event.resolved,
        event.asks,
        event.asked_at,
        event.suspects,
        event.anomaly,
    )
