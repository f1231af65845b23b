"""How does one prove that one knows a password, without saying it?

SCRAM-SHA-256 (RFC 5802, RFC 7677), the client's side, without channel binding. Pure: the nonce is given.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, field

MECHANISM = "SCRAM-SHA-256"

# PostgreSQL and the RFC use 4096, which takes 2 ms; the longest that a server can demand here takes half a second.
_MAX_ITERATIONS = 1_000_000
_NO_BINDING = "n,,"


@dataclass(frozen=True, slots=True)
class Proof:
    """The client's last word, and the server's that is the only right one after it."""

    message: str
    answer: str = field(repr=False)


def first(nonce: str, user: str = "") -> str:
    """The client's first word. PostgreSQL knows the user already and looks at none here."""
    return f"{_NO_BINDING}n={user},r={nonce}"


def prove(opening: str, challenge: str, password: str) -> Proof:
    """Answer the server's challenge to `opening`. Raises ValueError where it is none.

    It takes as long as the server likes, up to half a second: not for the event loop.
    """
    told = dict(part.partition("=")[::2] for part in challenge.split(","))
    bare = opening.removeprefix(_NO_BINDING)
    nonce, count = told.get("r", ""), told.get("i", "")
    if not nonce.startswith(bare.partition("r=")[2]) or "s" not in told or not _bounded(count):
        raise ValueError("not a challenge of SCRAM")
    salt = base64.b64decode(told["s"], validate=True)
    key = hashlib.pbkdf2_hmac("sha256", _prepared(password), salt, int(count))
    final = f"c={_encoded(_NO_BINDING.encode())},r={nonce}"
    talk = f"{bare},{challenge},{final}".encode()
    client = _mac(key, b"Client Key")
    signature = _mac(hashlib.sha256(client).digest(), talk)
    proof = bytes(one ^ other for one, other in zip(client, signature, strict=True))
    return Proof(f"{final},p={_encoded(proof)}", f"v={_encoded(_mac(_mac(key, b'Server Key'), talk))}")


def _bounded(count: str) -> bool:
    return count.isdecimal() and len(count) <= len(str(_MAX_ITERATIONS)) and 0 < int(count) <= _MAX_ITERATIONS


def _prepared(password: str) -> bytes:
    """As SASLprep (RFC 4013) has it, apart from the characters that it forbids."""
    return unicodedata.normalize("NFKC", password).encode()


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
