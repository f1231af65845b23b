"""How does an alert reach whoever should know, once and for certain?

Alerts are events, so that what was raised and not delivered survives a restart of the daemon. One that cannot be
delivered now is tried again, later and later, and that is an event too; the log has it in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from selfheal.clock import Clock
from selfheal.events import AlertDelivered, AlertFailed, AlertRaised
from selfheal.kinds import Alert, Notifier, NotifyFailed
from selfheal.ledger import Ledger

BACKOFF_FIRST_S, BACKOFF_LAST_S = 1.0, 300.0
# After a day an alert is history, and the page tells it better.
GIVE_UP_S = 86_400.0
# While a notifier stays out of order for the same reason, that is said so often.
SAID_AGAIN_S = 3600.0


@dataclass(slots=True)
class _Delivery:
    """How far one alert has come: the notifiers that are done with it, and how often the others were tried."""

    event: AlertRaised
    reached: list[str] = field(default_factory=list)
    tries: int = 0
    due: float = 0.0


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
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._chance = chance
        self.notifiers = notifiers
        self._redact = redact
        self._on_retry = on_retry
        self._troubles: dict[str, tuple[str, float]] = {}
        self._deliveries: dict[tuple[str, bool], _Delivery] = {}

    async def deliver(self) -> None:
        """Try every undelivered alert that is due, oldest first."""
        if self._ledger.world.undelivered and self._ledger.trouble is None:
            await self._ledger.durable()  # a notice is an acknowledgement
        for key, event in tuple(self._ledger.world.undelivered.items()):
            delivery = self._deliveries.get(key)
            if delivery is None or delivery.event is not event:
                reached = self._ledger.world.post.reached.get(key, ())
                delivery = self._deliveries[key] = _Delivery(event, [*reached])
            if self._clock.monotonic() >= delivery.due and not self._too_early(event):
                await self._send(key, delivery)

    def _too_early(self, event: AlertRaised) -> bool:
        """Nobody is told that something is over before they were told that it began."""
        began = self._ledger.world.undelivered.get((event.key, False))
        return event.resolved and began is not None and began.at <= event.at

    async def _send(self, key: tuple[str, bool], delivery: _Delivery) -> None:
        """Try every notifier that has not had it; one that is out of order keeps it from none of the others."""
        event, retry_after_s = delivery.event, 0.0
        troubles: dict[str, str] = {}
        waiting = [one for one in self.notifiers if one.name not in delivery.reached]
        for notifier in waiting or (_NOBODY,):
            try:
                receipt = await notifier.send(_alert(event), self._earlier(event.key, notifier.name))
            except NotifyFailed as why:
                reason = self._redact(str(why))
                if why.permanent or self._clock.now() - event.at >= GIVE_UP_S:
                    self._reached(key, delivery, notifier.name, reason)
                else:
                    troubles[notifier.name] = reason
                    retry_after_s = max(retry_after_s, why.retry_after_s or 0.0)
            else:
                self._troubles.pop(notifier.name, None)
                self._reached(key, delivery, notifier.name, None, receipt)
        if troubles:
            self._try_later(delivery, troubles, retry_after_s)
        else:
            del self._deliveries[key]

    def _earlier(self, key: str, notifier: str) -> str:
        told = self._ledger.world.post.told.get(key)
        return told.receipts.get(notifier, "") if told is not None else ""

    def _try_later(self, delivery: _Delivery, troubles: Mapping[str, str], retry_after_s: float) -> None:
        wait_s = min(BACKOFF_LAST_S, BACKOFF_FIRST_S * 2.0 ** min(delivery.tries, 16)) * self._chance.uniform(0.5, 1.0)
        retry_s = max(wait_s, retry_after_s)
        delivery.tries += 1
        delivery.due = self._clock.monotonic() + retry_s
        event, now = delivery.event, self._clock.now()
        for name, why in troubles.items():
            self._on_retry(name)
            if self._is_news(name, why, now):
                self._ledger.record(AlertFailed(now, event.key, name, event.resolved, why, retry_s))

    def _is_news(self, name: str, why: str, now: float) -> bool:
        """Whether this trouble of a notifier is new, or was said so long ago that it is worth saying again."""
        known, said_at = self._troubles.get(name, ("", 0.0))
        if why == known and now - said_at < SAID_AGAIN_S:
            return False
        self._troubles[name] = (why, now)
        return True

    def _reached(
        self, key: tuple[str, bool], delivery: _Delivery, name: str, error: str | None, receipt: str = ""
    ) -> None:
        """A notifier has had it, or never will, which a daemon that is started in its midst has to know. What took the
        key's place meanwhile has its own turn.
        """
        delivery.reached.append(name)
        event = delivery.event
        if self._ledger.world.undelivered.get(key) is event:
            more = any(one.name not in delivery.reached for one in self.notifiers)
            self._ledger.record(
                AlertDelivered(self._clock.now(), event.key, name, event.resolved, error, receipt, more)
            )


class _Nobody:
    """Where no notifier waits for it, or none any more: the log has it, and the page."""

    name = "log"

    async def send(self, alert: Alert, earlier: str) -> str:
        return ""


_NOBODY = _Nobody()


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
    )
