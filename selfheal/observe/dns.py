"""The check `dns`: does a resolver answer for a name, and with what it should?

A resolver that is named is what is watched: that it is silent is a failure. The system's own is only a means: where it
is silent nothing can be said about the agent.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from selfheal.clock import Clock
from selfheal.config.address import Endpoint, split_address
from selfheal.config.models import CheckConfig
from selfheal.config.texts import Text, holds
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.net import Dialer
from selfheal.observe.wording import Unwell, excerpt

if TYPE_CHECKING:
    from selfheal.observe.dns_client import Answer, Server

_PORT = 53
_SYSTEM = Path("/etc/resolv.conf")
_NOBODY_NAMED = "127.0.0.1"  # whom resolv.conf(5) means where it names none
# How much of the timeout the system's resolvers get: to be cut off by the scheduler would count against the agent.
_SYSTEM_SHARE = 0.9

_RCODES = {
    "NXDOMAIN": "there is no such name",
    "SERVFAIL": "the resolver cannot find out",
    "REFUSED": "the resolver does not want to say",
    "FORMERR": "the resolver does not understand the question",
    "NOTIMP": "the resolver does not know how",
}


def domain(text: str) -> str:
    """Return `text` where it can be asked for; raises ValueError else."""
    from selfheal.observe.dns_client import check_domain

    return check_domain(text)


def resolver_address(text: str) -> str:
    """Return the address of a resolver, with the port that may be left out; raises ValueError where it is none."""
    for spelling in (text, f"{text}:{_PORT}", f"[{text}]:{_PORT}"):
        try:
            split_address(spelling)
        except ValueError:
            continue
        return spelling
    raise ValueError(f"{text!r} is not a resolver; write its address, such as '127.0.0.1:5353' or '9.9.9.9'")


def texts(value: object) -> object:
    """Read one text, or a list of them."""
    return (value,) if isinstance(value, str) else value


Texts = Annotated[
    tuple[Text, ...],
    BeforeValidator(texts),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class DnsCheckConfig(CheckConfig):
    """A question to a resolver, and what the answer should be."""

    dns: Annotated[str, Field(min_length=1), AfterValidator(domain)] = Field(
        description="Domain name to ask for; an IP address will do for PTR."
    )
    record: Literal["A", "AAAA", "CNAME", "MX", "NS", "TXT", "SOA", "SRV", "PTR", "CAA"] = Field(
        "A", description="The type of its records."
    )
    resolver: Annotated[str, AfterValidator(resolver_address)] | None = Field(
        None, description="host:port of whom to ask; without it those of /etc/resolv.conf."
    )
    expect: Texts = Field((), description="Texts or /regular expressions/, each of which some record contains.")
    rcode: Literal["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED"] = Field("NOERROR", description="How it answers.")

    @model_validator(mode="after")
    def _records_come_without_errors(self) -> DnsCheckConfig:
        if self.expect and self.rcode != "NOERROR":
            raise ValueError(f"{self.rcode} comes without records; take expect or rcode out")
        return self

    def endpoint(self) -> Endpoint | None:
        return split_address(self.resolver) if self.resolver is not None else None


@dataclass(frozen=True, slots=True)
class DnsCheck:
    """Signals: `latency` in seconds, the number of `answers`, and their lowest `ttl` in seconds where there are any."""

    wanted: DnsCheckConfig
    dialer: Dialer
    clock: Clock

    async def run(self) -> Mapping[str, float]:
        began = self.clock.monotonic()
        answer = await self._answer()
        signals = {"latency": self.clock.monotonic() - began, "answers": float(len(answer.records))}
        if answer.records:
            signals["ttl"] = answer.ttl_s
        refusal = self._judge_rcode(answer)
        if refusal is not None:
            # A resolver that is named is what is watched; by the system's own it is the name.
            raise Unwell(refusal, signals, "wrong_answer" if self.wanted.resolver is not None else "dns_failed")
        wrong = self._judge_records(answer)
        if wrong is not None:
            raise Unwell(wrong, signals, "wrong_answer")
        return signals

    async def _answer(self) -> Answer:
        if self.wanted.resolver is not None:
            return await self._ask((split_address(self.wanted.resolver),))
        try:
            async with asyncio.timeout(self.wanted.timeout * _SYSTEM_SHARE):
                return await self._ask(await asyncio.to_thread(system_servers, _SYSTEM))
        except TimeoutError:
            raise CheckFailed("cannot ask the system's own resolver: it is silent", "error") from None
        except CheckFailed as why:
            raise CheckFailed(f"cannot ask the system's own resolver: {why.reason}", "error") from why

    async def _ask(self, servers: tuple[Server, ...]) -> Answer:
        from selfheal.observe.dns_client import ask

        return await ask(self.dialer, self.wanted.dns, self.wanted.record, servers)

    def _judge_rcode(self, answer: Answer) -> str | None:
        if answer.rcode == self.wanted.rcode:
            return None
        meaning = f" ({_RCODES[answer.rcode]})" if answer.rcode in _RCODES else ""
        return f"{answer.rcode}{meaning} for {self._asked}, expected {self.wanted.rcode}"

    def _judge_records(self, answer: Answer) -> str | None:
        if answer.rcode == "NOERROR" and not answer.records:
            return f"there is no record for {self._asked}"
        for wanted in self.wanted.expect:
            if not any(_is(wanted, record) for record in answer.records):
                return f"expected {wanted!r} for {self._asked}, got {excerpt(', '.join(answer.records))}"
        return None

    @property
    def _asked(self) -> str:
        return f"{self.wanted.dns} {self.wanted.record}"


def system_servers(file: Path) -> tuple[Server, ...]:
    """Return whom this machine asks for names, as resolv.conf(5) has it."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    words = (line.split() for line in lines)
    named = [word[1] for word in words if len(word) > 1 and word[0] == "nameserver"]
    return tuple((host, _PORT) for host in named or [_NOBODY_NAMED])


def _is(wanted: str, record: str) -> bool:
    """Whether a record is what is expected. 10.0.0.1 is not in 10.0.0.12, and ::1 is 0:0:0:0:0:0:0:1."""
    address = _address(wanted)
    return holds(wanted, record) if address is None else address == _address(record)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, DnsCheckConfig)
    return DnsCheck(config, context.dialer, context.clock)


DNS = CheckKind(name="dns", model=DnsCheckConfig, build=_build, signals=("latency", "answers", "ttl"))
