"""Does the Redis check understand what a real Redis server says, and what others say at its port?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError

from selfheal.net import Dialer
from selfheal.observe.redis import REDIS
from selfheal.observe.redis_client import Place, ask, read_place
from selfheal.observe.wire import connected
from tests.real.certificates import self_signed
from tests.real.counterparts import program
from tests.real.daemon_process import free_port
from tests.real.foreground import started
from tests.real.servers import Handler, build, outcome, replying, serving, told

READY = "Ready to accept connections"


@contextmanager
def redis_server(folder: Path, *options: str, ready: str = READY) -> Iterator[int]:
    folder.mkdir(exist_ok=True)
    port = free_port()
    own = ("--bind", "127.0.0.1", "--save", "", "--dir", str(folder), "--repl-diskless-sync-delay", "0")
    with started([program("redis-server", "redis-server"), "--port", str(port), *own, *options], ready):
        yield port


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with redis_server(tmp_path_factory.mktemp("redis"), "--maxmemory", "100mb", "--maxclients", "50") as port:
        yield port


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """With a password, and a user who may do nothing but PING."""
    users = ("--requirepass", "p@ss word", "--user", "small", "on", ">tiny", "-@all", "+ping")
    with redis_server(tmp_path_factory.mktemp("locked"), *users) as port:
        yield port


def seen(redis: str, table: Mapping[str, object] | None = None) -> tuple[str, Mapping[str, float], str | None]:
    check = build(REDIS, {"redis": redis, **(table or {})})
    return asyncio.run(told(check))


def seen_of(handler: Handler) -> tuple[str, str | None]:
    async def story() -> tuple[str, str | None]:
        async with serving(handler) as port:
            check = build(REDIS, {"redis": f"127.0.0.1:{port}"})
            reason, _, named = await told(check)
            return reason, named

    return asyncio.run(story())


def command(port: int, *words: str) -> str:
    async def story() -> str:
        async with connected(Dialer(), "127.0.0.1", port) as wire:
            return await ask(wire, *words)

    return asyncio.run(story())


def test_a_master_is_well_and_what_matters_is_measured(port: int) -> None:
    command(port, "SET", "a", "1")
    reason, signals, named = seen(f"redis://localhost:{port}/3", {"role": "master", "max_memory_share": 0.9})
    assert (reason, named) == ("", None)
    assert set(signals) == {
        "latency", "clients", "memory", "ops", "memory_share", "clients_share", "keys", "replicas",
    }  # fmt: skip
    assert signals["keys"] == 1
    assert signals["clients"] >= 1
    assert signals["replicas"] == 0
    assert signals["memory_share"] == pytest.approx(signals["memory"] / 100e6, rel=0.1)


@pytest.mark.parametrize(
    ("wanted", "reason", "named"),
    [
        ({"role": "replica"}, "its role is master, expected replica", "wrong_answer"),
        ({"min_replicas": 2}, "0 replicas are in step, expected at least 2", "wrong_answer"),
        ({"max_memory_share": 1e-4}, "of maxmemory are used (", "out_of_memory"),
        ({"max_clients_share": 0.01}, "2 % of maxclients are there (1), expected at most 1 %", ""),
    ],
)
def test_what_is_not_as_wanted_is_told_and_still_measured(
    port: int, wanted: dict[str, object], reason: str, named: str
) -> None:
    told, signals, cause_named = seen(f"127.0.0.1:{port}", wanted)
    assert reason in told
    assert signals["memory"] > 0
    assert cause_named == named


def test_a_database_that_is_not_there_is_told(port: int) -> None:
    assert seen(f"redis://127.0.0.1:{port}/99")[0] == "it answered with an error: ERR DB index is out of range"


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        (":p%40ss%20word@", ""),
        ("default:p%40ss%20word@", ""),
        ("", "it wants a password: NOAUTH Authentication required."),
        (":wrong@", "wrong user or password: WRONGPASS invalid username-password pair or user is disabled."),
        ("ghost:wrong@", "wrong user or password: WRONGPASS invalid username-password pair or user is disabled."),
        ("small:tiny@", "its user may not ask this: NOPERM "),
    ],
)
def test_a_password_opens_and_what_is_wrong_with_it_is_told(locked: int, who: str, reason: str) -> None:
    told, _, named = seen(f"redis://{who}127.0.0.1:{locked}")
    assert told.startswith(reason)
    assert named == ("credential_expired" if "WRONGPASS" in reason else "bad_configuration" if reason else None)


def test_a_password_that_nobody_wants_is_told(port: int) -> None:
    assert seen(f"redis://:secret@127.0.0.1:{port}")[0].startswith("it takes no password: ERR AUTH")


def test_a_replica_tells_its_lag_and_its_master_counts_it(port: int, tmp_path: Path) -> None:
    async def in_step() -> None:
        check = build(REDIS, {"redis": f"127.0.0.1:{port}", "min_replicas": 1})
        while (await outcome(check))[0]:
            pass

    master = ("--replicaof", f"127.0.0.1 {port}")
    with redis_server(tmp_path, *master, ready="Finished with success") as replica:
        asyncio.run(in_step())
        wanted = {"role": "replica", "max_replication_lag": "1m"}
        reason, signals, _ = seen(f"127.0.0.1:{replica}", wanted)
        assert reason == ""
        assert 0 <= signals["replication_lag"] < 60
        assert "replicas" not in signals
        assert seen(f"127.0.0.1:{replica}", {"role": "master"})[0] == "its role is replica, expected master"


def test_a_replica_that_has_no_master_is_told(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--replicaof", f"127.0.0.1 {free_port()}") as port:
        reason, _, named = seen(f"127.0.0.1:{port}", {"max_replication_lag": "10s"})
        assert (reason, named) == ("it has never heard from its master", "stale")
        command(port, "CONFIG", "SET", "replica-serve-stale-data", "no")
        reason, _, named = seen(f"127.0.0.1:{port}")
        assert reason.startswith("it has no link to its master: MASTERDOWN ")
        assert named == "dependency_down"


def test_a_server_that_cannot_save_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    with redis_server(folder) as port:
        command(port, "CONFIG", "SET", "save", "3600 1")
        command(port, "SET", "a", "1")
        folder.rmdir()
        command(port, "BGSAVE")
        while not seen(f"127.0.0.1:{port}")[0]:
            pass  # until it has tried
        reason, _, named = seen(f"127.0.0.1:{port}")
    assert reason.startswith("it cannot save its data and refuses to write: MISCONF ")
    assert named == "permission"


def test_a_server_that_loads_its_data_is_told(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--rdbcompression", "no") as port:  # it looks up from its file each so many bytes
        for number in range(100):
            command(port, "SET", f"key-{number}", "x" * 1024)
        command(port, "SAVE")
    slow = ("--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024")
    with redis_server(tmp_path, *slow, ready="Loading RDB") as port:
        reason, _, named = seen(f"127.0.0.1:{port}")
    assert (reason, named) == (
        "it is still loading its data: LOADING Redis is loading the dataset in memory",
        "unreachable",
    )


def test_a_server_with_too_many_clients_is_told(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--maxclients", "1") as port:

        async def story() -> str:
            async with connected(Dialer(), "127.0.0.1", port) as wire:
                await ask(wire, "PING")
                return (await outcome(build(REDIS, {"redis": f"127.0.0.1:{port}"})))[0]

        reason = asyncio.run(story())
    assert reason.startswith(("it has as many clients as it takes: ERR max number of clients", "connection reset"))


def test_over_tls_the_certificate_must_be_trusted(tmp_path: Path) -> None:
    self_signed(tmp_path)
    port = free_port()
    tls = ("--tls-port", str(port), "--tls-auth-clients", "no")
    files = ("--tls-cert-file", f"{tmp_path}/cert.pem", "--tls-key-file", f"{tmp_path}/key.pem")
    with redis_server(tmp_path, *tls, *files):
        url = f"rediss://localhost:{port}"
        assert seen(url)[0] == "the certificate is self-signed"
        assert seen(url, {"verify": False})[0] == ""


@pytest.mark.parametrize(
    ("answer", "reason", "named"),
    [
        (b"", "connection closed before an answer", "unreachable"),
        (b"+PO", "connection closed in the middle of the answer", "wrong_answer"),
        (b"+PANG\r\n", "PING was answered with 'PANG', expected 'PONG'", "wrong_answer"),
        (b"HTTP/1.1 400 Bad\r\n\r\n", "not a Redis answer: it begins with 'HTTP/1.1 400 Bad'", "wrong_answer"),
        (b"$-1\r\n", "not a Redis answer: it begins with '$-1'", "wrong_answer"),
        (b"$4\r\nPO", "connection closed in the middle of the answer", "wrong_answer"),
        (b"$9999999999\r\nx", "an answer of more than 1024 KiB", "wrong_answer"),
        (b"+" + b"x" * 100_000, "a line of more than 4 KiB", "wrong_answer"),
        (b"-BUSY Redis is busy\r\n", "a script keeps it busy: BUSY Redis is busy", "hung"),
        (b"-ODD things\x07happen\r\n", "it answered with an error: ODD things?happen", "wrong_answer"),
    ],
)
def test_what_no_server_should_say_is_told_in_words(answer: bytes, reason: str, named: str) -> None:
    assert seen_of(replying(answer)) == (reason, named)


def test_numbers_that_are_none_are_no_signals() -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"PING\r\n")
        writer.write(b"+PONG\r\n")
        await reader.readuntil(b"INFO\r\n")
        info = b"used_memory:" + b"9" * 400 + b"\r\nconnected_clients:many\r\nmaxmemory:0\r\ndb0:keys=nan,x\r\nodd\r\n"
        writer.write(b"$%d\r\n%b\r\n" % (len(info), info))
        await reader.read()

    async def story() -> tuple[str, Mapping[str, float]]:
        async with serving(handler) as port:
            table = {"redis": f"127.0.0.1:{port}", "max_memory_share": 0.1, "max_clients_share": 0.1}
            return await outcome(build(REDIS, table))

    reason, signals = asyncio.run(story())
    assert (reason, set(signals)) == ("", {"latency", "keys", "replicas"})


def test_an_address_is_read() -> None:
    assert read_place("redis://h") == Place("h", 6379, tls=False, user="", password=None, database=None)
    assert read_place("rediss://u:p%2F@[::1]:7/2") == Place("::1", 7, tls=True, user="u", password="p/", database="2")
    assert read_place("h:1") == Place("h", 1, tls=False, user="", password=None, database=None)


@pytest.mark.parametrize(
    "redis",
    [
        "localhost",
        "http://:geheim@a",
        "redis://:geheim@",
        "redis://:geheim@a:0",
        "redis://:geheim@a:x",
        "redis://:geheim@a/one",
        "redis://:geheim@a/1?x=2",
    ],
)
def test_what_is_no_address_is_refused_in_words_without_the_secret(redis: str) -> None:
    with pytest.raises(ValidationError) as caught:
        REDIS.model.model_validate({"redis": redis})
    assert all("geheim" not in error["msg"] for error in caught.value.errors())


def test_a_password_is_nowhere_to_be_read() -> None:
    assert "geheim" not in repr(read_place("redis://:geheim@a"))
