"""The check `tcp`: does something accept at an address, and answer as it should when spoken to?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field, model_validator

from selfheal.clock import Clock
from selfheal.config.address import Endpoint, split_address
from selfheal.config.models import CheckConfig
from selfheal.config.texts import Text, holds
from selfheal.config.units import Address, Flag, Host
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.net import Dialer
from selfheal.observe.starttls import StartTls, start_tls
from selfheal.observe.trust import tls_context
from selfheal.observe.wire import Wire, connected
from selfheal.observe.wording import excerpt

_MAX_ANSWER_BYTES = 64 * 1024  # what is looked for stands in the greeting or in one short answer


class TcpCheckConfig(CheckConfig):
    """A TCP connection, and what is said on it."""

    tcp: Address = Field(description="host:port to connect to.")
    secure: Flag = Field(False, description="TLS from the start.")
    starttls: StartTls | None = Field(None, description="The protocol in which TLS is asked for before all else.")
    verify: Flag = Field(True, description="With TLS: the certificate must be valid for the name.")
    server_name: Host | None = Field(None, description="With TLS: whom the certificate is for, if not the host.")
    send: str = Field("", description="Sent once connected.")
    expect: Text | None = Field(None, description="Text that the answer contains, or /a regular expression/.")

    @property
    def encrypted(self) -> bool:
        """Whether there is TLS on the connection, sooner or later."""
        return self.secure or self.starttls is not None

    @model_validator(mode="after")
    def _one_way_to_tls(self) -> TcpCheckConfig:
        if self.secure and self.starttls is not None:
            raise ValueError("TLS begins at once with secure, and later with starttls; take one of them out")
        if not self.encrypted and self.model_fields_set & {"verify", "server_name"}:
            raise ValueError("without TLS there is no certificate; write secure = true, or starttls")
        return self

    def endpoint(self) -> Endpoint | None:
        return split_address(self.tcp)


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """Signal: `latency` in seconds until connected, TLS included, or until the answer where one is expected."""

    wanted: TcpCheckConfig
    dialer: Dialer
    clock: Clock

    async def run(self) -> Mapping[str, float]:
        began = self.clock.monotonic()
        host, port = split_address(self.wanted.tcp)
        async with connected(self.dialer, host, port) as wire:
            if self.wanted.encrypted:
                await self._encrypt(wire, host)
            await self._talk(wire)
        return {"latency": self.clock.monotonic() - began}

    async def _encrypt(self, wire: Wire, host: str) -> None:
        if self.wanted.starttls is not None:
            await start_tls(wire, self.wanted.starttls)
        await wire.encrypt(tls_context(self.wanted.verify), self.wanted.server_name or host)

    async def _talk(self, wire: Wire) -> None:
        wanted = self.wanted.expect
        await wire.send(self.wanted.send.encode())
        heard = b""
        while wanted is not None and not holds(wanted, heard.decode(errors="replace")):
            more = await wire.some()
            heard += more
            if not more or len(heard) > _MAX_ANSWER_BYTES:
                raise _unexpected(wanted, excerpt(heard.decode(errors="replace")))


def _unexpected(wanted: str, said: str) -> CheckFailed:
    if not said:
        return CheckFailed(f"expected {wanted!r}, it said nothing", cause="unreachable")
    return CheckFailed(f"expected {wanted!r}, it said {said!r}", cause="wrong_answer")


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, TcpCheckConfig)
    return TcpCheck(config, context.dialer, context.clock)


TCP = CheckKind(name="tcp", model=TcpCheckConfig, build=_build, signals=("latency",))
