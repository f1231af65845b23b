"""With what does the daemon sign, and what becomes of a key that was damaged?"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from selfheal.durable import name_aside, replace_file
from selfheal.events import StateDamaged

KEY_BYTES = 32

_LOST = "every login, and the heartbeat tokens that running agents were given: they end with it"


def read_key(path: Path, at: float) -> tuple[bytes, StateDamaged | None]:
    """Return the key at `path`, the same over restarts; made now where there is none, or none that can be used.

    A damaged one is kept aside and told. Where the disk refuses the new one, it holds for as long as this daemon.
    """
    try:
        key = path.read_bytes()
        wrong = f"it holds {len(key)} bytes, not {KEY_BYTES}" if len(key) != KEY_BYTES else ""
    except FileNotFoundError:
        return _made(path), None
    except OSError as why:
        key, wrong = b"", f"it cannot be read: {why.strerror}"
    if not wrong:
        return key, None
    kept_as = _kept_aside(path, at)
    return _made(path), StateDamaged(at, path.name, wrong, kept_as, _LOST)


def _made(path: Path) -> bytes:
    key = secrets.token_bytes(KEY_BYTES)
    with contextlib.suppress(OSError):
        replace_file(path, key)
    return key


def _kept_aside(path: Path, at: float) -> str | None:
    aside = name_aside(path, at)
    try:
        os.replace(path, aside)
    except OSError:
        return None
    return aside.name
