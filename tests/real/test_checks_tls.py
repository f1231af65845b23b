"""Does the TLS check say of every certificate what is wrong with it, and how long it is good?"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import ValidationError

from selfheal.observe.tls import TLS
from tests.real.certificates import for_server, good_for, signed_by_itself, trusting
from tests.real.counterparts import program
from tests.real.daemon_process import free_port
from tests.real.foreground import running
from tests.real.servers import Handler, build, outcome, serving, silent, told

DAY = 86400.0


@pytest.fixture(scope="module")
def authority() -> Iterator[trustme.CA]:
    made = trustme.CA(organization_name="Authority of the tests")
    with trusting(made):
        yield made


@pytest.fixture(scope="module")
def leaf(authority: trustme.CA) -> trustme.LeafCert:
    """A good one, for 30 days and a half."""
    return good_for(authority, 30.5)


def seen(
    tls: ssl.SSLContext | None, table: Mapping[str, object] | None = None, host: str = "localhost",
    handler: Handler = silent,
) -> tuple[str, Mapping[str, float]]:  # fmt: skip
    async def story() -> tuple[str, Mapping[str, float]]:
        # The server's own complaint about a client that does not trust it is not what is tested.
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        async with serving(handler, tls) as port:
            return await outcome(build(TLS, {"tls": f"{host}:{port}", **(table or {})}))

    return asyncio.run(story())


def test_a_good_certificate_is_well_and_its_time_is_told(leaf: trustme.LeafCert) -> None:
    for host in ("localhost", "127.0.0.1"):
        reason, signals = seen(for_server(leaf), host=host)
        assert reason == ""
        assert set(signals) == {"latency", "tls_expires_in"}
        assert 0 < signals["latency"] < 5
        assert 30.4 * DAY < signals["tls_expires_in"] < 30.5 * DAY


def test_one_that_ends_soon_is_told_in_good_time(leaf: trustme.LeafCert) -> None:
    reason, signals = seen(for_server(leaf), {"expires_in": "31d"})
    assert reason == "the certificate expires in 30.5 days, expected at least 31 days"
    assert signals["tls_expires_in"] > 30 * DAY


def test_one_that_has_ended_is_told_with_since_when_whether_it_is_verified_or_not(authority: trustme.CA) -> None:
    expired = for_server(good_for(authority, -3))
    for verify in (True, False):
        reason, signals = seen(expired, {"verify": verify, "expires_in": 0})
        assert reason == "the certificate expired 3 days ago"
        assert -3.1 * DAY < signals["tls_expires_in"] < -3 * DAY


def test_one_that_begins_later_is_told_with_when(authority: trustme.CA) -> None:
    early = for_server(good_for(authority, 30, old_days=-5.5))
    for verify in (True, False):
        assert seen(early, {"verify": verify})[0] == "the certificate is not yet valid: it will be in 5.5 days"


def test_one_for_another_host_is_told_with_its_names(authority: trustme.CA) -> None:
    reason, signals = seen(for_server(good_for(authority, 30, "a.example", "*.b.example")))
    assert reason == "the certificate is not for 'localhost' but for a.example, *.b.example"
    assert signals["tls_expires_in"] > 29 * DAY
    assert seen(for_server(good_for(authority, 30, "localhost")), host="127.0.0.1")[0] == (
        "the certificate is not for '127.0.0.1' but for localhost"
    )
    many = good_for(authority, 30, *(f"{letter}.example" for letter in "abcdef"))
    assert seen(for_server(many))[0].endswith("for a.example, b.example, c.example, d.example and 2 more")


def test_the_name_that_is_asked_for_may_be_another_than_that_of_the_host(authority: trustme.CA) -> None:
    asked: list[str | None] = []
    tls = for_server(good_for(authority, 30, "www.example.org"))
    tls.sni_callback = lambda connection, name, context: asked.append(name)
    assert seen(tls, {"server_name": "www.example.org"})[0] == ""
    assert asked == ["www.example.org"]


def test_one_by_an_authority_that_nobody_knows_is_told(authority: trustme.CA) -> None:
    stranger = trustme.CA()
    alone = good_for(stranger, 30)
    reason, signals = seen(for_server(alone))
    assert reason == "the certificate's authority is unknown here, or its own certificate is not sent"
    assert signals["tls_expires_in"] > 29 * DAY
    with_chain = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    both = alone.private_key_and_cert_chain_pem.bytes() + stranger.cert_pem.bytes()
    with trustme.Blob(both).tempfile() as file:
        with_chain.load_cert_chain(file)
    reason, signals = seen(with_chain)
    assert reason.startswith("the certificate's authority is unknown here: its chain ends in a self-signed one")
    assert signals["tls_expires_in"] > 29 * DAY
    assert seen(with_chain, {"verify": False})[0] == ""


def server_of(file: Path) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.set_ciphers("DEFAULT:@SECLEVEL=0")  # with which the server itself would take a small key
    tls.load_cert_chain(file)
    return tls


def test_one_that_nobody_else_signed_is_told_unless_it_is_the_one_that_is_wanted(
    authority: trustme.CA, tmp_path: Path
) -> None:
    file = signed_by_itself(tmp_path, ec.generate_private_key(ec.SECP256R1()))
    assert seen(server_of(file))[0] == "the certificate is self-signed"
    digits = hashlib.sha256(
        ssl.PEM_cert_to_DER_cert(file.read_text().partition("-----END PRIVATE KEY-----\n")[2])
    ).hexdigest()
    spelt = ":".join(digits[at : at + 2] for at in range(0, 64, 2)).upper()
    table = {"verify": False, "expires_in": "1d"}
    assert seen(server_of(file), {**table, "sha256": spelt})[0] == ""
    reason, signals = seen(server_of(file), {**table, "sha256": "0" * 64})
    assert reason == f"another certificate is shown, with sha256 {digits}"
    assert signals["tls_expires_in"] > DAY


def test_a_weak_key_is_told(authority: trustme.CA, tmp_path: Path) -> None:
    file = signed_by_itself(tmp_path, rsa.generate_private_key(65537, 1024))
    assert seen(server_of(file))[0] == "the certificate's key is too weak"


def test_what_is_agreed_on_must_be_new_enough(leaf: trustme.LeafCert) -> None:
    older = for_server(leaf)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert seen(older)[0] == ""
    assert seen(older, {"min_version": "TLSv1.3"})[0] == "it agrees on TLSv1.2, expected TLSv1.3 or newer"


def test_a_server_that_speaks_only_what_is_too_old_is_told(leaf: trustme.LeafCert) -> None:
    oldest = for_server(leaf)
    oldest.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what Python says of it too
        oldest.minimum_version = oldest.maximum_version = ssl.TLSVersion.TLSv1_1

    def refuse_once(server: socket.socket) -> None:
        """In a thread: asyncio's servers hang up before they have said why."""
        with server.accept()[0] as accepted, suppress(ssl.SSLError):
            oldest.wrap_socket(accepted, server_side=True).close()

    async def story(server: socket.socket) -> str:
        check = build(TLS, {"tls": f"localhost:{server.getsockname()[1]}"})
        (reason, _), _ = await asyncio.gather(outcome(check), asyncio.to_thread(refuse_once, server))
        return reason

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        assert asyncio.run(story(server)) == "no TLS connection: it speaks no TLS 1.2 or newer"


