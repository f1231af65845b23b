"""Does the same wrong certificate give the same reason, whichever check meets it?"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trustme

from selfheal.kinds import CheckKind
from selfheal.observe.grpc import GRPC
from selfheal.observe.http import HTTP
from selfheal.observe.postgres import POSTGRES
from selfheal.observe.redis import REDIS
from selfheal.observe.tcp import TCP
from selfheal.observe.websocket import WEBSOCKET
from tests.real.certificates import for_server, good_for, self_signed, server_side, trusting
from tests.real.servers import Handler, build, outcome, serving, silent, told, within

# Every way to meet a certificate, and how an address is written for it.
KINDS: tuple[tuple[CheckKind, str, Mapping[str, object]], ...] = (
    (HTTP, "https://{}/", {}),
    (HTTP, "https://{}/", {"redirects": 1}),
    (TCP, "{}", {"secure": True, "send": "x", "expect": "y"}),
    (GRPC, "{}", {"secure": True}),
    (WEBSOCKET, "wss://{}/", {}),
    (REDIS, "rediss://{}", {}),
    (POSTGRES, "postgresql://u:x@{}/d?sslmode=verify-full", {}),
)
every_kind = pytest.mark.parametrize(
    ("kind", "place", "table"), KINDS, ids=["http", "browsing", "tcp", "grpc", "websocket", "redis", "postgres"]
)


@pytest.fixture(scope="module")
def authority() -> Iterator[trustme.CA]:
    made = trustme.CA()
    with trusting(made):
        yield made


@asynccontextmanager
async def over_tls(kind: CheckKind, tls: ssl.SSLContext) -> AsyncIterator[int]:
    """A server that shows what it has; PostgreSQL's wants to be asked first."""
    asked_first = kind is POSTGRES

    async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        await writer.start_tls(tls)
        await reader.read(-1)

    # The server's own complaint about a client that does not trust it is not what is tested.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    async with serving(asked if asked_first else silent, None if asked_first else tls) as port:
        yield port


Met = tuple[str, str | None]


def met(kind: CheckKind, place: str, table: Mapping[str, object], tls: ssl.SSLContext) -> Met:
    async def story() -> Met:
        async with over_tls(kind, tls) as port:
            with within() as given:
                reason, _, named = await told(
                    build(kind, {kind.name: place.format(f"localhost:{port}"), **table}, given)
                )
                return reason, named

    return asyncio.run(story())


@every_kind
def test_every_check_says_the_same_of_a_certificate(
    authority: trustme.CA, kind: CheckKind, place: str, table: Mapping[str, object], tmp_path: Path
) -> None:
    wrong: Mapping[str, tuple[ssl.SSLContext, str]] = {
        "the certificate, or one of its chain, has expired": (for_server(good_for(authority, -3)), "tls_expired"),
        "the certificate is not for 'localhost'": (for_server(good_for(authority, 30, "a.example")), "tls_untrusted"),
        "the certificate is self-signed": (server_side(self_signed(tmp_path)), "tls_untrusted"),
        "the certificate's authority is unknown here, or its own certificate is not sent": (
            for_server(good_for(trustme.CA(), 30)),
            "tls_untrusted",
        ),
    }
    assert {reason: met(kind, place, table, tls) for reason, (tls, _) in wrong.items()} == {
        reason: (reason, named) for reason, (_, named) in wrong.items()
    }


@pytest.mark.parametrize(("kind", "place", "table"), [KINDS[0], KINDS[2], KINDS[3], KINDS[4], KINDS[5]])
def test_every_check_says_the_same_of_a_server_that_wants_a_certificate_of_ours(
    authority: trustme.CA, kind: CheckKind, place: str, table: Mapping[str, object]
) -> None:
    tls = for_server(good_for(authority, 30))
    tls.verify_mode = ssl.CERT_REQUIRED

    def refuse_once(server: socket.socket) -> None:
        """In a thread: asyncio's servers hang up before they have said why."""
        accepted = tls.wrap_socket(server.accept()[0], server_side=True, do_handshake_on_connect=False)
        with suppress(ssl.SSLError):
            accepted.do_handshake()
        with socket.socket(fileno=accepted.detach()) as plain:
            plain.shutdown(socket.SHUT_WR)
            while plain.recv(1024):  # what was said to it already must not reset what it has said itself
                pass

    async def story(server: socket.socket) -> str:
        address = f"localhost:{server.getsockname()[1]}"
        check = build(kind, {kind.name: place.format(address), **table})
        (reason, _), _ = await asyncio.gather(outcome(check), asyncio.to_thread(refuse_once, server))
        return reason

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        assert asyncio.run(story(server)) == "no TLS connection: tlsv13 alert certificate required"


@every_kind
@pytest.mark.parametrize("said", [b"", b"220 mail.example ESMTP\r\n"], ids=["nothing", "words"])
def test_every_check_says_that_there_is_no_tls(
    kind: CheckKind, place: str, table: Mapping[str, object], said: bytes
) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        if kind is POSTGRES:
            writer.write(b"S")
            await reader.read(8)
        writer.write(said)
        await writer.drain()
        if said:
            await reader.read(-1)

    async def story(handler: Handler) -> str:
        async with serving(handler) as port:
            with within() as given:
                check = build(kind, {kind.name: place.format(f"localhost:{port}"), **table}, given)
                return (await told(check))[0]

    reason = asyncio.run(story(plain))
    if said:
        assert reason.startswith(("not TLS: it says '220 mail.example ESMTP", "no TLS connection: "))
    else:
        assert reason.startswith("connection ")
