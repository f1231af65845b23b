"""The check `tcp`: does something accept at an address, and answer as it should when spoken to?"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from selfheal.clock import Clock
from selfheal.config.address import split_address
from selfheal.config.models import CheckConfig
from selfheal.config.texts import Text, holds
from selfheal.config.units import Address
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.observe.dial import dial, in_words
from selfheal.observe.wording import excerpt

_MAX_ANSWER_BYTES = 64 * 1024  # what is looked for stands in the greeting or in one short answer


class TcpCheckConfig(CheckConfig):
    """A TCP connection, and what is said on it."""

    tcp: Address = Field(description="host:port to connect to.")
    send: str = Field("", description="Sent once connected.")
    expect: Text | None = Field(None, description="Text that the answer contains, or /a regular expression/.")


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """Signal: `latency` in seconds until connected, or until the answer where one is expected."""

    host: str
    port: int
    send: bytes
    expect: str | None
    clock: Clock

    async def run(self) -> Mapping[str, float]:
        began = self.clock.monotonic()
        with await dial(self.host, self.port) as sock:
            try:
                await self._talk(sock)
            except OSError as why:
                raise in_words(why) from why
        return {"latency": self.clock.monotonic() - began}

    async def _talk(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, self.send)
        heard = b""
        while self.expect is not None and not holds(self.expect, heard.decode(errors="replace")):
            more = await loop.sock_recv(sock, _MAX_ANSWER_BYTES)
            heard += more
            if not more or len(heard) > _MAX_ANSWER_BYTES:
                said = excerpt(heard.decode(errors="replace"))
                told, cause = (f"it said {said!r}", "wrong_answer") if said else ("it said nothing", "unreachable")
                raise CheckFailed(f"expected {self.expect!r}, {told}", cause=cause)


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, TcpCheckConfig)
    host, port = split_address(config.tcp)
    return TcpCheck(host, port, config.send.encode(), config.expect, context.clock)


TCP = CheckKind(name="tcp", model=TcpCheckConfig, build=_build, signals=("latency",))
