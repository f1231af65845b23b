"""Does the HTTP check over TLS trust whom it should, and nobody else?"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from selfheal.errors import CheckFailed
from selfheal.net import Dialer
from selfheal.observe.http import HTTP
from selfheal.observe.http_client import get
from tests.real.certificates import signed_by_itself, trusting
from tests.real.servers import Handler, answering, build, outcome, page, serving

DAY_S = 86400.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody else signed, with its key in the same file."""
    return signed_by_itself(tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1()))


def over_tls(certificate: Path, story: Callable[[int], Awaitable[None]], handler: Handler | None = None) -> None:
    async def run() -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        async with serving(handler or answering(page(b"ok")), tls) as port:
            # The server's own complaint about a client that hangs up is not what is tested.
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
            await story(port)

    asyncio.run(run())


def test_a_certificate_that_nobody_signed_is_not_trusted_unless_told_to(certificate: Path) -> None:
    async def story(port: int) -> None:
        table = {"http": f"https://localhost:{port}/", "expect": {"body": "ok"}}
        reason, _ = await outcome(build(HTTP, table))
        assert reason == "the certificate is self-signed"
        assert (await outcome(build(HTTP, {**table, "verify": False})))[0] == ""

    over_tls(certificate, story)


def test_a_trusted_certificate_is_accepted_for_its_own_names_only(
    certificate: Path,
) -> None:
    async def story(port: int) -> None:
        assert (await get(f"https://localhost:{port}/", Dialer(), timeout_s=5.0)).body == b"ok"
        with pytest.raises(CheckFailed, match=r"^the certificate is not for '127\.0\.0\.1'"):
            await get(f"https://127.0.0.1:{port}/", Dialer(), timeout_s=5.0)

    with trusting(certificate):
        over_tls(certificate, story)


def test_a_server_that_hangs_up_during_the_handshake_is_a_failure() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(5)

    async def story() -> None:
        async with serving(hang_up) as port:
            reason, _ = await outcome(build(HTTP, {"http": f"https://localhost:{port}/"}))
            assert reason in ("connection closed during the TLS handshake", "connection reset by the other side")

    asyncio.run(story())


def test_plain_http_at_a_tls_port_and_the_other_way_round_are_said_as_they_are(certificate: Path) -> None:
    async def plain_at_tls(port: int) -> None:
        reason, _ = await outcome(build(HTTP, {"http": f"http://localhost:{port}/"}))
        assert reason.startswith(("connection closed", "connection reset", "not an HTTP answer"))

    async def tls_at_plain() -> None:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(page(b"ok"))
            await reader.read(-1)

        async with serving(speak) as port:
            reason, _ = await outcome(build(HTTP, {"http": f"https://localhost:{port}/", "verify": False}))
            assert reason.startswith("no TLS connection: ")

    over_tls(certificate, plain_at_tls)
    asyncio.run(tls_at_plain())


def test_a_certificate_that_ends_too_soon_is_told_and_its_time_is_measured(certificate: Path) -> None:
    async def story(port: int) -> None:
        table = {"http": f"https://localhost:{port}/", "verify": False}
        reason, signals = await outcome(build(HTTP, {**table, "tls_expires_in": "1d"}))
        assert reason == ""
        assert 1.9 * DAY_S < signals["tls_expires_in"] <= 2 * DAY_S
        reason, signals = await outcome(build(HTTP, {**table, "tls_expires_in": "3d"}))
        assert reason.startswith("the certificate expires in 48 h, expected at least 3 days")
        assert signals["status"] == 200.0

    over_tls(certificate, story)
