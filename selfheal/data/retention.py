"""Which backups are kept?"""

from __future__ import annotations

from collections.abc import Sequence

from selfheal.data.backup import Backup, Keep


def kept(backups: Sequence[Backup], keep: Keep) -> frozenset[str]:
    """Return the ids of those to keep: grandfather, father, son, and always the newest that counts."""
    raise NotImplementedError
