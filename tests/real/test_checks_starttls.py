"""Do the checks bring a connection from plain text to TLS as each protocol has it, and say where that ends?

Small servers that really speak and really upgrade, and a real PostgreSQL.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping

import pytest
import trustme
from pydantic import ValidationError

from selfheal.observe.tcp import TCP
from selfheal.observe.tls import TLS
from tests.real.certificates import for_server, good_for, trusting
from tests.real.postgres_server import Cluster, cluster
from tests.real.processes import open_files, until
from tests.real.servers import Handler, answering, build, outcome, page, serving, silent, told, within

# What a server of each protocol says first, and what it says to each line, up to the handshake.
Script = tuple[bytes, Mapping[bytes, bytes]]
SCRIPTS: Mapping[str, Script] = {
    "smtp": (
        b"220-mail.example ESMTP\r\n220 at your service\r\n",
        {
            b"EHLO [127.0.0.1]\r\n": b"250-mail.example\r\n250-PIPELINING\r\n250-starttls\r\n250 HELP\r\n",
            b"STARTTLS\r\n": b"220 go ahead\r\n",
        },
    ),
    "imap": (
        b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n",
        {b"a STARTTLS\r\n": b"* CAPABILITY IMAP4rev1\r\na OK begin\r\n"},
    ),
    "pop3": (b"+OK ready\r\n", {b"STLS\r\n": b"+OK begin\r\n"}),
    "ftp": (b"220-ftp.example\r\nwelcome\r\n220 ready\r\n", {b"AUTH TLS\r\n": b"234 begin\r\n"}),
}
AFTERWARDS = b"NOOP\r\n"


@pytest.fixture(scope="module")
def authority() -> Iterator[trustme.CA]:
    made = trustme.CA()
    with trusting(made):
        yield made


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return for_server(good_for(authority, 30.5))


def speaking(script: Script, tls: ssl.SSLContext | None) -> Handler:
    """A server of lines that says its lines, upgrades after the last of them, and then answers once more."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting, answers = script
        writer.write(greeting)
        for asked, answer in answers.items():
            assert await reader.readline() == asked
            writer.write(answer)
            await writer.drain()
        if tls is not None:
            await writer.start_tls(tls)
            if await reader.readline() == AFTERWARDS:
                writer.write(b"well and encrypted\r\n")
        await reader.read(-1)

    return handler