def test_who_speaks_no_tls_is_quoted() -> None:
    async def greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read(-1)

    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x16\x03\x03\x00\x05hello")
        await reader.read(-1)

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"\x16\x03\x03\x40\x00" + b"\0" * 0x4000)
            await writer.drain()

    assert seen(None, handler=greeting)[0] == "not TLS: it says '220 mail.example ESMTP'"
    assert seen(None, handler=garbage)[0].startswith("no TLS connection: ")
    assert seen(None, handler=endless)[0] == "it sends more than 1024 KiB in the TLS handshake"


def test_who_hangs_up_and_who_is_not_there_is_unreachable() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(200)

    reason, _ = seen(None, handler=hang_up)
    assert reason in ("connection closed during the TLS handshake", "connection reset by the other side")
    nobody = build(TLS, {"tls": f"127.0.0.1:{free_port()}"})
    assert asyncio.run(told(nobody)) == ("connection refused", {}, "unreachable")


def test_a_server_that_is_silent_is_left_without_a_trace() -> None:
    async def story() -> None:
        async with serving(silent) as port:
            with pytest.raises(TimeoutError):
                await outcome(build(TLS, {"tls": f"127.0.0.1:{port}"}), limit_s=0.05)

    asyncio.run(story())


def test_a_second_look_that_shows_nothing_does_not_hide_what_the_first_has_shown(authority: trustme.CA) -> None:
    tls = for_server(good_for(authority, -3))

    async def story() -> str:
        async with serving(silent, tls) as good, serving(silent) as bad:
            took: list[int] = []

            async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                """The first connection leads to the server, the second nowhere."""
                took.append(good if not took else bad)
                there, back = await asyncio.open_connection("127.0.0.1", took[-1])
                try:
                    async with asyncio.TaskGroup() as both:
                        both.create_task(carry(reader, back))
                        both.create_task(carry(there, writer))
                finally:
                    back.close()

            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
            async with serving(between) as port:
                return (await outcome(build(TLS, {"tls": f"localhost:{port}", "timeout": "200ms"})))[0]

    assert asyncio.run(story()) == "the certificate, or one of its chain, has expired"


NGINX = """
daemon off; master_process off; error_log stderr; pid {folder}/pid;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  ssl_certificate_key {folder}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
  server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/chain.pem; }}
  server {{ listen 127.0.0.1:{alone} ssl; ssl_certificate {folder}/alone.pem; }}
}}
"""


def test_a_chain_is_followed_and_missed_where_it_is_not_sent(authority: trustme.CA, tmp_path: Path) -> None:
    leaf = good_for(authority.create_child_ca(), 30)
    chain = [blob.bytes() for blob in leaf.cert_chain_pems]
    (tmp_path / "chain.pem").write_bytes(b"".join(chain))
    (tmp_path / "alone.pem").write_bytes(chain[0])
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    port, alone = free_port(), free_port()
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path, port=port, alone=alone))
    command = (program("nginx", "nginx-light"), "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"))
    with running(*command, port=port):
        table = {"tls": f"127.0.0.1:{port}", "min_version": "TLSv1.3"}
        assert asyncio.run(outcome(build(TLS, table)))[0] == ""
        reason, signals = asyncio.run(outcome(build(TLS, {"tls": f"127.0.0.1:{alone}"})))
    assert reason == "the certificate's authority is unknown here, or its own certificate is not sent"
    assert signals["tls_expires_in"] > 29 * DAY


async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(4096):
        target.write(data)
        await target.drain()


@pytest.mark.parametrize(
    "table",
    [
        {"tls": "localhost"},
        {"tls": "a:1", "sha256": "12:34"},
        {"tls": "a:1", "server_name": "a b"},
        {"tls": "a:1", "server_name": f"{'a' * 64}.example"},
        {"tls": "a:1", "min_version": "SSLv3"},
        {"tls": "a:1", "starttls": "http"},
        {"tls": "a:1", "expires_in": "-1d"},
    ],
)
def test_what_cannot_be_asked_is_refused(table: object) -> None:
    with pytest.raises(ValidationError):
        TLS.model.model_validate(table)
