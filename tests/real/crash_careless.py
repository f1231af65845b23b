"""How do most programs save a file, and what is lost by it?

Two ways that are wrong, so that the proof that ours is right is known to be able to fail.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from selfheal.store.documents import _encode
from tests.real.crash_story import VIEWS, Tell, view

VERSIONS = 3


async def careless(state: Path, tell: Tell, relieve: Callable[[], None]) -> None:
    """Write beside, rename: nothing waits for the disk."""
    _save(state, tell, wait=False)


async def hasty(state: Path, tell: Tell, relieve: Callable[[], None]) -> None:
    """Write beside, wait for the disk, rename: nothing waits for the name."""
    _save(state, tell, wait=True)


def _save(state: Path, tell: Tell, *, wait: bool) -> None:
    for version in range(1, VERSIONS + 1):
        tmp = state / ".tmp"
        with tmp.open("wb") as file:
            file.write(_encode(view(VIEWS[0], version)))
            file.flush()
            if wait:
                os.fsync(file.fileno())
        tmp.replace(state / VIEWS[0])
        tell(f"views {version}")
