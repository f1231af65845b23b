"""Where does a test get a certificate from that nobody signed?"""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from tests.real.counterparts import program


def self_signed(folder: Path) -> Path:
    """A certificate for localhost, `cert.pem`, and its key, `key.pem`, in the folder that is returned."""
    command = (
        f"{program('openssl', 'openssl')} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
        f"-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout {folder}/key.pem -out {folder}/cert.pem"
    )
    subprocess.run(command.split(), check=True, capture_output=True, timeout=30)
    return folder


def server_side(folder: Path) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return tls
