"""Does the same seed tell the same story?"""

from __future__ import annotations

from pathlib import Path

from selfheal.rehearse.machine import Program
from tests.sim.fleets import SHOP
from tests.sim.rehearsal import Rehearsal, rehearse


async def troubles(r: Rehearsal) -> None:
    """Some of everything, chance where the daemon leaves anything to it."""
    await r.all_healthy()
    r.machine.programs["mailer"] = Program(dies_after_s=0.5)
    r.machine.kill("mailer")
    await r.wait(30.0)
    r.machine.hang("cache")
    await r.wait(30.0)
    await r.crash()
    r.machine.programs["mailer"] = Program()
    await r.boot()
    await r.all_healthy(within_s=600.0)


def trace(folder: Path, seed: int) -> list[bytes]:
    return rehearse(folder, SHOP, troubles, seed=seed, views=True).trace


def test_the_same_seed_gives_the_same_trace_byte_for_byte(tmp_path: Path) -> None:
    first = trace(tmp_path / "1", seed=7)
    assert first == trace(tmp_path / "2", seed=7)
    assert len(first) > 40


def test_another_seed_goes_another_way(tmp_path: Path) -> None:
    assert trace(tmp_path / "1", seed=7) != trace(tmp_path / "2", seed=8)
