"""When are the readable files beside the journal written, and what is said where they cannot be?"""

from __future__ import annotations

from collections.abc import Callable

from selfheal.errors import JournalUnavailable
from selfheal.ledger import Ledger
from selfheal.loops import describe
from selfheal.notify.alerts import about_saving
from selfheal.ports import Ports
from selfheal.serve.documents import Material, documents, stamp
from selfheal.store.documents import Documents
from selfheal.store.journal import Journal
from selfheal.vitals import Vitals


class Views:
    """Writes the views that changed, if anything happened, and all of them after a sweep."""

    def __init__(
        self,
        ledger: Ledger,
        ports: Ports,
        journal: Journal,
        files: Documents,
        vitals: Vitals,
        material: Callable[[], Material],
        redact: Callable[[str], str],
    ) -> None:
        self._ledger = ledger
        self._ports = ports
        self._journal = journal
        self._files = files
        self._vitals = vitals
        self._material = material
        self._redact = redact
        self._sweeps = 0
        self._saved = (-1, 0, 0)
        self.trouble: str | None = None
        """Why they could not be written the last time; None when they were."""

    def renew(self) -> None:
        """Let the next `save` write every file, also those that say what they said before."""
        self._sweeps += 1

    async def save(self) -> None:
        """Write what changed. A full disk is told once and tried again, and is no failed loop."""
        mark = self._mark()
        if mark == self._saved:
            return
        material = self._material()
        content = await self._ports.run_in_thread(lambda: documents(material))
        trouble = None
        try:
            await self._journal.sync()  # first: where there is little room it is the journal's, views can be made again
            await self._files.save(content, stamp(material), renew=self._sweeps > self._saved[2])
            self._saved = mark
        except (OSError, JournalUnavailable) as why:
            trouble = self._redact(describe(why))
        self.trouble = trouble
        self._ledger.record(*about_saving(self._ledger.world, self._ports.clock.now(), trouble))

    def is_saved(self) -> bool:
        return self._mark() == self._saved

    def _mark(self) -> tuple[int, int, int]:
        """What the views were, or would be, made from."""
        return self._ledger.seq, self._vitals.verdicts, self._sweeps
