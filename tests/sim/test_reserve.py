"""Is the room that is kept given to what waits in memory, and is one trouble one alert all the while?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.compose import views
from selfheal.store import reserve
from selfheal.store.reserve import NAME
from tests.sim.fleets import SHOP
from tests.sim.rehearsal import Rehearsal, rehearse
from tests.sim.test_own_troubles import full_disk


def test_what_waits_in_memory_gets_the_room_that_is_kept_once_it_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "RELEASE_AT", 40)
    free = [1 << 40]
    monkeypatch.setattr(reserve, "_free", lambda directory: free[0])

    def told(r: Rehearsal) -> list[bool]:
        return [one.resolved for one in r.daemon.ledger.world.alerts if one.key == "unsaved"]

    async def story(r: Rehearsal) -> None:
        kept = r.state_dir / NAME
        await r.all_healthy()
        await r.until(kept.exists)
        with full_disk(r.daemon.journal):
            free[0] = 0
            await r.until(lambda: told(r) == [False])
            assert kept.exists(), "little waits yet"
            while r.daemon.journal.waiting < views.RELEASE_AT:
                r.machine.kill("api")
                await r.healed("api")
            await r.until(lambda: not kept.exists())
        await r.until(lambda: r.daemon.ledger.trouble is None)
        await r.wait(30.0)
        assert told(r) == [False], "it lives on what was kept: the disk is as full as before"
        assert "no more than was kept" in (r.daemon.trouble or "")
        free[0] = 1 << 40
        await r.until(lambda: told(r) == [False, True])
        await r.until(kept.exists)
        assert r.daemon.trouble is None

    rehearse(tmp_path, SHOP, story, views=True)
