"""What does the other side show in a TLS handshake, and what does it say once that is done?

TLS in memory, which does no I/O: nothing of it outlives the connection, also when a check is cancelled in the middle.
Each handshake is a full one, since a session that is resumed shows no certificate.
"""

from __future__ import annotations

import ssl

from selfheal.errors import CheckFailed
from selfheal.observe.certificate import Certificate
from selfheal.observe.trust import no_tls

# OpenSSL takes 100 KiB of certificates and no end of empty words, and who sends fast enough would never let us go.
_MAX_HANDSHAKE_BYTES = 1024 * 1024
_SHOWN_BYTES = 60  # enough to recognise the greeting of another protocol


class TlsSession:
    """TLS as its client with a server of this name. What comes is fed in, and what is `outgoing` has to be sent.

    Each method raises CheckFailed where the other side breaks off, Distrusted where its certificate is the reason.
    """

    def __init__(self, tls: ssl.SSLContext, name: str) -> None:
        self._name = name
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._first = b""
        self._handshake_bytes = 0
        self._agreed = False

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

    def feed(self, data: bytes) -> None:
        """Take in what came; nothing is the end."""
        if not data:
            self._incoming.write_eof()
            return
        self._first = self._first or data[:_SHOWN_BYTES]
        self._handshake_bytes += 0 if self._agreed else len(data)
        if self._handshake_bytes > _MAX_HANDSHAKE_BYTES:
            most = f"{_MAX_HANDSHAKE_BYTES // 1024} KiB"
            raise CheckFailed(f"it sends more than {most} in the TLS handshake", cause="wrong_answer")
        self._incoming.write(data)

    def outgoing(self) -> bytes:
        """What has to be sent now; nothing where nothing has."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def shake_hands(self) -> bool:
        """Go on agreeing on keys; whether that is done."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as why:
            raise no_tls(why, self._name, self._first) from why
        self._agreed = True
        return True

    def write(self, data: bytes) -> bool:
        """Encrypt `data`; whether that was possible, which it is not while the other side has to say more first."""
        try:
            self._tls.write(data)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as why:
            raise no_tls(why, self._name) from why
        return True

    def read(self, at_most: int) -> bytes | None:
        """Decrypt what came: nothing at the end, None where more has to come."""
        try:
            return self._tls.read(at_most)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""
        except ssl.SSLError as why:
            raise no_tls(why, self._name) from why
