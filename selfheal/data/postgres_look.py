"""How is a PostgreSQL database doing? A quick look: it reads what the server knows of itself, and asks the canaries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from selfheal.data.asset import Health
from selfheal.data.postgres_memory import Highest, Memory
from selfheal.data.postgres_options import Options
from selfheal.data.postgres_tools import StatementFailed, Talk

# What anybody may ask. Of other people's sessions only their number is told to one who is no member of pg_monitor.
_STATE = """
SELECT extract(epoch FROM clock_timestamp()) AS now,
    current_setting('server_version_num')::int AS version,
    (SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS oid,
    pg_is_in_recovery() AS standby,
    current_setting('data_checksums') = 'on' AS data_checksums,
    (SELECT sum(checksum_failures) FROM pg_stat_database WHERE datname = current_database() OR datid = 0)
        AS checksum_failures,
    pg_database_size(current_database()) AS size,
    (SELECT sum(numbackends) FROM pg_stat_database) AS connections,
    current_setting('max_connections')::int AS max_connections,
    (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database()) AS transaction_age,
    (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend')
        AS oldest_transaction,
    (SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND state LIKE 'idle in transaction%') AS idle_in_transaction,
    (SELECT sum(n_dead_tup) / nullif(sum(n_live_tup) + sum(n_dead_tup), 0) FROM pg_stat_user_tables) AS dead_share,
    (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user) AS may_create,
    CASE WHEN NOT pg_is_in_recovery() THEN NULL
         WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0
         ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END AS own_lag,
    (SELECT count(*) FROM pg_stat_replication) AS replicas
"""
_REPLICAS = """
SELECT coalesce(nullif(application_name, ''), 'pid ' || pid) AS name, state,
    coalesce(extract(epoch FROM replay_lag), 0) AS lag
FROM pg_stat_replication WHERE state <> 'backup' ORDER BY 3 DESC
"""
# Who holds up others, and since when at the most: a lock is not older than the transaction that took it.
_BLOCKERS = """
SELECT holder.pid, holder.usename AS who, holder.query, count(*) AS waiting,
    extract(epoch FROM clock_timestamp() - coalesce(holder.xact_start, holder.state_change)) AS held
FROM pg_stat_activity waiter
CROSS JOIN LATERAL unnest(pg_blocking_pids(waiter.pid)) AS blocking(pid)
JOIN pg_stat_activity holder ON holder.pid = blocking.pid
WHERE waiter.datname = current_database() AND waiter.wait_event_type = 'Lock'
    AND cardinality(pg_blocking_pids(holder.pid)) = 0
GROUP BY 1, 2, 3, 5 ORDER BY 5 DESC NULLS LAST
"""
_SIGNALS = (
    "connections", "transaction_age", "oldest_transaction", "idle_in_transaction", "dead_share", "replicas",
)  # fmt: skip
_LITERALS = re.compile(
    r"""\$(\w*)\$.*?(?:\$\1\$|$)  # between dollars; one that is not closed reaches to the end
    | '(?:[^']|'')*(?:'|$) | \b\d[\d.]*\b | --[^\n]* | /\*.*?(?:\*/|$)""",
    re.DOTALL | re.VERBOSE,
)
_HEAD = 60


@dataclass(frozen=True, slots=True)
class State:
    """What the server says of itself."""

    told: Mapping[str, Any]
    signals: Mapping[str, float]

    @property
    def now(self) -> float:
        """The server's wall time."""
        return float(self.told["now"])

    @property
    def checksum_failures(self) -> float:
        """How often a page was found to be damaged; 0 where the server does not look."""
        return float(self.told["checksum_failures"] or 0)


Wrong = tuple[str, str]
"""A reason, and its cause."""


def state_of(talk: Talk) -> State:
    """Ask the server how it is."""
    told = talk.row(_STATE)
    signals = {name: float(told[name]) for name in _SIGNALS if told[name] is not None}
    signals["database_size"] = float(told["size"])
    signals["connections_share"] = signals["connections"] / told["max_connections"]
    signals["data_checksums"] = float(told["data_checksums"])
    if told["checksum_failures"] is not None:
        signals["checksum_failures"] = float(told["checksum_failures"])
    if told["own_lag"] is not None:
        signals["replication_lag"] = max(0.0, float(told["own_lag"]))  # the primary's clock may be ahead
    return State(told, signals)


def look(talk: Talk, options: Options, memory: Memory) -> tuple[State, Health, Memory]:
    """Look quickly. Given too is what to remember of it."""
    state = state_of(talk)
    canaries, failing = ask(talk, options.canaries)
    memory = memory.of_database(int(state.told["oid"]))
    heights = {name: _height(memory.canaries.get(name), value, state.now) for name, value in canaries.items()}
    signals = {**state.signals, **{f"canary.{name}": value for name, value in canaries.items()}}
    wrongs = [
        *_wrong_checksums(state, options, memory),
        *failing,
        *_fallen(canaries, heights, options.max_drop),
        *_locks(talk, options, signals),
        *_replicas(talk, state, options, signals),
        *_limits(state, options),
    ]
    reason, cause = wrongs[0] if wrongs else ("", "")
    return state, Health(reason, cause, signals, canaries), memory.with_canaries(heights)


