"""How does a test ask a check of this machine, by a clock that stands still?"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from pathlib import Path

from selfheal.clock import RealClock
from selfheal.kinds import CheckContext, CheckKind, Completed, Run
from selfheal.observe import CHECKS
from tests.real.servers import CLOCK, build, cause, outcome


class Standing(RealClock):
    """A clock that stands still, so that ages are exact."""

    def __init__(self, now: float | None = None) -> None:
        self._now = CLOCK.now() if now is None else now

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now


NOON = Standing()


async def run_command(
    argv: tuple[str, ...], *, directory: Path, environment: Mapping[str, str], timeout_s: float
) -> Completed:
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    async with asyncio.timeout(timeout_s):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return Completed(process.returncode, output.decode(), 0.25)


def seen(check: str, table: Mapping[str, object], within: CheckContext) -> tuple[str, Mapping[str, float]]:
    kinds = {kind.name: kind for kind in CHECKS}
    return asyncio.run(outcome(build(kinds[check], table, within)))


def named(check: CheckKind, table: Mapping[str, object], within: CheckContext) -> str | None:
    return asyncio.run(cause(build(check, table, within)))


def run_of(pid: int, started_ago_s: float, start_ticks: int = 0) -> Run:
    return Run(pid, 1, NOON.now() - started_ago_s, start_ticks, "boot")
