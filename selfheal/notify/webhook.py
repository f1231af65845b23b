"""How is an alert posted to a URL?

JSON by POST, its fields as in `kinds.Alert`, the time as in RFC 3339; signed where there is a secret, as the
specification of Standard Webhooks 1.0.0 says (symmetric, HMAC-SHA256). The client is made at the first alert, so that
a daemon that never alerts never loads it, and kept for life.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING

import msgspec
from pydantic import SecretStr

from selfheal.clock import Clock
from selfheal.config.notify import signing_key
from selfheal.kinds import Alert, NotifyFailed

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 10.0
# Answers that another try cannot change; 408, 425 and 429 and all of 5xx may pass.
RETRIED_STATUSES = frozenset({408, 425, 429})
# The last moment that a date can name: an alert of a clock that jumped is an alert.
_LAST = 253_402_300_799.0


class WebhookNotifier:
    """Posts alerts to one URL, which may hold a secret and is shown nowhere."""

    name, one_by_one = "webhook", True

    def __init__(self, url: SecretStr, secret: SecretStr | None = None, clock: Clock | None = None) -> None:
        self._url = url
        self._key = signing_key(secret) if secret is not None else b""
        self._clock = clock
        self._client: httpx.AsyncClient | None = None

    async def send(self, alert: Alert, earlier: str) -> str:
        """Deliver `alert`, or raise NotifyFailed."""
        import httpx  # noqa: PLC0415 - 16 MB and 0.2 s that a daemon without alerts never needs

        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT_S)
        try:
            body = msgspec.json.encode(_body(alert))
            headers = {"Content-Type": "application/json", **self._signature(alert, body)}
            answer = await self._client.post(self._url.get_secret_value(), content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as why:
            raise NotifyFailed(f"cannot post to the webhook: {type(why).__name__}") from None
        if answer.is_success:
            return ""
        final = 400 <= answer.status_code < 500 and answer.status_code not in RETRIED_STATUSES
        retry_after = answer.headers.get("retry-after", "")
        raise NotifyFailed(
            f"the webhook answered with status {answer.status_code}",
            permanent=final,
            retry_after_s=float(retry_after) if retry_after.isdecimal() else None,
        )

    def _signature(self, alert: Alert, body: bytes) -> dict[str, str]:
        """What proves that a post is ours and not an old one. The id is the same for each try, so that who has had it
        can tell.
        """
        if not self._key or self._clock is None:
            return {}
        name = blake2b(f"{alert.key}/{alert.resolved}/{alert.at}".encode(), digest_size=12).hexdigest()
        at = f"{self._clock.now():.0f}"
        signed = hmac.new(self._key, b".".join((f"msg_{name}".encode(), at.encode(), body)), sha256).digest()
        return {
            "webhook-id": f"msg_{name}",
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{b64encode(signed).decode()}",
        }

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()


def _body(alert: Alert) -> dict[str, object]:
    at = datetime.fromtimestamp(min(alert.at, _LAST), UTC).isoformat("T", "milliseconds")
    return {**asdict(alert), "at": at.replace("+00:00", "Z")}
