"""Does the PostgreSQL check understand what a real server says, and what others say at its port?"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from selfheal.data.postgres_place import read_place
from selfheal.net import Dialer
from selfheal.observe.postgres import POSTGRES
from selfheal.observe.postgres_client import session
from tests.real.certificates import self_signed, trusting
from tests.real.daemon_process import free_port
from tests.real.postgres_server import READY, Cluster, cluster
from tests.real.servers import build, outcome, told

# Who may come in how; and nobody from the network but over TLS.
RULES = """
hostssl  all          only_tls  127.0.0.1/32  scram-sha-256
host     all          only_tls  127.0.0.1/32  reject
host     all          md5_user  127.0.0.1/32  md5
host     all          plain     127.0.0.1/32  password
host     all          boss      127.0.0.1/32  trust
host     replication  boss      127.0.0.1/32  trust
host     all          all       127.0.0.1/32  scram-sha-256
"""
USERS = """
CREATE ROLE app LOGIN PASSWORD 'geheim';
CREATE ROLE only_tls LOGIN PASSWORD 'geheim';
CREATE ROLE plain LOGIN PASSWORD 'geheim';
CREATE ROLE crowded LOGIN PASSWORD 'geheim' CONNECTION LIMIT 0;
CREATE ROLE umlaut LOGIN PASSWORD 'größer';
SET password_encryption = 'md5';
CREATE ROLE md5_user LOGIN PASSWORD 'geheim';
CREATE TABLE jobs (id int, name text);
INSERT INTO jobs VALUES (1, 'first'), (2, NULL);
GRANT SELECT ON jobs TO app
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    with cluster() as made:
        self_signed(made.folder)
        (made.folder / "rules").write_text(RULES)
        made.give(made.folder / "key.pem", made.folder / "cert.pem", made.folder / "rules")
        yield made


@contextmanager
def serving(place: Cluster, more: Mapping[str, object] | None = None, ready: str = READY) -> Iterator[int]:
    folder = place.folder
    tls = {"ssl": "on", "ssl_cert_file": folder / "cert.pem", "ssl_key_file": folder / "key.pem"}
    own = {"hba_file": folder / "rules", "max_connections": 20, "lc_messages": "C"}
    with place.serving({**tls, **own, **(more or {})}, ready) as port:
        yield port


@pytest.fixture(scope="module")
def port(servers: Cluster) -> Iterator[int]:
    with serving(servers) as port:
        command(port, *USERS.split(";"))
        yield port


def command(port: int, *statements: str) -> None:
    async def story() -> None:
        async with session(read_place(f"postgresql://boss@127.0.0.1:{port}/postgres"), Dialer()) as talk:
            for statement in statements:
                await talk.run(statement)

    asyncio.run(story())


def url(port: int, who: str = "app:geheim", database: str = "postgres") -> str:
    return f"postgresql://{who}@localhost:{port}/{database}"


def seen(postgres: str, table: Mapping[str, object] | None = None) -> tuple[str, Mapping[str, float], str | None]:
    check = build(POSTGRES, {"postgres": postgres, **(table or {})})
    return asyncio.run(told(check))


def test_a_primary_is_well_and_what_matters_is_measured(port: int) -> None:
    reason, signals, named = seen(url(port), {"expect": 1, "role": "primary", "max_connections_share": 0.9})
    assert (reason, named) == ("", None)
    assert set(signals) == {"latency", "value", "connections", "connections_share"}
    assert signals["value"] == 1
    assert signals["connections"] >= 1
    assert signals["connections_share"] == pytest.approx(signals["connections"] / 20)


@pytest.mark.parametrize(
    "who", ["app:geheim", "plain:geheim", "md5_user:geheim", "only_tls:geheim", "boss", "umlaut:gr%C3%B6%C3%9Fer"]
)
def test_every_way_to_log_in_is_known(port: int, who: str) -> None:
    assert seen(url(port, who))[0] == ""


@pytest.mark.parametrize(
    ("postgres", "reason"),
    [
        ("app:wrong", 'wrong password: password authentication failed for user "app"'),
        ("md5_user:wrong", 'wrong password: password authentication failed for user "md5_user"'),
        ("ghost:geheim", 'wrong password: password authentication failed for user "ghost"'),
        ("app", "it wants a password"),
    ],
)
def test_who_is_not_let_in_is_told_why(port: int, postgres: str, reason: str) -> None:
    assert seen(url(port, postgres))[::2] == (reason, "credential_expired" if ":" in postgres else "bad_configuration")


