"""Is what a whole daemon tells of its signals right, over quiet hours, troubles, starts and the ends of daemons?"""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.compose.normals import EVERY_S, LOOK_S
from selfheal.detect.anomalies import VERSION
from selfheal.events import AnomalyOver, AnomalySeen, LevelShifted, LoopFailed, StateDamaged
from selfheal.rehearse.machine import Program
from selfheal.store.frames import encode
from tests.sim.fleets import SHOP, agent
from tests.sim.rehearsal import Rehearsal, rehearse

QUIET_S = 900.0
KEPT = Path("history") / "normal"


def _grown(r: Rehearsal, rss_bytes: float) -> None:
    r.machine.programs["api"] = r.machine.processes[r.pid("api") or 0].program = Program(rss_bytes=rss_bytes)


def test_in_a_quiet_hour_nothing_is_told(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.all_healthy()
        await r.wait(3600.0)
        assert r.seen(AnomalySeen) == []
        assert r.seen(LevelShifted) == []

    rehearse(tmp_path, SHOP, story)


def test_what_grows_is_told_and_over_when_it_is_as_before(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(QUIET_S)
        _grown(r, 60e6)
        await r.until(lambda: bool(r.seen(AnomalySeen)))
        (seen,) = r.seen(AnomalySeen)
        assert (seen.signal, seen.value) == ("rss", 60e6)
        assert seen.expected == pytest.approx(20e6, rel=0.01)
        _grown(r, 20e6)
        await r.until(lambda: bool(r.seen(AnomalyOver)))

    rehearse(tmp_path, agent("api"), story)


@pytest.mark.parametrize("crashes", [False, True])
def test_what_is_normal_is_known_to_the_next_daemon_at_once(tmp_path: Path, crashes: bool) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(QUIET_S)
        await (r.crash() if crashes else r.stop())
        await r.boot()
        _grown(r, 60e6)
        await r.until(lambda: bool(r.seen(AnomalySeen)), within_s=60.0)  # less than it takes to learn

    rehearse(tmp_path, agent("api") + '[daemon]\non_stop = "leave"', story)


def test_an_anomaly_goes_on_over_the_end_of_a_daemon(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(QUIET_S)
        _grown(r, 60e6)
        await r.until(lambda: bool(r.seen(AnomalySeen)))
        await r.crash()
        await r.boot()
        await r.wait(60.0)
        assert r.seen(AnomalyOver) == []
        _grown(r, 20e6)
        await r.until(lambda: bool(r.seen(AnomalyOver)))
        assert len(r.seen(AnomalySeen)) == 1

    rehearse(tmp_path, agent("api"), story)


def test_what_is_kept_and_damaged_is_told_and_learned_anew(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(QUIET_S)
        await r.stop()
        kept = r.state_dir / KEPT
        data = bytearray(kept.read_bytes())
        data[len(data) // 2] ^= 1
        kept.write_bytes(data)
        await r.boot()
        await r.until(lambda: bool(r.seen(StateDamaged)))
        (damage,) = r.seen(StateDamaged)
        assert (damage.file, damage.lost) == ("history/normal", "what was normal of some signals")
        await r.wait(QUIET_S)
        assert r.seen(AnomalySeen) == []
        await r.stop()
        await r.boot()
        await r.wait(60.0)
        assert len(r.seen(StateDamaged)) == 1

    rehearse(tmp_path, agent("api"), story)


def test_what_another_version_has_kept_is_told_and_learned_anew(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(60.0)
        await r.stop()
        (r.state_dir / KEPT).write_bytes(encode(VERSION + 1, b"something else"))
        await r.boot()
        await r.until(lambda: bool(r.seen(StateDamaged)))
        assert "another form" in r.seen(StateDamaged)[0].what

    rehearse(tmp_path, agent("api"), story)


def test_a_disk_that_refuses_is_told_once_and_tried_again(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(60.0)
        kept = r.state_dir / KEPT
        kept.mkdir(parents=True, exist_ok=True)  # as good as any other reason why it cannot be put there
        await r.wait(3.0 * (EVERY_S + LOOK_S))
        assert [failed.loop for failed in r.seen(LoopFailed)] == ["normal"]
        kept.rmdir()
        await r.wait(EVERY_S + LOOK_S)
        assert kept.is_file()

    rehearse(tmp_path, agent("api"), story)


def test_an_agent_that_is_started_anew_may_have_another_level_which_is_told(tmp_path: Path) -> None:
    async def story(r: Rehearsal) -> None:
        await r.wait(QUIET_S)
        r.machine.programs["api"] = Program(rss_bytes=90e6)
        await r.daemon.control.restart("api", "a person")
        await r.until(lambda: bool(r.seen(LevelShifted)), within_s=1200.0)
        shifts = {one.signal: one for one in r.seen(LevelShifted)}
        assert shifts["rss"].why == "start"
        assert shifts["rss"].value == pytest.approx(90e6)
        assert shifts["rss"].expected == pytest.approx(20e6)
        assert r.seen(AnomalySeen) == []

    rehearse(tmp_path, agent("api"), story)
