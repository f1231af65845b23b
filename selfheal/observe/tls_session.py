"""What does the other side show in a TLS handshake, and what does it say once that is done?

TLS over a wire of ours, in memory: nothing of it outlives the socket, also when it is cancelled in the middle. Each
handshake is a full one, since a session that is resumed shows no certificate.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from selfheal.errors import CheckFailed
from selfheal.observe.certificate import Certificate
from selfheal.observe.wire import Wire
from selfheal.observe.wording import excerpt

_T = TypeVar("_T")

_CHUNK_BYTES = 16 * 1024  # the largest record of TLS
# OpenSSL takes 100 KiB of certificates and no end of empty words, and who sends fast enough would never let us go.
_MAX_HEARD_BYTES = 1024 * 1024
_SHOWN_BYTES = 60  # enough to recognise the greeting of another protocol
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
        super().__init__(reason, cause="stale" if code == EXPIRED else "wrong_answer")
        self.code = code


class TlsSession:
    """TLS on a wire, as its client. With `trust` nothing else than a certificate to be trusted will do.

    Without `names` it may be one for any other host. Where the other side breaks off it is a CheckFailed.
    """

    def __init__(self, wire: Wire, server_name: str, *, trust: bool = True, names: bool = True) -> None:
        self._wire = wire
        self._name = server_name
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context(trust, names).wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        self._first = b""
        self._heard_bytes = 0

    async def handshake(self) -> None:
        """Agree on keys. Raises Distrusted where it is the certificate that stands in the way."""
        await self._carry(self._tls.do_handshake)

    @property
    def version(self) -> str:
        """What was agreed on, such as 'TLSv1.3'."""
        return self._tls.version() or "no version"

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts that a trusted certificate is for."""
        shown = self._tls.getpeercert() or {}
        return tuple(str(entry[1]) for entry in shown.get("subjectAltName", ()) if len(entry) == 2)

    def certificate(self) -> Certificate:
        """Return what the other side has shown."""
        try:
            return Certificate.read(self._tls.getpeercert(binary_form=True) or b"")
        except ValueError as why:
            raise CheckFailed(f"the certificate cannot be read: {why}", cause="wrong_answer") from why

    async def send(self, data: bytes) -> None:
        """Hand all of `data` to the system."""
        await self._carry(lambda: self._tls.write(data) if data else 0)

    async def receive(self, at_most: int) -> bytes:
        """Return what comes next; nothing at the end."""
        return await self._carry(lambda: self._tls.read(at_most), at_end=b"")

    async def _carry(self, step: Callable[[], _T], at_end: _T | None = None) -> _T:
        """Do a step of TLS, and carry what it writes and wants to read until it is done."""
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._fill()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as why:
                if at_end is None:
                    raise self._closed() from why
                return at_end
            except ssl.SSLError as why:
                raise self._in_words(why) from why
            else:
                await self._flush()
                return done

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._wire.send(self._outgoing.read())

    async def _fill(self) -> None:
        heard = await self._wire.receive(_CHUNK_BYTES)
        self._first = self._first or heard[:_SHOWN_BYTES]
        self._heard_bytes += len(heard)
        if self._heard_bytes > _MAX_HEARD_BYTES:
            raise CheckFailed(f"it sends more than {_MAX_HEARD_BYTES // 1024} KiB over TLS", cause="wrong_answer")
        if heard:
            self._incoming.write(heard)
        else:
            self._incoming.write_eof()

    def _closed(self) -> CheckFailed:
        return self._no_tls() or CheckFailed("connection closed during the TLS handshake", cause="unreachable")

    def _in_words(self, why: ssl.SSLError) -> CheckFailed:
        if isinstance(why, ssl.SSLCertVerificationError):
            return distrusted(why, self._name)
        return self._no_tls() or broken(why)

    def _no_tls(self) -> CheckFailed | None:
        if not self._first or self._first[0] in _RECORDS:
            return None
        said = excerpt(self._first.decode("latin-1"))
        return CheckFailed(f"not TLS: it says {said!r}", cause="wrong_answer")


def distrusted(why: ssl.SSLCertVerificationError, name: str) -> Distrusted:
    """Say why the certificate that was shown for a name is not to be trusted."""
    code: int = why.verify_code
    if code in (OTHER_NAME, OTHER_ADDRESS):
        return Distrusted(f"the certificate is not for {name!r}", code)
    return Distrusted(_WORDS.get(code, f"the certificate is not to be trusted: {why.verify_message}"), code)


def broken(why: ssl.SSLError) -> CheckFailed:
    """Say why there is no TLS."""
    return CheckFailed(f"no TLS connection: {_reason(why)}", cause="wrong_answer")


def _reason(why: ssl.SSLError) -> str:
    if why.reason in _TOO_OLD:
        return "it speaks no TLS 1.2 or newer"
    if why.reason:
        return why.reason.lower().replace("_", " ")
    return excerpt(str(why).removeprefix("[SSL] ").partition(" (_ssl.c")[0])  # one newer than Python's table of them


@lru_cache(maxsize=4)
def context(trust: bool, names: bool) -> ssl.SSLContext:
    """One context for all: reading the certificates of the machine takes 20 ms and half a megabyte each time."""
    made = ssl.create_default_context() if trust else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2  # Python's own default, but not that of each distribution
    made.check_hostname = trust and names
    made.verify_mode = ssl.CERT_REQUIRED if trust else ssl.CERT_NONE
    return made