def saying(*words: bytes) -> Handler:
    """A server that says one thing at once and one after each thing that it hears; amid a line it hangs up."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for said in words:
            writer.write(said)
            await writer.drain()
            if said.endswith(b"\n"):
                await reader.read(1024)

    return handler


def seen(handler: Handler, table: Mapping[str, object], tls: ssl.SSLContext | None = None) -> str:
    async def story() -> str:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        async with serving(handler, tls) as port:
            return (await outcome(build(TCP, {"tcp": f"localhost:{port}", **table})))[0]

    return asyncio.run(story())


@pytest.mark.parametrize("protocol", SCRIPTS)
def test_a_server_of_each_protocol_is_brought_to_tls_and_spoken_to(protocol: str, tls: ssl.SSLContext) -> None:
    table = {"starttls": protocol, "send": AFTERWARDS.decode(), "expect": "/^well and encrypted/"}
    assert seen(speaking(SCRIPTS[protocol], tls), table) == ""


@pytest.mark.parametrize("protocol", SCRIPTS)
def test_its_certificate_is_looked_at_too(protocol: str, tls: ssl.SSLContext) -> None:
    async def story() -> tuple[str, Mapping[str, float]]:
        async with serving(speaking(SCRIPTS[protocol], tls)) as port:
            return await outcome(build(TLS, {"tls": f"127.0.0.1:{port}", "starttls": protocol}))

    reason, signals = asyncio.run(story())
    assert reason == ""
    assert signals["tls_expires_in"] > 30 * 86400


def test_tls_from_the_start_is_asked_for_as_secure(tls: ssl.SSLContext) -> None:
    table = {"secure": True, "send": "GET / HTTP/1.0\r\n\r\n", "expect": "ready"}
    assert seen(answering(page(b"ready")), table, tls) == ""
    assert seen(answering(page(b"x" * 60_000 + b"ready")), table, tls) == ""
    assert seen(answering(page(b"no")), table, tls).startswith("expected 'ready', it said 'HTTP/1.1 200 OK")
    assert seen(answering(b""), table, tls) == "expected 'ready', it said nothing"


def test_the_certificate_must_be_for_the_name_unless_told_otherwise(tls: ssl.SSLContext) -> None:
    table: dict[str, object] = {"secure": True, "server_name": "db.example"}
    assert seen(speaking((b"", {}), None), table, tls) == "the certificate is not for 'db.example'"
    assert seen(speaking((b"", {}), None), {**table, "verify": False}, tls) == ""


def test_a_server_that_speaks_no_tls_is_quoted() -> None:
    assert seen(saying(b"220 hello\r\n"), {"secure": True}) == "not TLS: it says '220 hello'"


@pytest.mark.parametrize(
    ("protocol", "said", "reason"),
    [
        ("smtp", (b"554 go away\r\n",), "expected a greeting with 220, it said '554 go away'"),
        ("smtp", (b"220 a\r\n", b"250-a\r\n250 HELP\r\n"), "it does not offer STARTTLS"),
        ("smtp", (b"220 a\r\n", b"502 what?\r\n"), "expected 250 to EHLO, it said '502 what?'"),
        ("smtp", (b"220 a\r\n", b"250 STARTTLS\r\n", b"454 no\r\n"), "expected 220 to STARTTLS, it said '454 no'"),
        ("smtp", (b"220-a\r\n" * 200,), "it sends a reply of more than 100 lines"),
        ("smtp", (b"\xff\xfe" * 10_000,), "a line of more than 4 KiB"),
        ("imap", (b"* BYE full\r\n",), "expected a greeting with '* OK', it said '* BYE full'"),
        ("imap", (b"* OK hi\r\n", b"a BAD what\r\n"), "expected 'a OK' to STARTTLS, it said 'a BAD what'"),
        ("imap", (b"* OK hi\r\n", b"* more\r\n" * 200), "expected 'a OK' to STARTTLS, it said '* more'"),
        ("pop3", (b"-ERR no\r\n",), "expected a greeting with '+OK', it said '-ERR no'"),
        ("pop3", (b"+OK hi\r\n", b"-ERR no\r\n"), "expected '+OK' to STLS, it said '-ERR no'"),
        ("ftp", (b"220 hi\r\n", b"534 no\r\n"), "expected 234 to AUTH, it said '534 no'"),
        ("ftp", (b"220 a\r\n", b"234 a\r\n230 in\r\n"), "expected nothing before the TLS handshake, it said '230 in'"),
        ("ftp", (b"220 hi\r\n", b"234 ok\r\n"), "connection closed during the TLS handshake"),
        ("ftp", (b"220 hi",), "connection closed in the middle of the answer"),
        ("ftp", (b"",), "connection closed before an answer"),
    ],
)  # fmt: skip
def test_where_the_conversation_ends_is_told(protocol: str, said: tuple[bytes, ...], reason: str) -> None:
    assert seen(saying(*said), {"starttls": protocol}) == reason


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


def test_a_postgresql_is_brought_to_tls(servers: Cluster, authority: trustme.CA) -> None:
    file = servers.folder / "server.pem"
    good_for(authority, 30).private_key_and_cert_chain_pem.write_to_path(str(file))
    servers.give(file)
    with servers.serving({"ssl": "on", "ssl_cert_file": file, "ssl_key_file": file}) as port:
        table = {"tcp": f"127.0.0.1:{port}", "starttls": "postgres"}
        assert asyncio.run(outcome(build(TCP, table)))[0] == ""
        # What comes back to a start-up packet of a version that it does not know came through TLS.
        packet = {"send": "\0\0\0\x08\0\x09\0\0", "expect": "unsupported frontend protocol"}
        assert asyncio.run(outcome(build(TCP, {**table, **packet})))[0] == ""
        other = build(TCP, {**table, "server_name": "db.example"})
        assert asyncio.run(outcome(other))[0] == "the certificate is not for 'db.example'"


def test_a_postgresql_without_tls_says_so(servers: Cluster) -> None:
    with servers.serving({"ssl": "off"}) as port:
        check = build(TCP, {"tcp": f"127.0.0.1:{port}", "starttls": "postgres"})
        reason, _, named = asyncio.run(told(check))
    assert (reason, named) == ("the PostgreSQL server has no TLS: it answers 'N' to SSLRequest", "wrong_answer")


def test_what_is_no_postgresql_is_quoted() -> None:
    async def strange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"-ERR unknown command\r\n")
        await reader.read(-1)

    assert seen(strange, {"starttls": "postgres"}) == "not a PostgreSQL answer: it begins with '-ERR unknown command'"


@pytest.mark.parametrize(
    ("handler", "table"),
    [
        (silent, {"starttls": "smtp"}),
        (silent, {"starttls": "postgres"}),
        (silent, {"secure": True}),
        (saying(b"220 a\r\n", b"234 a\r\n", b"\x16\x03\x03\n"), {"starttls": "ftp"}),
    ],
)
def test_a_server_that_falls_silent_is_left_without_a_trace(handler: Handler, table: Mapping[str, object]) -> None:
    async def story() -> None:
        async with serving(handler) as port:
            before = open_files()
            with within() as given, pytest.raises(TimeoutError):
                await outcome(build(TCP, {"tcp": f"127.0.0.1:{port}", **table}, given), limit_s=0.05)
            await until(lambda: open_files() <= before)  # the server's side too

    asyncio.run(story())


def test_what_cannot_be_asked_is_refused() -> None:
    for table in ({"secure": True, "starttls": "smtp"}, {"verify": False}, {"server_name": "a"}, {"starttls": "ssh"}):
        with pytest.raises(ValidationError):
            TCP.model.model_validate({"tcp": "localhost:1", **table})
