"""The check `tls`: is the certificate that a server shows to be trusted, and for how long still?

What is not trusted is looked at once more without asking for trust, on a connection of its own: only then can its dates
and names be told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from selfheal.clock import Clock
from selfheal.config.address import Endpoint, split_address
from selfheal.config.models import CheckConfig
from selfheal.config.units import Address, Duration, Flag, Host
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.net import Dialer
from selfheal.observe.certificate import Certificate, too_soon
from selfheal.observe.starttls import StartTls, start_tls
from selfheal.observe.trust import EXPIRED, NOT_YET_VALID, OTHER_ADDRESS, OTHER_NAME, Distrusted, tls_context
from selfheal.observe.wire import connected
from selfheal.observe.wording import Unwell, excerpt, span_text

_SHA256_CHARS = 64
_SHOWN_NAMES = 4
# The second look is worth this share of what is left of the timeout: what the first has found must not be lost to it.
_SECOND_LOOK = 0.5


def fingerprint(text: str) -> str:
    """Return a SHA-256 in plain lower case, however it was written; raises ValueError where it is none."""
    plain = text.replace(":", "").lower()
    if len(plain) != _SHA256_CHARS or set(plain) - set("0123456789abcdef"):
        raise ValueError(f"{text!r} is not the SHA-256 of a certificate; write its 64 hexadecimal digits")
    return plain


class TlsCheckConfig(CheckConfig):
    """A TLS handshake, and the certificate that is shown in it."""

    tls: Address = Field(description="host:port to connect to.")
    server_name: Host | None = Field(None, description="Whom to ask for, and whom the certificate is for.")
    starttls: StartTls | None = Field(None, description="The protocol in which TLS is asked for first.")
    verify: Flag = Field(True, description="The certificate must be valid for the name.")
    expires_in: Duration = Field(14 * 86400.0, description="It must be good for at least so long.")
    min_version: Literal["TLSv1.2", "TLSv1.3"] = Field("TLSv1.2", description="At least this version is agreed on.")
    sha256: Annotated[str, AfterValidator(fingerprint)] | None = Field(
        None, description="The fingerprint of the one certificate that is accepted."
    )

    def endpoint(self) -> Endpoint | None:
        return split_address(self.tls)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a handshake has shown. `names` is empty unless the certificate was trusted."""

    version: str
    certificate: Certificate
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TlsCheck:
    """Signals: `latency` in seconds until the handshake is done, and `tls_expires_in`, negative once that is over."""

    wanted: TlsCheckConfig
    dialer: Dialer
    clock: Clock

    async def run(self) -> Mapping[str, float]:
        began = self.clock.monotonic()
        try:
            seen = await self._look(verify=self.wanted.verify)
        except Distrusted as why:
            raise await self._explained(why, self.wanted.timeout - (self.clock.monotonic() - began)) from why
        signals = {"latency": self.clock.monotonic() - began, **self._signals(seen)}
        wrong = self._judge(seen)
        if wrong is not None:
            raise Unwell(wrong, signals, "wrong_answer")
        left_s = signals["tls_expires_in"]
        if left_s < self.wanted.expires_in:
            raise Unwell(too_soon(left_s, self.wanted.expires_in), signals, "tls_expired")
        return signals

    @property
    def _name(self) -> str:
        return self.wanted.server_name or split_address(self.wanted.tls)[0]

    async def _look(self, *, verify: bool, check_name: bool = True) -> _Seen:
        async with connected(self.dialer, *split_address(self.wanted.tls)) as wire:
            if self.wanted.starttls is not None:
                await start_tls(wire, self.wanted.starttls)
            session = await wire.encrypt(tls_context(verify, check_name=check_name), self._name)
            return _Seen(session.version, session.certificate(), session.names)

    def _signals(self, seen: _Seen) -> dict[str, float]:
        return {
            "tls_expires_in": seen.certificate.not_after - self.clock.wall()
        }  # people date certificates by the wall

    def _judge(self, seen: _Seen) -> str | None:
        if seen.version < self.wanted.min_version:
            return f"it agrees on {seen.version}, expected {self.wanted.min_version} or newer"
        if self.wanted.sha256 is not None and seen.certificate.sha256 != self.wanted.sha256:
            return f"another certificate is shown, with sha256 {seen.certificate.sha256}"
        if seen.certificate.not_before > self.clock.wall():
            return self._not_yet(seen.certificate)
        return None

    def _not_yet(self, shown: Certificate) -> str:
        return f"the certificate is not yet valid: it will be in {span_text(shown.not_before - self.clock.wall())}"

    async def _explained(self, why: Distrusted, left_s: float) -> CheckFailed:
        """The same failure with what only a second look can tell; as it is where that shows nothing."""
        for_another = why.code in (OTHER_NAME, OTHER_ADDRESS)
        try:
            async with asyncio.timeout(left_s * _SECOND_LOOK):
                seen = await self._look(verify=for_another, check_name=False)
        except (CheckFailed, OSError):  # TimeoutError is one
            return why
        return Unwell(self._in_detail(why, seen), self._signals(seen), why.cause)

    def _in_detail(self, why: Distrusted, seen: _Seen) -> str:
        now = self.clock.wall()
        if why.code in (OTHER_NAME, OTHER_ADDRESS):
            return f"{why.reason} but for {_listed(seen.names)}"
        if why.code == EXPIRED and seen.certificate.not_after < now:
            return f"the certificate expired {span_text(now - seen.certificate.not_after)} ago"
        if why.code == NOT_YET_VALID and seen.certificate.not_before > now:
            return self._not_yet(seen.certificate)
        return why.reason


def _listed(names: tuple[str, ...]) -> str:
    if not names:
        return "no host at all"
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(excerpt(name) for name in names[:_SHOWN_NAMES]) + more


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, TlsCheckConfig)
    return TlsCheck(config, context.dialer, context.clock)


TLS = CheckKind(name="tls", model=TlsCheckConfig, build=_build, signals=("latency", "tls_expires_in"))
