"""Where does a test get certificates, good and bad ones?"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from selfheal.observe.trust import tls_context


def for_server(leaf: trustme.LeafCert) -> ssl.SSLContext:
    """What a server with this certificate needs."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(tls)
    return tls


def good_for(authority: trustme.CA, days: float, *names: str, old_days: float = 90) -> trustme.LeafCert:
    """A certificate that ends in so many days, and began so many days ago."""
    now = datetime.now(UTC)
    begin, end = now - timedelta(days=old_days), now + timedelta(days=days)
    return authority.issue_cert(*(names or ("localhost", "127.0.0.1")), not_before=begin, not_after=end)


def signed_by_itself(folder: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Path:
    """A file with this key and a certificate for localhost that nobody else signed, for 2 days."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, now - timedelta(days=1), now + timedelta(days=2))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    file = folder / "both.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    )
    return file


@contextmanager
def trusting(authority: trustme.CA | Path) -> Iterator[None]:
    """Trust this authority, or the one in this file, and none else in what is built meanwhile."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as files:
        pem = authority if isinstance(authority, Path) else files.enter_context(authority.cert_pem.tempfile())
        patch.setenv("SSL_CERT_FILE", str(pem))
        tls_context.cache_clear()
        yield
    tls_context.cache_clear()


def self_signed(folder: Path) -> Path:
    """The folder, with a certificate for localhost that nobody else signed, `cert.pem`, and its key, `key.pem`."""
    both = signed_by_itself(folder, ec.generate_private_key(ec.SECP256R1())).read_text()
    begin = both.index("-----BEGIN CERTIFICATE")
    (folder / "key.pem").write_text(both[:begin])
    (folder / "cert.pem").write_text(both[begin:])
    return folder


def server_side(folder: Path) -> ssl.SSLContext:
    """What a server with the certificate of such a folder needs."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return tls
