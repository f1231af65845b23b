"""When are the readable files beside the journal written, and what is said where they cannot be?"""

from __future__ import annotations

from collections.abc import Callable

from selfheal.errors import JournalUnavailable
from selfheal.ledger import Ledger
from selfheal.loops import describe
from selfheal.notify.alerts import about_saving
from selfheal.ports import Ports
from selfheal.serve.documents import Material, Pages, stamp
from selfheal.store.documents import Documents
from selfheal.store.journal import Journal
from selfheal.store.pieces import give_turn
from selfheal.store.reserve import Reserve
from selfheal.store.segment import WAITING_MAX
from selfheal.vitals import Vitals

# Records that wait in memory for a full disk: from here on they get the room that is kept.
RELEASE_AT = WAITING_MAX // 2


class Views:
    """Writes the views that changed, if anything happened, and all of them after a sweep."""

    def __init__(
        self,
        ledger: Ledger,
        ports: Ports,
        journal: Journal,
        files: Documents,
        reserve: Reserve,
        vitals: Vitals,
        material: Callable[[], Material],
        redact: Callable[[str], str],
    ) -> None:
        self._ledger = ledger
        self._ports = ports
        self._journal = journal
        self._files = files
        self._reserve = reserve
        self._pages: Pages | None = None
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
        if self._mark() == self._saved:
            return
        trouble = await self._try()
        if trouble is None:
            trouble = await self._ports.run_in_thread(self._renew_reserve)
        elif self._journal.waiting >= RELEASE_AT:
            await self._ports.run_in_thread(self._reserve.release)
        self.trouble = trouble
        self._ledger.record(*about_saving(self._ledger.world, self._ports.clock.now(), trouble))

    async def save_last(self) -> None:
        """Write everything a last time, with the room that was kept for it where the disk has none.

        That says nothing of the disk: whether it is well is told by the next daemon.
        """
        self.trouble = await self._try()
        if self.trouble is not None and await self._ports.run_in_thread(self._reserve.release):
            self.trouble = await self._try()

    def _renew_reserve(self) -> str | None:
        """Keep room for the next time; returns why the disk is as good as full still, where it lives on that room."""
        self._reserve.make()
        return "the disk has room for no more than was kept for the end" if self._reserve.spent else None

    async def _try(self) -> str | None:
        """Write what changed; returns why it could not be done."""
        mark, material = self._mark(), self._material()  # what happens while the disk is waited for is not durable yet
        try:
            await self._journal.sync()  # first: where there is little room it is the journal's, views can be made again
            await self._write(material)
        except (OSError, JournalUnavailable) as why:
            return self._redact(describe(why))
        self._saved = mark
        return None

    async def _write(self, material: Material) -> None:
        renew = self._sweeps > self._saved[2]
        # A save that was given up may still be at its pages in its thread: they are its own, and the next begins anew.
        pages, self._pages = self._pages or Pages(give_turn), None
        content = await self._ports.run_in_thread(lambda: pages.documents(material))
        self._pages = pages
        await self._files.save(content, stamp(material), renew=renew)

    def is_saved(self) -> bool:
        return self._mark() == self._saved

    def _mark(self) -> tuple[int, int, int]:
        """What the views were, or would be, made from."""
        return self._ledger.seq, self._vitals.verdicts, self._sweeps
