"""What becomes of the PostgreSQL check where no server should be so, and how does it prove a password?"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from selfheal.data.postgres_place import read_place
from selfheal.observe import scram
from selfheal.observe.postgres import POSTGRES
from selfheal.observe.postgres_client import MAX_MESSAGES
from tests.real.servers import Handler, build, replying, serving, told


def seen_of(handler: Handler, more: str = "?sslmode=disable") -> tuple[str, str | None]:
    async def story() -> tuple[str, str | None]:
        async with serving(handler) as port:
            check = build(POSTGRES, {"postgres": f"postgresql://u:geheim@127.0.0.1:{port}/d{more}"})
            reason, _, named = await told(check)
            return reason, named

    return asyncio.run(story())


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def asking(method: int, more: bytes = b"") -> bytes:
    return message(b"R", struct.pack("!i", method) + more)


SCRAM = asking(10, b"SCRAM-SHA-256\0\0")
LET_IN = asking(0) + message(b"Z", b"I")
BEGUN = message(b"C", b"BEGIN\0") + message(b"Z", b"T")


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ([b""], "connection closed before an answer"),
        ([b"R\0\0"], "connection closed in the middle of the answer"),
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "not a PostgreSQL answer: it begins with 'HTTP/1.1 400 Bad Request'"),
        ([b"\x16\x03\x01\0\0\0\0\0"], "not a PostgreSQL answer: it begins with "),
        ([message(b"E", b"SFATAL\0C57P01\0Mgo away\0\0")], "it shuts down: go away"),
        ([message(b"E", b"")], "error "),
        ([message(b"X", b"")], "a broken PostgreSQL answer: 'X' where it should ask for a password"),
        ([message(b"R", b"\0")], "a broken PostgreSQL answer: unpack_from requires"),
        ([asking(7)], "it wants an unknown way to log in (7)"),
        ([asking(10, b"OTHER\0\0")], "it wants an unknown way to log in (10)"),
        ([SCRAM, asking(11, b"r=x,s=eA==,i=4096")], "a broken PostgreSQL answer: not a challenge of SCRAM"),
        ([SCRAM, asking(0)], "a broken PostgreSQL answer: it asked for a password, and did not look at it"),
        ([LET_IN, BEGUN, message(b"D", b"\0\1\0\0\0\x7fx")], "a broken PostgreSQL answer: a row is cut short"),
        ([LET_IN, BEGUN, message(b"T", b"\xff\xff")], "a broken PostgreSQL answer: "),
        ([LET_IN, BEGUN, b"D\x7f\xff\xff\xff"], "an answer of more than 1024 KiB"),
        ([LET_IN, BEGUN, message(b"N", b"") * MAX_MESSAGES], "more than 10000 messages, and no end of the answer"),
        ([LET_IN, BEGUN, b"D\xff\xff\xff\xff"], "an answer of more than 1024 KiB"),
    ],
)  # fmt: skip
def test_what_no_server_should_say_is_told_in_words(answers: Sequence[bytes], reason: str) -> None:
    assert seen_of(replying(*answers))[0].startswith(reason)


@pytest.mark.parametrize(
    ("answer", "more", "reason"),
    [
        (b"N", "?sslmode=require", "it speaks no TLS, and sslmode is require"),
        (b"", "", "connection closed before an answer"),
        (b"HTTP", "", "not a PostgreSQL answer: it begins with 'HTTP'"),
        (b"Sgarbage", "", "expected nothing before the TLS handshake, it said 'garbage'"),
    ],
)
def test_the_answer_to_the_wish_for_tls_is_looked_at(answer: bytes, more: str, reason: str) -> None:
    assert seen_of(replying(answer), more)[0].startswith(reason)


def test_a_password_is_proved_as_the_rfc_shows_it() -> None:
    """RFC 7677, 3."""
    opening = scram.first("rOprNGfwEbeRWgbNEkqO", "user")
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    proof = scram.prove(opening, f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "pencil")
    assert opening == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    assert proof.message == f"c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert proof.answer == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


@pytest.mark.parametrize("count", ["0", "-1", "1000001", "9" * 5000, "many", ""])
def test_a_server_cannot_make_us_count_for_ever(count: str) -> None:
    with pytest.raises(ValueError, match="not a challenge of SCRAM"):
        scram.prove(scram.first("abc"), f"r=abcd,s=eA==,i={count}", "x")


@pytest.mark.parametrize(
    "postgres",
    [
        "mysql://u:geheim@h/d",
        "postgresql://h/d",
        "postgresql://u:geheim@/d",
        "postgresql://u:geheim@h:0/d",
        "postgresql://u:geheim@h:x/d",
        "postgresql://u:geheim@h/d/e",
        "postgresql://u:geheim@h/d?sslmode=allow",
        "postgresql://u:geheim@h/d?password=geheim",
        "postgresql://u:geheim@h/d?sslmode",
        "postgresql://u:geheim%00@h/d",
    ],
)
def test_what_is_no_url_is_refused_in_words_without_the_secret(postgres: str) -> None:
    with pytest.raises(ValidationError) as caught:
        POSTGRES.model.model_validate({"postgres": postgres})
    assert all("geheim" not in error["msg"] for error in caught.value.errors())


def test_a_password_is_nowhere_to_be_read() -> None:
    place = read_place("postgres://u:ge%2Fheim@h")
    assert (place.password, place.database, place.port, place.sslmode) == ("ge/heim", "u", 5432, "prefer")
    assert "heim" not in repr(place)
