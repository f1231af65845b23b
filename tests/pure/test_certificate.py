"""Are the dates of a certificate read as they stand in it, and is whatever is none told as an error?"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from selfheal.observe.certificate import Certificate

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))  # it signs the same in the same way
OLDEST, NEWEST = datetime(1950, 1, 1, tzinfo=UTC).timestamp(), datetime(9999, 12, 31, tzinfo=UTC).timestamp()


def made(begin: datetime, end: datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "example.org")])
    builder = x509.CertificateBuilder(name, name, KEY.public_key(), 7, begin, end)
    return builder.sign(KEY, None).public_bytes(Encoding.DER)


def written(begin: str, end: str, version: bool = True) -> bytes:
    """As much of a certificate as is read, with dates as they are spelt."""

    def element(tag: int, content: bytes) -> bytes:
        return bytes([tag, len(content)]) + content

    def time(text: str) -> bytes:
        return element(0x17 if len(text) == len("YYMMDDHHMMSSZ") else 0x18, text.encode())

    start = (element(0xA0, b"\x02\x01\x02") if version else b"") + element(2, b"\x07")
    return element(0x30, element(0x30, start + 2 * element(0x30, b"") + element(0x30, time(begin) + time(end))))


@given(st.lists(st.integers(int(OLDEST), int(NEWEST)), min_size=2, max_size=2).map(sorted))
def test_dates_are_those_that_were_written(dates: list[int]) -> None:
    begin, end = dates
    der = made(datetime.fromtimestamp(begin, UTC), datetime.fromtimestamp(end, UTC))
    assert Certificate.read(der) == Certificate(begin, end, hashlib.sha256(der).hexdigest())


def test_two_digits_of_a_year_are_those_from_1950_to_2049() -> None:
    for version in (True, False):
        read = Certificate.read(written("500101000000Z", "491231235959Z", version))
        assert read.not_before == datetime(1950, 1, 1, tzinfo=UTC).timestamp()
        assert read.not_after == datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("date", ["20240230000000Z", "2024010100000", "YYMMDDHHMMSSZ", "20240101000000+0100", ""])
def test_what_is_no_date_is_an_error(date: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Certificate.read(written("240101000000Z", date))


@given(st.binary(max_size=200))
def test_what_is_no_certificate_is_an_error(der: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Certificate.read(der)


@given(st.data())
def test_a_damaged_certificate_is_read_or_an_error(data: st.DataObject) -> None:
    der = bytearray(made(datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)))
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, 120))] = data.draw(st.integers(0, 255))
    try:
        Certificate.read(bytes(der[: data.draw(st.integers(0, len(der)))]))
    except ValueError:
        pass
