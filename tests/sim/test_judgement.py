"""Does one that comes and goes wake nobody more than once?"""

from __future__ import annotations

from pathlib import Path

from selfheal.events import FlappingBegan, FlappingOver
from selfheal.rehearse.machine import Program
from tests.sim.fleets import service
from tests.sim.rehearsal import Rehearsal, rehearse


def test_a_service_that_comes_and_goes_is_told_once_and_its_end_once(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        for _ in range(12):
            r.machine.outages["site"] = "no answer"
            await r.until(lambda: not r.daemon.vitals.check("site", "sim").ok)
            del r.machine.outages["site"]
            await r.until(lambda: r.daemon.vitals.check("site", "sim").ok)
        assert len(r.seen(FlappingBegan)) == 1
        assert r.agent("site").flapping == frozenset({"sim"})
        await r.until(lambda: bool(r.seen(FlappingOver)), within_s=600.0)
        assert [(alert.key, alert.resolved) for alert in r.inbox.alerts] == [
            ("flapping-site-sim", False),
            ("flapping-site-sim", True),
        ]

    rehearse(tmp_path, service("site"), story, {"site": Program(remote=True)})