def ask(talk: Talk, queries: Mapping[str, str]) -> tuple[dict[str, float], list[Wrong]]:
    """Ask the canaries. Given are their numbers, and what is wrong with those that give none."""
    numbers: dict[str, float] = {}
    failing: list[Wrong] = []
    for name, query in queries.items():
        talk.run("BEGIN READ ONLY")
        try:
            numbers[name] = talk.number(query)
        except StatementFailed as why:
            failing.append((f"the canary {name!r} gives no number: {why.words}", _cause(why)))
        finally:
            talk.run("ROLLBACK")
    return numbers, failing


def _cause(why: StatementFailed) -> str:
    if why.code in ("42P01", "3F000"):  # no such table, no such schema
        return "missing_data"
    if why.code == "57014":  # by the statement timeout
        return "slow"
    return why.cause or "wrong_answer"


def _height(before: Highest | None, value: float, now: float) -> Highest:
    """What a canary is held against: the highest of a day. A drop is told for so long, and then is what is normal."""
    if before is None or value >= before.value or now - before.at > 86_400:
        return Highest(value, now)
    return before


def _fallen(canaries: Mapping[str, float], heights: Mapping[str, Highest], most: float) -> Iterator[Wrong]:
    for name, value in canaries.items():
        high = heights[name].value
        if high > 0 and value < high * (1 - most):
            yield (
                f"the canary {name!r} has fallen from {high:g} to {value:g}, by more than {most:.0%}".replace(
                    "%", " %"
                ),
                "missing_data",
            )


def _wrong_checksums(state: State, options: Options, memory: Memory) -> Iterator[Wrong]:
    found = state.checksum_failures - memory.checksum_failures
    if found > 0:
        yield f"{found:g} damaged pages were read: their checksums are wrong (pg_stat_database)", "corrupted"
    if options.require_checksums and not state.told["data_checksums"]:
        yield (
            "damage is hardly ever found, as the server keeps no checksums: stop it and run 'pg_checksums --enable'",
            "bad_configuration",
        )


def _locks(talk: Talk, options: Options, signals: dict[str, float]) -> Iterator[Wrong]:
    blockers = talk.rows(_BLOCKERS)
    signals["waiting_for_locks"] = float(sum(each["waiting"] for each in blockers))
    signals["lock_held"] = max((float(each["held"] or 0) for each in blockers), default=0.0)
    for each in blockers:
        if (each["held"] or 0) > options.max_lock_s:
            who = f"the session {each['pid']} of {each['who']!r}"
            held = f"has held a lock for {each['held']:.0f} s that {each['waiting']} wait for"
            yield f"{who} {held}: {head(each['query'] or '')}", "locked"


def _replicas(talk: Talk, state: State, options: Options, signals: dict[str, float]) -> Iterator[Wrong]:
    limit = options.max_replication_lag_s
    replicas = talk.rows(_REPLICAS) if state.told["replicas"] else []
    if replicas:
        signals["replica_lag"] = float(replicas[0]["lag"])
    if limit is None:
        return
    if state.told["standby"] and state.told["own_lag"] is None:
        yield "it is a standby that has replayed nothing yet", "replica_behind"
    elif state.signals.get("replication_lag", 0) > limit:
        yield (
            f"it is {state.signals['replication_lag']:.0f} s behind its primary, at most {limit:g} s",
            "replica_behind",
        )
    for each in replicas:
        if each["lag"] > limit:
            yield f"its replica {each['name']!r} is {each['lag']:.0f} s behind, at most {limit:g} s", "replica_behind"


def _limits(state: State, options: Options) -> Iterator[Wrong]:
    age, share = state.signals["transaction_age"], state.signals["connections_share"]
    if age > options.max_transaction_age:
        cure = "run VACUUM FREEZE, and end the transactions and replication slots that hold it up"
        yield f"its oldest rows are {age:.3g} transactions old, and at 2.1e9 it stops; {cure}", ""
    if options.max_connections_share is not None and share > options.max_connections_share:
        yield f"{share:.0%} of max_connections are taken".replace("%", " %"), ""


def head(query: str) -> str:
    """The beginning of a statement, without the values in it."""
    plain = re.sub(r"\s+", " ", _LITERALS.sub("?", query)).rstrip("; ").lstrip()
    return plain if len(plain) <= _HEAD else plain[: _HEAD - 1] + "…"
