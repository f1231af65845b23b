"""The check `websocket`: does a server open a WebSocket, and answer on it?"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from selfheal.clock import Clock
from selfheal.config.address import Endpoint, check_url, endpoint_of
from selfheal.config.models import CheckConfig
from selfheal.config.texts import Text, holds
from selfheal.config.units import Flag
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.net import Dialer
from selfheal.observe.trust import tls_context
from selfheal.observe.websocket_client import Door, WebSocket, opened
from selfheal.observe.wording import excerpt

_MAX_MESSAGES = 100  # what is expected may come between others, but not between any number
_EXAMPLE = "ws://127.0.0.1:8000/live"
_NAME = re.compile(r"(?!sec-websocket-|upgrade$|connection$)[!#$%&'*+.^_`|~0-9a-z-]+", re.IGNORECASE)
_VALUE = re.compile(r"[\x20-\x7e]*")


def _check_place(text: str) -> str:
    """Return `text` where a WebSocket can be opened there; raises ValueError, which does not show it, else."""
    scheme, _, rest = text.partition(":")
    try:
        check_url(f"{'https' if scheme == 'wss' else 'http'}:{rest}")
        parts = urlsplit(text)
        (parts.hostname or "").encode("idna")
        unquote(f"{parts.username}{parts.password}", errors="strict")
        whole = parts.username is None or parts.password is not None
    except ValueError:
        whole = False
    if scheme not in ("ws", "wss") or not whole or "#" in text:
        raise ValueError(f"this is not the URL of a WebSocket; write it as {_EXAMPLE!r}")
    return text


def _check_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(
                f"{name!r} is not a header that can be sent; write printable ASCII, and none of the handshake"
            )
    return headers


class WebsocketCheckConfig(CheckConfig):
    """A WebSocket, and what is said on it."""

    websocket: Annotated[str, AfterValidator(_check_place)] = Field(
        description="ws:// or wss:// URL; a user and password in it are sent as Basic authorization."
    )
    headers: Annotated[dict[str, SecretStr], AfterValidator(_check_headers)] = Field(
        {}, description="Sent with the handshake; never shown."
    )
    verify: Flag = Field(True, description="wss: the certificate must be valid.")
    send: str = Field("", description="Sent as a text message once open.")
    expect: Text | None = Field(
        None, description="Text in one of the messages, or /a regular expression/; without it a ping must be answered."
    )

    def endpoint(self) -> Endpoint | None:
        return endpoint_of(self.websocket)


@dataclass(frozen=True, slots=True)
class WebsocketCheck:
    """Signal: `latency` in seconds until the expected message, or the answer to the ping."""

    door: Door
    send: str
    expect: str | None
    patience_s: float
    dialer: Dialer
    clock: Clock

    async def run(self) -> Mapping[str, float]:
        began = self.clock.monotonic()
        async with opened(self.door, self.dialer) as socket:
            if self.send:
                await socket.send(self.send)
            if self.expect is None:
                await socket.ping()
            else:
                await self._expect(socket, self.expect)
            return {"latency": self.clock.monotonic() - began}

    async def _expect(self, socket: WebSocket, wanted: str) -> None:
        """Listen until it is said. What else is said is worth more as a reason than that the time is over."""
        said = None
        try:
            async with asyncio.timeout(self.patience_s):
                for _ in range(_MAX_MESSAGES):
                    said = await socket.message()
                    if holds(wanted, said):
                        return
        except TimeoutError:
            pass
        if said is None:
            said = await socket.message()  # there is none: the scheduler ends this with the words for it
        raise CheckFailed(f"expected {wanted!r}, the last message is {excerpt(said)!r}", cause="wrong_answer")


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, WebsocketCheckConfig)
    secure = config.websocket.startswith("wss:")
    headers = tuple((name, value.get_secret_value()) for name, value in config.headers.items())
    door = Door(config.websocket, headers, tls_context(config.verify, alpn="http/1.1") if secure else None)
    return WebsocketCheck(door, config.send, config.expect, 0.9 * config.timeout, context.dialer, context.clock)


WEBSOCKET = CheckKind(name="websocket", model=WebsocketCheckConfig, build=_build, signals=("latency",))
