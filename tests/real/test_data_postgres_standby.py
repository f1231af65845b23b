"""Is a replica that falls behind noticed, from the primary and from itself, and left alone?"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from selfheal.data.postgres import PostgresAsset
from selfheal.data.postgres_options import Options
from selfheal.errors import DataFailed
from tests.real.daemon_process import until
from tests.real.postgres_data import asset, rows, told
from tests.real.postgres_server import cluster

LIMIT = Options(max_replication_lag_s=0.5)
PRIMARY = {"wal_level": "replica", "max_wal_senders": 4, "autovacuum": "off"}
READY = "ready to accept read-only connections"


class Pair(NamedTuple):
    """A primary and its replica, each as data; and the port of each."""

    primary: PostgresAsset
    replica: PostgresAsset
    ports: tuple[int, int]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with cluster() as first, first.serving(PRIMARY, end=signal.SIGINT) as port:
        told(port, "postgres", "CREATE DATABASE shop")
        told(port, "shop", *rows(["orders"]))
        second = replace(first, data=first.folder / "replica")
        source = ("-h", "127.0.0.1", "-p", str(port), "-U", "boss")
        first.run("pg_basebackup", "-D", str(second.data), *source, "--write-recovery-conf", "--checkpoint=fast")
        with second.serving({**PRIMARY, "hot_standby": "on"}, READY, end=signal.SIGINT) as other:
            until(lambda: told(port, "postgres", "SELECT count(*) FROM pg_stat_replication") == ["1"])
            yield Pair(asset(port, "shop", options=LIMIT), asset(other, "shop", options=LIMIT), (port, other))


def test_a_replica_that_follows_is_well_by_both(pair: Pair, tmp_path: Path) -> None:
    until(lambda: pair.primary.examine(tmp_path / "one", thorough=False).reason == "")
    until(lambda: pair.replica.examine(tmp_path / "two", thorough=False).reason == "")


def test_a_replica_that_stops_replaying_falls_behind_and_catches_up(pair: Pair, tmp_path: Path) -> None:
    port, other = pair.ports
    told(other, "shop", "SELECT pg_wal_replay_pause()")

    def behind() -> bool:
        told(port, "shop", "INSERT INTO orders SELECT max(id) + 1, 'more' FROM orders")
        looks = (
            pair.primary.examine(tmp_path / "one", thorough=False),
            pair.replica.examine(tmp_path / "two", thorough=False),
        )
        return all(look.cause == "replica_behind" for look in looks)

    until(behind)
    told(other, "shop", "SELECT pg_wal_replay_resume()")
    until(lambda: pair.primary.examine(tmp_path / "one", thorough=False).reason == "")
    until(lambda: pair.replica.examine(tmp_path / "two", thorough=False).reason == "")


def test_a_replica_is_never_exchanged(pair: Pair) -> None:
    with pytest.raises(DataFailed, match="standby"):
        pair.replica.swap("t1")
