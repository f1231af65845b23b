"""What of the signals is remembered: the latest points in memory, what is older on the disk, and what is normal?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from selfheal.compose.archive import FLUSH_S, Archive
from selfheal.compose.courses import Courses
from selfheal.compose.normals import Normals
from selfheal.compose.recall import Recall
from selfheal.compose.uptimes import Uptimes
from selfheal.config.models import HistoryConfig
from selfheal.history.rings import History
from selfheal.ledger import Ledger
from selfheal.loops import Loop
from selfheal.ports import Ports
from selfheal.store.shelf import Shelf


class Memory:
    """The history, who writes it down, and who reads it; and the watch, to which it is what is normal."""

    def __init__(self, ledger: Ledger, ports: Ports, state_dir: Path, settings: Callable[[], HistoryConfig]) -> None:
        shelf = Shelf(state_dir / "history", lambda: settings().max_size)
        self.history = History()
        uptimes = Uptimes(ledger)
        self.archive = Archive(ledger, ports, self.history, shelf, uptimes, settings)
        self.recall = Recall(ports, self.history, shelf, uptimes)
        self.courses = Courses(self.history, self.recall)
        self._normals = Normals(ledger, ports, shelf.directory)
        self.watch, self.alarms = self._normals.watch, self._normals.alarms
        self.loops = (Loop("history", self.archive.keep, every_s=FLUSH_S), self._normals.loop)

    async def close(self) -> None:
        """Write down a last time what is not on the disk yet."""
        await self.archive.close()
        await self._normals.close()