def test_a_database_that_is_not_there_is_told(port: int) -> None:
    told = seen(url(port, database="ghost"))
    assert told[::2] == ('no such database: database "ghost" does not exist', "bad_configuration")


def test_too_many_connections_are_told(port: int) -> None:
    told = seen(url(port, "crowded:geheim"))
    assert told[::2] == ('too many connections: too many connections for role "crowded"', "pool_exhausted")


def test_tls_is_spoken_as_the_url_wants_it(servers: Cluster, port: int) -> None:
    untrusted = "the certificate is self-signed"
    assert seen(url(port, "only_tls:geheim") + "?sslmode=disable")[0].startswith("not let in: pg_hba.conf rejects")
    assert seen(url(port, "only_tls:geheim") + "?sslmode=require")[0] == ""
    assert seen(url(port, "only_tls:geheim") + "?sslmode=verify-ca")[0] == untrusted
    assert seen(url(port, "only_tls:geheim") + "?sslmode=verify-full")[0] == untrusted
    with trusting(servers.folder / "cert.pem"):
        assert seen(url(port) + "?sslmode=verify-full")[0] == ""
        by_number = url(port).replace("localhost", "127.0.0.1")
        assert seen(by_number + "?sslmode=verify-ca")[0] == ""
        assert seen(by_number + "?sslmode=verify-full")[0] == "the certificate is not for '127.0.0.1'"


@pytest.mark.parametrize(
    ("query", "expect"),
    [
        ("SELECT count(*) < 10 FROM jobs", True),
        ("SELECT count(*) FROM jobs", 2),
        ("SELECT 0.5::numeric", 0.5),
        ("SELECT name FROM jobs ORDER BY id", "first"),
        ("SELECT 'größer'", "größer"),
        ("SELECT generate_series(1, 100000)", 1),
        ("SELECT count(*) FROM jobs", {"<": 3, ">": 1}),
        ("SELECT 2.5::float8", {">=": 2.5, "!=": 3}),
        ("SELECT true", {"!=": False}),
        ("SELECT name FROM jobs ORDER BY id", {"=~": "^fi"}),
        ("SELECT '7'::text", "7"),
        ("SELECT NULL", {"exists": True}),
        ("SELECT 1 WHERE false", {"exists": False}),
        ("SHOW transaction_read_only", "on"),
        ("SHOW statement_timeout", "5s"),
        ("SHOW application_name", "selfheal"),
    ],
)
def test_a_query_gives_what_is_expected(port: int, query: str, expect: object) -> None:
    assert seen(url(port), {"query": query, "expect": expect})[0] == ""


@pytest.mark.parametrize(
    ("query", "expect", "reason"),
    [
        ("SELECT 2", 1, "the query gives 2, expected 1"),
        ("SELECT 1", True, "the query gives 1, expected true"),
        ("SELECT false", True, "the query gives false, expected true"),
        ("SELECT NULL", "x", "the query gives NULL, expected 'x'"),
        ("SELECT 1 WHERE false", 1, "the query gives no row, expected 1"),
        ("SELECT 1 WHERE false", {"<": 100}, "the query gives no row, expected < 100"),
        ("SELECT 120", {"<": 100}, "the query gives 120, expected < 100"),
        ("SELECT 'NaN'::float8", {"<": 100}, "the query gives nan, expected < 100"),
        ("SELECT '7'::text", 7, "the query gives '7', expected 7"),
        ("SELECT '7'::text", {">": 1}, "the query gives '7', expected > 1"),
        ("SELECT 7", "7", "the query gives 7, expected '7'"),
        ("SELECT NULL::int", {"<": 100}, "the query gives NULL, expected < 100"),
        ("SELECT 1", {"exists": False}, "the query gives 1, expected that it does not exist"),
        ("SELECT", 1, "the query gives no row, expected 1"),
        ("-- nothing", 1, "the query gives no row, expected 1"),
    ],
)
def test_another_value_is_told_and_still_measured(port: int, query: str, expect: object, reason: str) -> None:
    told, signals, named = seen(url(port), {"query": query, "expect": expect})
    assert (told, named) == (reason, "wrong_answer")
    assert signals["connections"] >= 1


