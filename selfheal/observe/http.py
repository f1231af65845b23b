"""The check `http`: does a server answer, in time, and with what it should?"""

from __future__ import annotations

from collections.abc import Mapping

from selfheal.clock import Clock
from selfheal.config.models import CheckConfig
from selfheal.kinds import Check, CheckContext, CheckKind, Tell
from selfheal.net import Dialer
from selfheal.observe.certificate import too_soon
from selfheal.observe.http_config import HttpCheckConfig, judged
from selfheal.observe.http_connection import HttpConnection
from selfheal.observe.http_request import Response
from selfheal.observe.probe import ask_once
from selfheal.observe.wording import Unwell


class HttpCheck:
    """Signals: `latency` in seconds, name resolution and connection included, `status`, and `tls_expires_in` in seconds
    where the certificate was looked at.
    """

    def __init__(self, config: HttpCheckConfig, dialer: Dialer, clock: Clock) -> None:
        self._connection = HttpConnection(config.request(), dialer)
        self._expect = config.expect
        self._expires_in_s = config.tls_expires_in
        self._clock = clock
        self._began = 0.0
        self._tell: Tell | None = None

    async def run(self) -> Mapping[str, float]:
        return await ask_once(self)

    def ask(self, tell: Tell) -> None:
        self._tell = tell
        self._began = self._clock.monotonic()
        self._connection.ask(self._heard)

    def give_up(self) -> None:
        self._connection.give_up()

    def _heard(self, response: Response | None, failure: Exception | None) -> None:
        tell = self._tell
        assert tell is not None
        if response is None:
            tell({}, failure)
            return
        took_s = self._clock.monotonic() - self._began
        signals = {"latency": took_s, "status": float(response.status)}
        wrong = judged(self._expect, response, signals) or self._judge_certificate(signals)
        if wrong is not None:
            self._connection.close()  # asked again over a fresh one: a kept one may lead to what is no longer there
        tell(signals, wrong)

    def _judge_certificate(self, signals: dict[str, float]) -> Unwell | None:
        ends = self._connection.certificate_ends
        if ends is None:
            return None
        left_s = signals["tls_expires_in"] = ends - self._clock.wall()
        if self._expires_in_s is None or left_s >= self._expires_in_s:
            return None
        return Unwell(too_soon(left_s, self._expires_in_s), signals, "tls_expired")


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, HttpCheckConfig)
    if config.needs_client:
        from selfheal.observe.http_browse import BrowsingCheck  # with a library that few need

        return BrowsingCheck(config, context.dialer, context.clock)
    return HttpCheck(config, context.dialer, context.clock)


HTTP = CheckKind(
    name="http",
    model=HttpCheckConfig,
    build=_build,
    signals=("latency", "status", "tls_expires_in", "redirects"),
)
