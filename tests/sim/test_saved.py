"""Is nothing in the state files that a power cut could still take out of the journal?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selfheal.events import HealingResumed
from tests.sim.fleets import SHOP
from tests.sim.rehearsal import Rehearsal, rehearse


def test_what_happens_while_the_disk_is_waited_for_is_in_the_next_state_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a start would miss events of which they tell."""

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        journal, ledger = r.daemon.journal, r.daemon.ledger
        waited = journal.sync

        async def busy(seq: int | None = None) -> None:
            await waited(seq)
            ledger.record(HealingResumed(r.clock.now(), None, "somebody"))

        monkeypatch.setattr(journal, "sync", busy)
        ledger.record(HealingResumed(r.clock.now(), None, "somebody"))
        await r.daemon.views.save()
        monkeypatch.undo()
        shown = json.loads((r.state_dir / "self_healing_state.json").read_text())["events"]
        assert shown <= journal.durable_seq < ledger.seq

    rehearse(tmp_path, SHOP, story, views=True)
