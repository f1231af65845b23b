"""Where do backups live? In a content-addressed store: what two of them share is kept once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from selfheal.data.asset import Proof, Tell, untold
from selfheal.data.backup import Backup


class Vault:
    """The backups below one folder."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def store(self, agent: str, kind: str, source: Path, proof: Proof, at: float, tell: Tell = untold) -> Backup:
        """Keep all files below `source`, durable on return. It does not count yet: see `mark_verified`."""
        raise NotImplementedError

    def take(self, backup: Backup, into: Path, tell: Tell = untold) -> None:
        """Put the files of a backup below the empty folder `into`. Raises DataFailed where one is not what it was."""
        raise NotImplementedError

    def backups(self, agent: str | None = None) -> list[Backup]:
        """All backups, of one agent or of all, oldest first; one whose manifest is damaged says so."""
        raise NotImplementedError

    def mark_verified(self, backup: Backup, at: float) -> Backup:
        """Let it count. Durable on return."""
        raise NotImplementedError

    def mark_damaged(self, backup: Backup, why: str) -> Backup:
        """Let it count no more. Durable on return."""
        raise NotImplementedError

    def forget(self, backups: Iterable[Backup]) -> int:
        """Drop backups and what only they hold; returns the bytes that were freed."""
        raise NotImplementedError
