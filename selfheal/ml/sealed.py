"""How is a model kept so that nothing else can be taken for it? A first line, a checksum, and what follows as msgpack.

Nothing in such a file is run. The checksum tells what was cut off or damaged; whether what is whole may be believed is
for the module to say whose model it is.
"""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec

_DIGEST = 32

_T = TypeVar("_T")


class ModelRefused(ValueError):
    """Something is no model that can be asked. `slug` is the kind of reason, the message says it in words."""

    def __init__(self, slug: str, why: str) -> None:
        super().__init__(why)
        self.slug = slug


def sealed(first: bytes, told: msgspec.Struct) -> bytes:
    """Return what was learned as the bytes of a file that begins with this line."""
    body = msgspec.msgpack.encode(told)
    return first + _digest(body) + body


def opened(first: bytes, data: bytes, kind: type[_T], most: int) -> _T:
    """Return what is in a file of this first line, of at most so many bytes. Raises ModelRefused."""
    if len(data) > most:
        raise ModelRefused("huge", f"it has {len(data)} bytes, and may have {most}")
    if not data.startswith(first):
        raise ModelRefused("foreign", "it is no model of selfheal")
    begin = len(first) + _DIGEST
    digest, body = data[len(first) : begin], data[begin:]
    if digest != _digest(body):
        raise ModelRefused("damaged", "its checksum does not hold: it is cut off or damaged")
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except msgspec.MsgspecError as why:
        raise ModelRefused("format", f"it cannot be read: {why}") from why


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST).digest()
