"""The check `redis`: does a Redis server answer, in the right role, with room, replicas and fresh data?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from selfheal.clock import Clock
from selfheal.config.address import Endpoint
from selfheal.config.models import CheckConfig
from selfheal.config.units import Count, Duration, Flag, Number
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.net import Dialer
from selfheal.observe.redis_client import Place, ask, read_place
from selfheal.observe.trust import tls_context
from selfheal.observe.wire import Wire, connected
from selfheal.observe.wording import Unwell, percent_text, size_text, span_text

_SIGNALS = {"clients": "connected_clients", "memory": "used_memory", "ops": "instantaneous_ops_per_sec"}


def _check_place(text: str) -> str:
    read_place(text)
    return text


class RedisCheckConfig(CheckConfig):
    """A Redis server, and how it should be doing."""

    redis: Annotated[str, AfterValidator(_check_place)] = Field(
        description="redis:// or rediss:// URL with its password, or host:port; Valkey and other heirs answer too."
    )
    verify: Flag = Field(True, description="rediss: the certificate must be valid.")
    role: Literal["master", "replica"] | None = Field(None, description="What it should be.")
    max_memory_share: Annotated[Number, Field(gt=0)] | None = Field(None, description="Of maxmemory, 0.9 for 90 %.")
    max_clients_share: Annotated[Number, Field(gt=0)] | None = Field(None, description="Of maxclients.")
    min_replicas: Annotated[Count, Field(ge=0)] | None = Field(
        None, description="At least so many are in step with it."
    )
    max_replication_lag: Duration | None = Field(
        None, gt=0, description="As a replica it has heard from its master within this time."
    )

    def endpoint(self) -> Endpoint | None:
        place = read_place(self.redis)
        return place.host, place.port


@dataclass(frozen=True, slots=True)
class RedisCheck:
    """Signals: `latency` in seconds until PING was answered, and what INFO tells, see `signals_of`."""

    place: Place
    wanted: RedisCheckConfig
    dialer: Dialer
    clock: Clock

    async def run(self) -> Mapping[str, float]:
        began = self.clock.monotonic()
        place = self.place
        tls = tls_context(self.wanted.verify) if place.tls else None
        async with connected(self.dialer, place.host, place.port, tls) as wire:
            await self._enter(wire)
            await self._ping(wire)
            took_s = self.clock.monotonic() - began
            info = parsed(await ask(wire, "INFO"))
        signals = {"latency": took_s, **signals_of(info)}
        for wrong, cause in _wrongs(self.wanted, info, signals):
            raise Unwell(wrong, signals, cause)
        return signals

    async def _enter(self, wire: Wire) -> None:
        place = self.place
        if place.password is not None:
            await ask(wire, "AUTH", *([place.user] if place.user else []), place.password)
        if place.database is not None and place.database != "0":
            await ask(wire, "SELECT", place.database)

    async def _ping(self, wire: Wire) -> None:
        answer = await ask(wire, "PING")
        if answer != "PONG":
            raise CheckFailed(f"PING was answered with {answer[:40]!r}, expected 'PONG'", cause="wrong_answer")


def parsed(text: str) -> Mapping[str, str]:
    """What INFO says, by name."""
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value.strip() for name, colon, value in pairs if colon}


def signals_of(info: Mapping[str, str]) -> dict[str, float]:
    """`clients`, `memory` in bytes, `ops` a second, `keys`, `replicas` in step; and where there are such limits
    `memory_share` of maxmemory and `clients_share` of maxclients; of a replica `replication_lag` in seconds.
    """
    found = {name: _number(info, key) for name, key in _SIGNALS.items()}
    found["memory_share"] = _share(found["memory"], _number(info, "maxmemory"))
    found["clients_share"] = _share(found["clients"], _number(info, "maxclients"))
    found["keys"] = sum(_counts(info, "db", "keys"))
    if info.get("role") == "slave":
        found["replication_lag"] = _lag(info)
    else:
        found["replicas"] = float(sum(_is_online(value) for name, value in info.items() if _numbered(name, "slave")))
    return {name: value for name, value in found.items() if value is not None}


def _wrongs(
    wanted: RedisCheckConfig, info: Mapping[str, str], signals: Mapping[str, float]
) -> Iterator[tuple[str, str]]:
    """Everything that is not as wanted, the gravest first, each with its cause."""
    role = {"slave": "replica"}.get(info.get("role", ""), info.get("role", "unknown"))
    if wanted.role is not None and role != wanted.role:
        yield f"its role is {role}, expected {wanted.role}", "wrong_answer"
    yield from _wrong_shares(wanted, signals)
    replicas = signals.get("replicas")
    if wanted.min_replicas is not None and replicas is not None and replicas < wanted.min_replicas:
        yield f"{replicas:g} replicas are in step, expected at least {wanted.min_replicas}", "wrong_answer"
    if wanted.max_replication_lag is not None and role == "replica":
        yield from _wrong_lag(wanted.max_replication_lag, info, signals)


def _wrong_shares(wanted: RedisCheckConfig, signals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    share = signals.get("memory_share", 0.0)
    if wanted.max_memory_share is not None and share > wanted.max_memory_share:
        used = size_text(signals["memory"])
        most = percent_text(wanted.max_memory_share)
        yield f"{percent_text(share)} of maxmemory are used ({used}), expected at most {most}", "out_of_memory"
    share = signals.get("clients_share", 0.0)
    if wanted.max_clients_share is not None and share > wanted.max_clients_share:
        clients, most = signals["clients"], percent_text(wanted.max_clients_share)
        yield f"{percent_text(share)} of maxclients are there ({clients:g}), expected at most {most}", ""


def _wrong_lag(limit_s: float, info: Mapping[str, str], signals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    lag_s = signals.get("replication_lag")
    if lag_s is None:
        yield "it has never heard from its master", "stale"
    elif lag_s > limit_s:
        link = "" if info.get("master_link_status") == "up" else ", the link is down"
        yield f"it heard from its master {span_text(lag_s)} ago{link}, expected within {span_text(limit_s)}", "stale"


def _lag(info: Mapping[str, str]) -> float | None:
    """Since when a replica has heard nothing from its master, in seconds; None where it never has."""
    key = "master_last_io_seconds_ago" if info.get("master_link_status") == "up" else "master_link_down_since_seconds"
    seconds = _number(info, key)
    return seconds if seconds is not None and seconds >= 0 else None  # -1: there has been no link


def _is_online(replica: str) -> bool:
    return ",state=online," in f",{replica},"


def _counts(info: Mapping[str, str], prefix: str, name: str) -> Iterator[float]:
    for key, value in info.items():
        if _numbered(key, prefix):
            yield _number(dict(part.partition("=")[::2] for part in value.split(",")), name) or 0.0


def _numbered(name: str, prefix: str) -> bool:
    return name.startswith(prefix) and name[len(prefix) :].isdecimal()


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _number(table: Mapping[str, str], name: str) -> float | None:
    try:
        value = float(table[name])
    except (KeyError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, RedisCheckConfig)
    return RedisCheck(read_place(config.redis), config, context.dialer, context.clock)


REDIS = CheckKind(
    name="redis",
    model=RedisCheckConfig,
    build=_build,
    signals=(
        "latency",
        "clients",
        "clients_share",
        "memory",
        "memory_share",
        "keys",
        "ops",
        "replicas",
        "replication_lag",
    ),
)
