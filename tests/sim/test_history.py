"""Does the daemon remember its signals over restarts, and tell how its agents were?"""

from __future__ import annotations

from array import array
from itertools import pairwise
from pathlib import Path

import pytest

from selfheal.events import LoopFailed, StateDamaged
from selfheal.history.batches import pack
from selfheal.serve.ports import Past
from selfheal.store.frames import encode as frame
from tests.sim.fleets import agent
from tests.sim.rehearsal import Rehearsal, rehearse

FLEET = agent("api") + agent("worker")
# For stories of many hours: asked each half a minute, and seldom swept.
CALM = """
[daemon]
self_healing_interval = "2h"
[agents.api]
command = "api"
checks = [{ sim = "yes", interval = 30 }]
"""


async def past(r: Rehearsal, name: str = "api") -> Past:
    return await r.daemon.memory.recall.past(name)


def folder(r: Rehearsal) -> Path:
    return r.state_dir / "history"


def recent(r: Rehearsal, name: str = "api", signal: str = "latency") -> list[tuple[float, float]]:
    return r.daemon.history.recent(name, signal)


async def boot(r: Rehearsal, toml: str | None = None) -> None:
    """Boot, and wait until the history loop has looked at the disk."""
    await r.boot(toml)
    await r.wait(1.0)


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_the_next_daemon_goes_on_with_the_signals_of_the_last_one(tmp_path: Path, end: str) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.wait(300.0)
        before = recent(r)
        await (r.stop() if end == "stop" else r.crash())
        await r.wait(5.0)
        await boot(r)
        after = recent(r)
        held = [at for at, _ in after if at <= before[-1][0] + 0.001]
        assert len(held) >= len(before) - 3
        assert all(one[0] < later[0] for one, later in pairwise(after))
        await r.wait(60.0)
        assert len(recent(r)) > len(after)

    rehearse(tmp_path, FLEET, story, views=True)


def test_uptime_and_latency_are_told_over_windows_and_survive_restarts(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.wait(3 * 3600.0)
        await r.stop()
        await boot(r)
        await r.wait(1800.0)
        seen = await past(r)
        assert seen.uptime["24h"] == pytest.approx(1.0, abs=0.01)
        pace = seen.latency["24h"]
        assert pace is not None
        assert [pace.p50, pace.p99] == pytest.approx([0.01, 0.01], rel=0.02)
        r.machine.program("api").missing = True
        r.machine.kill("api")
        await r.wait(3600.0)
        down = await past(r)
        assert down.uptime["24h"] == pytest.approx(3.5 / 4.5, abs=0.03)
        assert down.uptime["90d"] == down.uptime["24h"]

    rehearse(tmp_path, CALM, story, views=True)


def test_what_is_not_written_yet_counts_too(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.wait(20.0)
        share = (await past(r)).uptime["24h"]
        assert share is not None
        assert share > 0.8

    rehearse(tmp_path, FLEET, story, views=True)


def test_where_nothing_is_known_nothing_is_made_up(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        seen = await past(r, "nobody")
        assert set(seen.uptime) == {"24h", "7d", "30d", "90d"}
        assert set(seen.uptime.values()) | set(seen.latency.values()) == {None}
        drawing = await r.daemon.memory.recall.draw("api", "nothing", 0.0, r.clock.now(), 10)
        assert list(drawing.buckets) == []
        odd = await r.daemon.memory.recall.draw("api", "latency\0sketch", 0.0, r.clock.now(), 10)
        assert list(odd.buckets) == []

    rehearse(tmp_path, FLEET, story, views=True)


def test_a_chart_is_as_fine_as_it_can_be_and_has_every_point_once(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        began = r.clock.now()
        await r.wait(9 * 3600.0)
        draw, now = r.daemon.memory.recall.draw, r.clock.now()
        for span, count, grain in ((600.0, 100, "raw"), (7200.0, 100, "minutes"), (8 * 3600.0, 8, "hours")):
            drawing = await draw("api", "latency", now - span, now, count)
            assert drawing.grain == grain
            assert len(drawing.buckets) <= count
            step = {"raw": 0.0, "minutes": 60.0, "hours": 3600.0}[grain]
            points = sum(bucket.count for bucket in drawing.buckets)
            assert (span - 30.0) / 30.0 <= points <= (span + step) / 29.0 + 5, grain
        assert sum(bucket.count for bucket in (await draw("api", "latency", now - 600.0, now, 9)).buckets) == len(
            r.daemon.history.recent("api", "latency", now - 600.0)
        )
        whole = await draw("api", "latency", began, now, 2000)
        assert whole.grain == "raw"
        assert sum(bucket.count for bucket in whole.buckets) == pytest.approx((now - began) / 30.0, rel=0.02)

    rehearse(tmp_path, CALM, story, views=True)


def test_what_is_damaged_is_said_and_the_rest_is_there(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.wait(300.0)
        await r.crash()
        tail = folder(r) / "tail"
        tail.write_bytes(tail.read_bytes()[:-3])
        await boot(r)
        (damage,) = r.seen(StateDamaged)
        assert (damage.file, damage.kept_as) == ("history/tail", None)
        assert len(recent(r)) > 10

    rehearse(tmp_path, FLEET, story, views=True)


def test_a_disk_that_refuses_is_told_once_and_what_was_not_written_is_written_later(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        folder(r).rename(folder(r).with_name("away"))
        folder(r).write_text("no folder")
        await r.wait(120.0)
        failures = [one for one in r.seen(LoopFailed) if one.loop == "history"]
        assert len(failures) == 1
        assert failures[0].error.startswith("cannot keep the history of signals")
        folder(r).unlink()
        await r.wait(60.0)
        points = recent(r)
        await r.crash()
        await boot(r)
        assert len(recent(r)) >= len(points) - 3

    rehearse(tmp_path, FLEET, story, views=True)


def test_a_tail_that_is_too_large_for_the_budget_of_now_makes_room(tmp_path: Path) -> None:
    small = "[history]\nmax_size = 1_000_000\n"

    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.crash()
        with (folder(r) / "tail").open("ab") as tail:
            for turn in range(30):
                points = array("d", [float(x) for x in range(2 * 5000)])
                points[1::2] = array("d", [r.chance.random() for _ in range(5000)])
                tail.write(frame(1, pack([("api", f"made-{turn}", points)])))
        await boot(r, small + FLEET)
        await r.wait(60.0)
        assert [one.loop for one in r.seen(LoopFailed)] == ["history"]
        assert "max_size" in r.seen(LoopFailed)[0].error
        assert sum(path.stat().st_size for path in folder(r).iterdir()) < 1_000_000
        await r.stop()
        assert (folder(r) / "tail").stat().st_size > 0

    rehearse(tmp_path, FLEET, story, views=True)


def test_what_is_forgotten_is_not_remembered_again(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.wait(60.0)
        await r.stop()
        await boot(r, agent("api"))
        assert r.daemon.history.agents() == ("api",)

    rehearse(tmp_path, FLEET, story, views=True)
