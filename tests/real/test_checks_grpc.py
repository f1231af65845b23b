"""Does the gRPC check understand what gRPC's own server says?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2
from pydantic import ValidationError

from selfheal.observe.grpc import GRPC
from selfheal.observe.grpc_client import decoded, encoded, framed
from tests.real.certificates import self_signed, trusting
from tests.real.daemon_process import free_port
from tests.real.foreground import started
from tests.real.servers import answering, build, outcome, serving, told

PROGRAM = Path(__file__).with_name("grpc_server.py")


def grpc_server(*words: str) -> Iterator[int]:
    with started([sys.executable, str(PROGRAM), *words], ready="\n") as line:
        yield int(line)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    yield from grpc_server("health", "")


@pytest.fixture(scope="module")
def without_health() -> Iterator[int]:
    yield from grpc_server("nothing", "")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    folder = self_signed(tmp_path_factory.mktemp("tls"))
    for port in grpc_server("health", "Bearer sesame", str(folder)):
        yield port, folder


def seen(port: int, table: Mapping[str, object] | None = None) -> tuple[str, Mapping[str, float], str | None]:
    check = build(GRPC, {"grpc": f"localhost:{port}", **(table or {})})
    return asyncio.run(told(check))


@pytest.mark.parametrize("service", ["", "up" * 100])
def test_a_server_and_a_service_that_serve_are_well_and_the_time_is_measured(port: int, service: str) -> None:
    reason, signals, named = seen(port, {"service": service})
    assert (reason, list(signals), named) == ("", ["latency"], None)
    assert 0 < signals["latency"] < 5


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ("down", "service 'down' is NOT_SERVING, expected SERVING"),
        ("odd", "service 'odd' is UNKNOWN, expected SERVING"),
        ("lost", "service 'lost' is SERVICE_UNKNOWN, expected SERVING"),
    ],
)
def test_any_other_status_is_told_and_still_measured(port: int, service: str, reason: str) -> None:
    told, signals, named = seen(port, {"service": service})
    assert (told, list(signals), named) == (reason, ["latency"], "wrong_answer")


def test_a_service_that_nobody_knows_is_told(port: int) -> None:
    assert seen(port, {"service": "ghost"})[::2] == (
        "it knows no such service, grpc-status NOT_FOUND",
        "wrong_answer",
    )


def test_a_server_without_the_health_service_is_told(without_health: int) -> None:
    reason, _, named = seen(without_health)
    assert reason.startswith("it has no health service, grpc-status UNIMPLEMENTED")
    assert named == "wrong_answer"


def test_tls_wants_a_certificate_to_trust_and_metadata_opens(guarded: tuple[int, Path]) -> None:
    port, folder = guarded
    table = {"secure": True, "metadata": {"authorization": "Bearer sesame"}}
    assert seen(port, table)[0] == "the certificate is self-signed"
    assert seen(port, {**table, "verify": False})[0] == ""
    with trusting(folder / "cert.pem"):
        assert seen(port, table)[0] == ""
    assert seen(port, {"secure": True, "verify": False})[::2] == (
        "grpc-status UNAUTHENTICATED: who are you? 100 %",
        "credential_expired",
    )


def test_plain_http2_at_a_tls_port_is_told(guarded: tuple[int, Path]) -> None:
    assert seen(guarded[0])[0].startswith(("connection closed", "connection reset", "not an HTTP/2 answer"))


def test_tls_at_a_plain_port_is_told(port: int) -> None:
    assert seen(port, {"secure": True, "verify": False})[0].startswith("not TLS: it begins with the bytes 00 00 ")


def test_what_speaks_http1_is_told_by_how_it_begins() -> None:
    async def story() -> str:
        async with serving(answering(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")) as port:
            return (await outcome(build(GRPC, {"grpc": f"127.0.0.1:{port}"})))[0]

    reason = asyncio.run(story())
    assert reason == "not an HTTP/2 answer: it begins with 'HTTP/1.1 400 Bad Request Connection: cl'"


def test_nobody_at_the_port_is_a_refusal() -> None:
    assert seen(free_port()) == ("connection refused", {}, "unreachable")


def test_the_messages_are_what_protobuf_makes_of_them() -> None:
    for service in ("", "a.b.C", "x" * 300, "größer"):
        assert encoded(service) == health_pb2.HealthCheckRequest(service=service).SerializeToString()
    for status in range(4):
        assert decoded(health_pb2.HealthCheckResponse(status=status).SerializeToString()) == status
    assert framed(b"abc") == b"\0\0\0\0\3abc"


def test_fields_of_a_later_version_are_passed_over() -> None:
    later = b"\x12\x03abc" + b"\x19" + bytes(8) + b"\x25" + bytes(4) + b"\x28\xff\x01"
    assert decoded(later + b"\x08\x01" + later) == 1


@pytest.mark.parametrize("message", [b"\x08", b"\x08" + b"\xff" * 20, b"\x12\x7fabc", b"\x0b\x01", b"\x1d\x00"])
def test_what_is_no_message_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(it is cut short|a number has no end|no field has the wire type 3)$"):
        decoded(message)


@pytest.mark.parametrize(
    "table",
    [
        {"grpc": "localhost"},
        {"grpc": "a:1", "metadata": {"Authorization": "upper case"}},
        {"grpc": "a:1", "metadata": {"grpc-timeout": "1S"}},
        {"grpc": "a:1", "metadata": {"trace-bin": "AA"}},
        {"grpc": "a:1", "metadata": {"x": "two\nlines"}},
    ],
)
def test_what_cannot_be_sent_is_refused_and_not_repeated(table: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as caught:
        GRPC.model.model_validate(table)
    assert "lines" not in str(caught.value)


def test_metadata_is_nowhere_to_be_read() -> None:
    table = {"grpc": "a:1", "metadata": {"authorization": "sesame"}}
    assert "sesame" not in repr(GRPC.model.model_validate(table)) + repr(build(GRPC, table))
