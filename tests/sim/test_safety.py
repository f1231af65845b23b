"""Is any rule ever broken, whatever happens in whatever order?

Random troubles of one virtual hour over a fleet with dependencies, a few seeds each time; a seed that fails fails for
ever, so that it can be looked at. `SELFHEAL_SIM_SEEDS=1000-2000` asks for others.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import pytest

from selfheal.errors import FixFailed
from selfheal.events import Event, FixStarted
from selfheal.rehearse.machine import Program
from selfheal.world import World
from tests.sim.fleets import agent, service
from tests.sim.invariants import Limits, Moment, broken_rules
from tests.sim.rehearsal import Rehearsal, rehearse

NEEDS: dict[str, tuple[str, ...]] = {
    "db": (),
    "cache": ("db",),
    "auth": ("db",),
    "api": ("cache", "auth"),
    "web": ("api",),
    "worker": ("cache",),
    "indexer": ("cache",),
    "reports": ("db",),
    "mailer": (),
    "search": (),
    "clock": (),
    "job": (),
}
PROCESSES = tuple(name for name in NEEDS if name != "db")
LIMIT, LIMIT_BYTES = 'limits = { memory = "100MB" }', 100e6
FLEET = (
    service("db")
    + "".join(agent(name, *NEEDS[name], more=LIMIT) for name in PROCESSES)
    # The simulation begins at 08:00: for five minutes nobody touches the mailer, whatever becomes of it.
    + '[[guard.maintenance]]\nagents = ["mailer"]\ncron = "20 8 * * *"\nminutes = 5\n'
)
LIMITS = Limits(at_once=3, attempts_per_hour=12)

TROUBLE_S, PEACE_S = 2400.0, 1200.0
SEEDS = range(*map(int, os.environ.get("SELFHEAL_SIM_SEEDS", "0-8").split("-")))


def programs() -> dict[str, Program]:
    return {name: Program(remote=name == "db", needs=needs) for name, needs in NEEDS.items()}


class Troubles:
    """Chance at work: each trouble begins, and is over after a while."""

    def __init__(self, r: Rehearsal) -> None:
        self.r = r
        self._over: list[tuple[float, int, Callable[[], Awaitable[None]]]] = []
        self._number = count()

    async def begin(self) -> None:
        """One trouble more."""
        r = self.r
        name, lasts_s = r.chance.choice(PROCESSES), r.chance.uniform(5.0, 400.0)
        match r.chance.randrange(12):
            case 0 | 1:
                r.machine.kill(name)
            case 2:
                for victim in r.chance.sample(PROCESSES, 5):
                    r.machine.kill(victim)
            case 3:
                r.machine.hang(name)
            case 4:
                r.machine.program(name).leak_bytes_per_s = r.chance.uniform(1e4, 5e5)
                self._later(lasts_s, lambda: self._mend(name))
            case 5:
                victim = r.chance.choice(("db", "cache", "auth", name))
                r.machine.outages[victim] = r.chance.choice(("out of order", "hung"))
                self._later(lasts_s, lambda: self._restore(victim))
            case 6:
                r.machine.raising.add(name)
                self._later(lasts_s, lambda: self._quiet(name))
            case 7:
                r.machine.program(name).dies_after_s = r.chance.uniform(0.0, 12.0)
                r.machine.kill(name)
                self._later(lasts_s, lambda: self._mend(name))
            case 8:
                r.machine.program(name).missing = True
                r.machine.kill(name)
                self._later(lasts_s, lambda: self._mend(name))
            case 9:
                await r.crash()
                await r.wait(r.chance.choice((0.0, 0.5, 20.0)))
                await r.boot()
            case 10:
                await r.daemon.control.stop(name, "chance")
                self._later(lasts_s, lambda: self._start(name))
            case _:
                scope = r.chance.choice((None, name))
                await r.daemon.control.pause(scope, "chance")
                self._later(lasts_s, lambda: r.daemon.control.resume(scope, "chance"))

    async def end(self, upto: float) -> None:
        """Let what is over by then be over."""
        while self._over and self._over[0][0] <= upto:
            await heapq.heappop(self._over)[2]()

    def _later(self, lasts_s: float, over: Callable[[], Awaitable[None]]) -> None:
        heapq.heappush(self._over, (self.r.clock.now() + lasts_s, next(self._number), over))

    async def _start(self, name: str) -> None:
        with suppress(FixFailed):  # its program may be missing just then
            await self.r.daemon.control.start(name, "chance")

    async def _mend(self, name: str) -> None:
        self.r.machine.programs[name] = Program(needs=NEEDS[name])

    async def _restore(self, name: str) -> None:
        self.r.machine.outages.pop(name, None)

    async def _quiet(self, name: str) -> None:
        self.r.machine.raising.discard(name)


async def an_hour_of_troubles(r: Rehearsal, trace: list[Moment]) -> None:
    def bystanders() -> frozenset[str]:
        """Those who are well but for a dependency that its own check can see to be down."""
        down = {name for name in NEEDS if r.machine.ails(name) is not None} - r.machine.raising
        well = (name for name in PROCESSES if r.machine.ails(name) is None and r.machine.rss(name) < LIMIT_BYTES)
        return frozenset(name for name in well if down & set(r.world.dependencies(name)))

    def watch(world: World, event: Event) -> None:
        trace.append(Moment(event, bystanders() if isinstance(event, FixStarted) else frozenset()))

    trace.extend(Moment(event) for event in r.told)
    r.watchers.append(watch)
    troubles, ends_at = Troubles(r), r.clock.now() + TROUBLE_S
    while r.clock.now() < ends_at:
        await troubles.begin()
        await r.wait(r.chance.expovariate(1 / 30.0))
        await troubles.end(r.clock.now())
    await troubles.end(float("inf"))
    for name in PROCESSES:
        await troubles._mend(name)
    await r.all_healthy(within_s=PEACE_S)
    assert all(r.machine.alive(name) == 1 for name in PROCESSES)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_rule_is_broken_and_all_are_well_in_the_end(tmp_path: Path, seed: int) -> None:
    trace: list[Moment] = []
    r = rehearse(tmp_path, FLEET, lambda r: an_hour_of_troubles(r, trace), programs(), seed)
    assert broken_rules(trace, LIMITS) == []
    assert len(trace) == len(r.told)
