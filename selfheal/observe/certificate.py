"""From when to when is a certificate good?

Pure. The standard library takes apart only what it has verified, and the dates of a certificate that is not to be
trusted are the ones most wanted. They stand at a fixed place in its DER (RFC 5280, 4.1).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

from selfheal.observe.wording import span_text

_SEQUENCE = 0x30
_VERSION = 0xA0
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate. Its dates are seconds since the epoch."""

    not_before: float
    not_after: float
    sha256: str

    @classmethod
    def read(cls, der: bytes) -> Certificate:
        """Read a certificate in DER. Raises ValueError where it is none, or its dates are none."""
        begin, end = _dates(der)
        return cls(_seconds(*begin), _seconds(*end), hashlib.sha256(der).hexdigest())


def too_soon(left_s: float, wanted_s: float) -> str:
    """Say that a certificate is not good for as long as it should be."""
    if left_s < 0:
        return f"the certificate expired {span_text(-left_s)} ago"
    return f"the certificate expires in {span_text(left_s)}, expected at least {span_text(wanted_s)}"


_Element = tuple[int, bytes]  # its tag, and what it holds


def _dates(der: bytes) -> tuple[_Element, _Element]:
    """The two dates of `Certificate { tbs { [version], serial, algorithm, issuer, validity { begin, end } … } … }`."""
    signed = _inside(_inside(der))
    tag, _, rest = _first(signed)
    if tag == _VERSION:  # left out by certificates of version 1
        _, _, rest = _first(rest)
    for _ in ("algorithm", "issuer"):
        _, _, rest = _first(rest)
    begin_tag, begin, rest = _first(_inside(rest))
    end_tag, end, _ = _first(rest)
    return (begin_tag, begin), (end_tag, end)


def _inside(der: bytes) -> bytes:
    tag, content, _ = _first(der)
    if tag != _SEQUENCE:
        raise ValueError(f"it has tag {tag:#x} where a sequence was expected")
    return content


def _first(der: bytes) -> tuple[int, bytes, bytes]:
    """The tag and the content of the first element, and what follows it (X.690, 8.1)."""
    if len(der) < 2:
        raise ValueError("it ends too soon")
    tag, size, start = der[0], der[1], 2
    if size & 0x80:
        start = 2 + (size & 0x7F)
        size = int.from_bytes(der[2:start], "big")
    if start + size > len(der):
        raise ValueError("it ends too soon")
    return tag, der[start : start + size], der[start + size :]


def _seconds(tag: int, content: bytes) -> float:
    text = content.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year, from 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"it has tag {tag:#x} where a time was expected")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()
