"""What does TLS ask of the other side, and in which words is that not given?"""

from __future__ import annotations

import ssl
from functools import lru_cache

from selfheal.errors import CheckFailed
from selfheal.observe.wording import excerpt

_RECORDS = range(0x14, 0x19)  # the first byte of whatever speaks TLS
_TOO_OLD = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "WRONG_SSL_VERSION", "VERSION_TOO_LOW"})

# The numbers by which OpenSSL says why (x509_vfy.h).
NOT_YET_VALID, EXPIRED = 9, 10
OTHER_NAME, OTHER_ADDRESS = 62, 64
_WORDS = {
    NOT_YET_VALID: "the certificate, or one of its chain, is not yet valid",
    EXPIRED: "the certificate, or one of its chain, has expired",
    18: "the certificate is self-signed",
    19: "the certificate's authority is unknown here: its chain ends in a self-signed one that is not trusted",
    20: "the certificate's authority is unknown here, or its own certificate is not sent",
    21: "the certificate's authority is unknown here, or its own certificate is not sent",
    66: "the certificate's key is too weak",
    67: "the key of the certificate's authority is too weak",
    68: "the certificate's signature is too weak",
}


class Distrusted(CheckFailed):
    """The certificate is not to be trusted; `code` is OpenSSL's number for why."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason, cause="tls_expired" if code == EXPIRED else "tls_untrusted")
        self.code = code


@lru_cache(maxsize=16)
def tls_context(verify: bool = True, *, check_name: bool = True, alpn: str = "") -> ssl.SSLContext:
    """TLS 1.2 or newer, as a client. With `verify` nothing but a certificate to be trusted will do, and without
    `check_name` one for any other host too; `alpn` is the one protocol that is to be spoken over it.

    One context for all that ask alike: reading the certificates of the machine takes 20 ms and half a megabyte.
    """
    made = ssl.create_default_context() if verify else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # Python's own default, but not that of each distribution
    made.check_hostname = verify and check_name
    made.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
    if alpn:
        made.set_alpn_protocols([alpn])
    return made


def no_tls(why: ssl.SSLError, name: str, said: bytes = b"") -> CheckFailed:
    """Say why there is no TLS with the host of this name, which began with what it `said`, where that is known.

    Distrusted where it is the certificate that stands in the way.
    """
    if isinstance(why, ssl.SSLCertVerificationError):
        return distrusted(why, name)
    if said and said[0] not in _RECORDS:
        return CheckFailed(f"not TLS: it {_begins(said)}", cause="wrong_answer")
    if isinstance(why, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return CheckFailed("connection closed during the TLS handshake", cause="unreachable")
    return CheckFailed(f"no TLS connection: {_reason(why)}", cause="wrong_answer")


def distrusted(why: ssl.SSLCertVerificationError, name: str) -> Distrusted:
    """Say why the certificate that was shown for a name is not to be trusted."""
    code: int = why.verify_code
    if code in (OTHER_NAME, OTHER_ADDRESS):
        return Distrusted(f"the certificate is not for {name!r}", code)
    return Distrusted(_WORDS.get(code, f"the certificate is not to be trusted: {why.verify_message}"), code)


def _begins(said: bytes) -> str:
    """How another protocol begins: in words, or in bytes where it is none of words."""
    text = said.decode("latin-1")
    return f"says {excerpt(text)!r}" if text[0].isprintable() else f"begins with the bytes {said[:8].hex(' ')}"


def _reason(why: ssl.SSLError) -> str:
    if why.reason in _TOO_OLD:
        return "it speaks no TLS 1.2 or newer"
    if why.reason:
        return why.reason.lower().replace("_", " ")
    return excerpt(str(why).removeprefix("[SSL] ").partition(" (_ssl.c")[0])  # one newer than Python's table of them