def test_only_a_number_is_a_signal(port: int) -> None:
    assert seen(url(port), {"query": "SELECT 2.5"})[1]["value"] == 2.5
    for query in (
        "SELECT '7'::text",
        "SELECT true",
        "SELECT NULL::int",
        "SELECT 'NaN'::float8",
        "SELECT 1 WHERE false",
    ):
        assert "value" not in seen(url(port), {"query": query})[1]


@pytest.mark.parametrize(
    ("query", "reason", "named"),
    [
        ("SELEC 1", 'error 42601: syntax error at or near "SELEC"', "wrong_answer"),
        ("SELECT * FROM ghost", 'error 42P01: relation "ghost" does not exist', "wrong_answer"),
        ("SELECT 1; SELECT 2", "error 42601: cannot insert multiple commands", "wrong_answer"),
        ("CREATE TABLE x ()", "the query would write: cannot execute CREATE TABLE", "bad_configuration"),
        ("SELECT * FROM pg_authid", "the query is not allowed: permission denied", "bad_configuration"),
        ("COPY jobs TO STDOUT", "the query copies a table; ask for a row", "bad_configuration"),
    ],
)  # fmt: skip
def test_a_query_that_cannot_be_answered_is_told(port: int, query: str, reason: str, named: str) -> None:
    told = seen(url(port), {"query": query})
    assert told[0].startswith(reason)
    assert told[2] == named


def test_a_query_that_takes_too_long_is_ended_by_the_server_too(port: int) -> None:
    async def story() -> str:
        check = build(POSTGRES, {"postgres": url(port), "query": "SELECT pg_sleep(60)", "timeout": "50ms"})
        return (await outcome(check))[0]

    assert asyncio.run(story()) == "the query took too long: canceling statement due to statement timeout"


def test_a_share_of_the_connections_that_is_too_high_is_told(port: int) -> None:
    reason, signals, named = seen(url(port), {"max_connections_share": 0.01})
    assert reason == f"{signals['connections'] / 20:.0%} of max_connections".replace("%", " %") + (
        f" are there ({signals['connections']:g}), expected at most 1 %"
    )
    assert named == ""


def test_a_primary_that_should_be_a_standby_is_told(port: int) -> None:
    assert seen(url(port), {"role": "standby", "max_replication_lag": "1s"})[0] == "it is a primary, expected a standby"


def test_a_standby_tells_how_far_it_is_behind(servers: Cluster, port: int) -> None:
    standby = Cluster(servers.folder / "standby", servers.user)
    source = f"postgresql://boss@127.0.0.1:{port}/postgres"
    standby.run("pg_basebackup", "-D", str(standby.data), "-d", source, "-R", "-c", "fast", "--no-sync")
    try:
        with serving(standby, {"hot_standby": "off"}, ready="consistent recovery state reached") as second:
            reason, _, named = seen(url(second))
            assert reason.startswith("not ready: the database system is ")
            assert named == "unreachable"
        with serving(standby, ready="started streaming WAL") as second:
            behind(port, second)
    finally:
        shutil.rmtree(standby.data)


def behind(port: int, standby: int) -> None:
    command(port, "INSERT INTO jobs VALUES (3, 'third')")
    wanted = {"role": "standby", "query": "SELECT count(*) FROM jobs", "expect": 3, "max_replication_lag": "1m"}
    while seen(url(standby), wanted)[0]:
        pass  # until it has it
    signals = seen(url(standby), wanted)[1]
    assert 0 <= signals["replication_lag"] < 60
    assert seen(url(standby), {"role": "primary"})[0] == "it is a standby, expected a primary"
    command(standby, "SELECT pg_wal_replay_pause()")
    command(port, "INSERT INTO jobs VALUES (4, 'fourth')")
    strict = {"max_replication_lag": 1e-6}
    while not seen(url(standby), strict)[0]:
        pass  # until it has received what it may not replay
    reason, _, named = seen(url(standby), strict)
    assert reason.startswith("it is ")
    assert reason.endswith(" s behind its primary, expected at most 1e-06 s")
    assert named == "stale"


def test_nobody_at_the_port_is_a_refusal() -> None:
    assert seen(url(free_port())) == ("connection refused", {}, "unreachable")
