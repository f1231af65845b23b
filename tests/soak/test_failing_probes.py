"""Do a hundred thousand failing probes, of every kind of failure, leave anything behind?"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from selfheal.kinds import Observation
from selfheal.net import Dialer
from selfheal.observe.http import HTTP
from selfheal.observe.scheduled import ScheduledCheck
from selfheal.observe.scheduler import Scheduler
from selfheal.observe.wheel import Wheel
from tests.real.daemon_process import free_port
from tests.real.servers import CLOCK, build, context

ROOT = Path(__file__).parents[2]
PROBES = 100_000
INTERVAL_S, TIMEOUT_S = 0.05, 0.2
AGENTS_EACH = 8
RSS_MAY_GROW = 1.10


def held() -> tuple[int, int]:
    """Resident bytes and descriptors of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096, sum(1 for _ in Path("/proc/self/fd").iterdir())


@dataclass
class Tally:
    """What the checks have seen: how often, and in how many words."""

    count: int = 0
    reasons: set[str] = field(default_factory=set)

    def take(self, seen: Observation) -> None:
        assert seen.result in ("failed", "timeout"), seen
        self.count += 1
        self.reasons.add(seen.reason)

    async def reach(self, count: int) -> tuple[int, int]:
        """Wait for so many, then say what is held: resident bytes and descriptors."""
        while self.count < count:
            await CLOCK.sleep(0.05)
        gc.collect()
        resident, files = held()
        print(f"\n{self.count} probes: {resident / 1e6:.1f} MB, {files} descriptors", end="")
        return resident, files


@pytest.mark.timeout(900)
def test_a_hundred_thousand_failing_probes_leave_nothing_behind() -> None:
    command = [sys.executable, "-m", "tests.soak.bad_servers"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as servers:
        assert servers.stdout is not None
        ports = servers.stdout.readline().split()
        urls = [f"http://127.0.0.1:{port}/" for port in (*ports, free_port())]
        asyncio.run(_ask([*urls, "http://nowhere.invalid/", f"https://127.0.0.1:{ports[0]}/"]))


async def _ask(urls: list[str]) -> None:
    tally, dialer = Tally(), Dialer()
    async with asyncio.TaskGroup() as tasks:
        wheel = Wheel(asyncio.get_running_loop())
        scheduler = Scheduler(CLOCK, wheel, lambda name, work: tasks.create_task(work), tally.take, 1024)
        within = replace(context(Path()), dialer=dialer)
        for number, url in enumerate(urls * AGENTS_EACH):
            check = build(HTTP, {"http": url}, within)
            scheduler.watch(f"agent{number}", [ScheduledCheck("http", check, INTERVAL_S, TIMEOUT_S, 3, 2)])
        resident, files = await tally.reach(PROBES // 5)
        resident_then, files_then = await tally.reach(PROBES)
        scheduler.close()
        wheel.close()
        assert len(dialer.poller) == 0
        dialer.close()
    assert len(tally.reasons) < 20, tally.reasons
    assert resident_then <= resident * RSS_MAY_GROW
    assert files_then <= files + len(urls) * AGENTS_EACH  # those that are on their way at the moment
