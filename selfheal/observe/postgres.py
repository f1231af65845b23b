"""The check `postgres`: does a PostgreSQL database answer a query, in the right role, with room and fresh data?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from selfheal.clock import Clock
from selfheal.config.address import Endpoint
from selfheal.config.models import CheckConfig
from selfheal.config.units import Duration, Number
from selfheal.data.postgres_place import Place, read_place
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.net import Dialer
from selfheal.observe.compare import MISSING, Condition, Expected, condition, show
from selfheal.observe.postgres_client import Row, Session, session
from selfheal.observe.wording import Unwell, percent_text, span_text

# What anybody may ask. A standby that has replayed everything is 0 s behind only while somebody sends it more.
_STATE = """
SELECT pg_is_in_recovery(),
       (SELECT sum(numbackends) FROM pg_stat_database),
       current_setting('max_connections'),
       CASE WHEN NOT pg_is_in_recovery() THEN NULL
            WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()
                 AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END
"""
_BOOL = 16  # pg_type.dat
_NUMERIC = frozenset({20, 21, 23, 26, 700, 701, 1700})  # int8, int2, int4, oid, float4, float8, numeric
_MAX_TIMEOUT_MS = 2**31 - 1


def _check_place(url: str) -> str:
    read_place(url)
    return url


def _check_query(query: str) -> str:
    if "\0" in query:
        raise ValueError("the query has a zero in it; take it out")
    return query


class PostgresCheckConfig(CheckConfig):
    """A PostgreSQL database, and how it should be doing."""

    postgres: Annotated[str, AfterValidator(_check_place)] = Field(
        description="postgresql:// URL with user, password, database and sslmode."
    )
    query: Annotated[str, Field(min_length=1), AfterValidator(_check_query)] = Field(
        "SELECT 1", description="One statement, which may only read."
    )
    expect: Expected | None = Field(None, description="The first value of its first row, or how it compares.")
    role: Literal["primary", "standby"] | None = Field(None, description="What the server should be.")
    max_connections_share: Annotated[Number, Field(gt=0)] | None = Field(
        None, description="Of max_connections, 0.9 for 90 %."
    )
    max_replication_lag: Duration | None = Field(None, gt=0, description="A standby is at most so far behind.")

    def endpoint(self) -> Endpoint | None:
        place = read_place(self.postgres)
        return place.host, place.port


@dataclass(frozen=True, slots=True)
class PostgresCheck:
    """Signals: `latency` in seconds until the query was answered, `value` of its answer where that is a number,
    `connections`, `connections_share` of max_connections, and of a standby `replication_lag` in seconds.
    """

    place: Place
    wanted: PostgresCheckConfig
    expected: Condition | None
    dialer: Dialer
    clock: Clock

    async def run(self) -> Mapping[str, float]:
        began = self.clock.monotonic()
        async with session(self.place, self.dialer) as talk:
            await talk.run(f"BEGIN READ ONLY; SET LOCAL statement_timeout = {_milliseconds(self.wanted.timeout)}")
            value = _value(await talk.first(self.wanted.query))
            took_s = self.clock.monotonic() - began
            state = await _state(talk)
        signals = {"latency": took_s, **state.signals}
        if isinstance(value, float) and math.isfinite(value):
            signals["value"] = value
        for wrong, cause in self._wrongs(value, state):
            raise Unwell(wrong, signals, cause)
        return signals

    def _wrongs(self, value: object, state: _State) -> Iterator[tuple[str, str]]:
        """Everything that is not as wanted, the gravest first, each with its cause."""
        wanted, role = self.wanted, "standby" if state.standby else "primary"
        if wanted.role is not None and role != wanted.role:
            yield f"it is a {role}, expected a {wanted.role}", "wrong_answer"
        if self.expected is not None:
            yield from _wrong_value(self.expected, value)
        yield from _wrong_share(wanted, state.signals)
        if wanted.max_replication_lag is not None and state.standby:
            yield from _wrong_lag(wanted.max_replication_lag, state.signals.get("replication_lag"))


@dataclass(frozen=True, slots=True)
class _State:
    """How the server is doing."""

    standby: bool
    signals: Mapping[str, float]


def _value(row: Row | None) -> object:
    """The first value of a row, as its column's type has it: a number, true or false, else a text; None is NULL.

    MISSING where there is none. Raises ValueError where it is no value of its type.
    """
    if row is None or not row.values:
        return MISSING
    text, kind = row.values[0], row.types[0] if row.types else 0
    if text is None:
        return None
    if kind == _BOOL:
        return text == "t"
    return float(text) if kind in _NUMERIC else text


async def _state(talk: Session) -> _State:
    row = await talk.first(_STATE)
    if row is None or len(row.values) != 4:
        raise ValueError("it does not tell its state")
    recovering, connections, most, lag = row.values
    found = {"connections": _number(connections), "replication_lag": _number(lag)}
    limit = _number(most)
    if limit and found["connections"] is not None:
        found["connections_share"] = found["connections"] / limit
    if found["replication_lag"] is not None:
        found["replication_lag"] = max(0.0, found["replication_lag"])  # the primary's clock may be ahead
    return _State(recovering == "t", {name: value for name, value in found.items() if value is not None})


def _wrong_value(wanted: Condition, value: object) -> Iterator[tuple[str, str]]:
    if not wanted.is_met(value):
        given = "no row" if value is MISSING else "NULL" if value is None else show(value)
        yield f"the query gives {given}, expected {wanted.expected}", "wrong_answer"


def _wrong_share(wanted: PostgresCheckConfig, signals: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    share, most = signals.get("connections_share"), wanted.max_connections_share
    if share is not None and most is not None and share > most:
        there = f"{percent_text(share)} of max_connections are there ({signals['connections']:g})"
        yield f"{there}, expected at most {percent_text(most)}", ""


def _wrong_lag(limit_s: float, lag_s: float | None) -> Iterator[tuple[str, str]]:
    if lag_s is None:
        yield "it is a standby that has replayed nothing yet", "stale"
    elif lag_s > limit_s:
        yield f"it is {span_text(lag_s)} behind its primary, expected at most {span_text(limit_s)}", "stale"


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _milliseconds(timeout_s: float) -> int:
    return min(_MAX_TIMEOUT_MS, max(1, round(timeout_s * 1000)))


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, PostgresCheckConfig)
    expected = condition(config.expect) if config.expect is not None else None
    return PostgresCheck(read_place(config.postgres), config, expected, context.dialer, context.clock)


POSTGRES = CheckKind(
    name="postgres",
    model=PostgresCheckConfig,
    build=_build,
    signals=("latency", "value", "connections", "connections_share", "replication_lag"),
)
