"""How does an alert reach whoever should know, once and for certain?

Alerts are events, so that what was raised and not delivered survives a restart of the daemon. One that cannot be
delivered now is tried again, later and later; the log has it in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from selfheal.clock import Clock
from selfheal.events import AlertDelivered, AlertRaised
from selfheal.kinds import Alert, Notifier, NotifyFailed
from selfheal.ledger import Ledger

BACKOFF_FIRST_S, BACKOFF_LAST_S = 1.0, 300.0
# After a day an alert is history, and the page tells it better.
GIVE_UP_S = 86_400.0


class Router:
    """Delivers what the world holds as undelivered."""

    def __init__(self, ledger: Ledger, clock: Clock, chance: Random, notifiers: Sequence[Notifier]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._chance = chance
        self._notifiers = notifiers
        self._tries: dict[tuple[str, bool], int] = {}
        self._due: dict[tuple[str, bool], float] = {}

    async def deliver(self) -> None:
        """Try every undelivered alert that is due, oldest first."""
        if self._ledger.world.undelivered and self._ledger.trouble is None:
            await self._ledger.durable()  # a notice is an acknowledgement
        for key, alert in tuple(self._ledger.world.undelivered.items()):
            if self._clock.monotonic() >= self._due.get(key, 0.0):
                await self._send(key, alert)

    async def _send(self, key: tuple[str, bool], event: AlertRaised) -> None:
        alert = Alert(
            event.key, event.at, event.severity, event.title, event.text, event.agent, event.incident, event.resolved
        )
        for notifier in self._notifiers:
            try:
                await notifier.send(alert)
            except NotifyFailed as why:
                if not why.permanent and self._clock.now() - event.at < GIVE_UP_S:
                    self._try_later(key, why.retry_after_s)
                    return
                self._done(key, notifier.name, str(why))
            else:
                self._done(key, notifier.name, None)
        if not self._notifiers:
            self._done(key, "log", None)

    def _try_later(self, key: tuple[str, bool], retry_after_s: float | None) -> None:
        tries = self._tries[key] = self._tries.get(key, 0) + 1
        wait_s = min(BACKOFF_LAST_S, BACKOFF_FIRST_S * 2.0 ** min(tries - 1, 16)) * self._chance.uniform(0.5, 1.0)
        self._due[key] = self._clock.monotonic() + max(wait_s, retry_after_s or 0.0)

    def _done(self, key: tuple[str, bool], notifier: str, error: str | None) -> None:
        self._tries.pop(key, None)
        self._due.pop(key, None)
        self._ledger.record(AlertDelivered(self._clock.now(), key[0], notifier, key[1], error))
