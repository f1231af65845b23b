"""How is an alert sent by e-mail, Slack, Discord, PagerDuty and the hundred other services that Apprise knows?

Each service is a notifier by itself: one that is out of order is tried again alone. Apprise blocks, so each message is
sent in a thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, Literal

from pydantic import SecretStr

from selfheal.kinds import Alert, NotifyFailed

if TYPE_CHECKING:
    from apprise import Apprise

TIMEOUT_S = 60.0

_KINDS: Mapping[str, Literal["info", "warning", "failure"]] = {
    "info": "info",
    "warning": "warning",
    "critical": "failure",
}


class AppriseNotifier:
    """Sends alerts to one service, by its URL, which holds secrets and is shown nowhere: it goes by its `number`."""

    one_by_one = False

    def __init__(self, number: int, url: SecretStr) -> None:
        self.name = f"apprise-{number}"
        self._number = number
        self._url = url
        self._service: Apprise | None = None

    async def send(self, alert: Alert, earlier: str) -> str:
        """Deliver `alert`, or raise NotifyFailed."""
        try:
            taken = await asyncio.wait_for(_beside(lambda: self._send(alert)), TIMEOUT_S)
        except TimeoutError:
            raise NotifyFailed(f"URL {self._number} of apprise has not taken it within {TIMEOUT_S:.0f} s") from None
        if not taken:
            raise NotifyFailed(f"URL {self._number} of apprise did not take it; look whether it is right and answers")
        return ""

    def _send(self, alert: Alert) -> bool:
        self._service = service = self._service or self._made()
        kind = "success" if alert.resolved else _KINDS[alert.severity]
        return bool(service.notify(alert.text or alert.title, alert.title, notify_type=kind))

    def _made(self) -> Apprise:
        from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - an extra, and 0.3 s that a daemon without it never needs

        logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it names addresses
        # In this thread: with a limit of its own it uses others, and the end of the process would wait for those.
        service = Apprise(asset=AppriseAsset(async_mode=False, service_timeout=0))
        if not service.add(self._url.get_secret_value()):
            raise NotifyFailed(f"URL {self._number} of apprise is of no service that is known", permanent=True)
        return service


async def _beside(work: Callable[[], bool]) -> bool:
    """Work in a daemon thread: one that waits for a dead service must not hold up the end of the process."""
    promise: Future[bool] = Future()
    promise.set_running_or_notify_cancel()  # from here on nobody can cancel it: it has begun
    Thread(target=_fulfil, args=(promise, work), name="apprise", daemon=True).start()
    return await asyncio.wrap_future(promise)


def _fulfil(promise: Future[bool], work: Callable[[], bool]) -> None:
    try:
        promise.set_result(work())
    except BaseException as why:  # noqa: BLE001 - who waits for it gets it
        promise.set_exception(why)
