"""What of selfheal's own state is backed up?

The journal, which is the truth, and the views and history that are made from it. Not the key of the page's cookies: who
has it can log in, and without it people log in once more. Not what is of one run only, and not the backups themselves.
"""

from __future__ import annotations

from pathlib import Path

from selfheal.data.files import FilesAsset

OWN = "_selfheal"
"""Whose backups they are: the name of an agent begins with a letter or a digit."""

# From the top; the last two stand for what an interrupted write left, and what was damaged before.
_LEFT_OUT = ("/.reserve", "/backups", "/data", "/key", "/lock", "/logs", "/lost+found", "/run", "/selfheal.sock")
_ANYWHERE = ("*.tmp", "*.damaged-*")


def own_state(directory: Path, vault: Path | None = None) -> FilesAsset:
    """The state directory as data like any other. `vault` is where backups are kept, in case that lies within."""
    inside = vault is not None and vault.is_relative_to(directory) and vault != directory
    vaults = (f"/{vault.relative_to(directory)}",) if vault is not None and inside else ()
    return FilesAsset(agent=OWN, path=directory, exclude=(*_LEFT_OUT, *_ANYWHERE, *vaults))
