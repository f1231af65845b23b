"""A journal in memory, which can be told that its disk is full."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from selfheal.errors import JournalUnavailable


@dataclass
class MemoryJournal:
    """`synced` is the last record that would survive a power loss; `during_sync` happens while one waits for it."""

    records: list[bytes] = field(default_factory=list)
    synced: int = 0
    trouble: str | None = None
    during_sync: Callable[[], object] = lambda: None

    @property
    def last(self) -> int:
        return len(self.records)

    def append(self, payload: bytes) -> int:
        self.records.append(payload)
        return len(self.records)

    async def sync(self, seq: int | None = None) -> None:
        if self.trouble is not None:
            raise JournalUnavailable(self.trouble)
        self.during_sync()
        self.synced = max(self.synced, len(self.records) if seq is None else seq)
