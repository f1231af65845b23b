"""A scheduler on its bench: checks that do as they are told, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field

from selfheal.errors import CheckFailed
from selfheal.kinds import Check, Observation
from selfheal.observe.doubt import Doubt
from selfheal.observe.scheduled import ScheduledCheck
from selfheal.observe.scheduler import Scheduler
from selfheal.observe.wheel import Wheel
from selfheal.rehearse.virtual import EPOCH, VirtualClock, VirtualLoop, in_virtual_time
from selfheal.vocabulary import CheckResult

Answer = Callable[[], Awaitable[Mapping[str, float]]]

OWN_DOOR = ("127.0.0.1", 8787)


@dataclass
class Bench:
    """A scheduler in virtual time, and what its sink got."""

    loop: VirtualLoop
    clock: VirtualClock
    tasks: asyncio.TaskGroup
    room: int = 256
    stolen_s: float = 0.0
    silent: set[str] = field(default_factory=set)
    probed: list[str] = field(default_factory=list)
    seen: list[Observation] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wheel = Wheel(self.loop)
        doubt = Doubt(
            self.clock, self.probe_tcp, lambda: (self.stolen_s, self.loop.time()), self.spawn, tuple, lambda: [OWN_DOOR]
        )
        self.scheduler = Scheduler(self.clock, self.wheel, self.spawn, self.seen.append, self.room, self.room, doubt)

    async def probe_tcp(self, address: str, timeout_s: float) -> None:
        """A network in which whatever is not `silent` refuses, which is an answer."""
        self.probed.append(address)
        if address in self.silent or "*" in self.silent:
            await self.clock.sleep(timeout_s)
            raise CheckFailed("no answer", "timeout")
        raise CheckFailed("connection refused")

    def spawn(self, name: str, work: Coroutine[object, object, None]) -> None:
        self.names.append(name)
        self.tasks.create_task(work, name=name)

    def results(self, check: str) -> list[CheckResult]:
        return [observation.result for observation in self.seen if observation.check == check]

    def times(self, check: str) -> list[float]:
        return [observation.at - EPOCH for observation in self.seen if observation.check == check]


@dataclass
class Scripted:
    """A check that takes a while, and fails where it is told to."""

    clock: VirtualClock
    takes_s: float = 0.0
    failing: bool = False
    runs: int = 0
    at_once: int = 0
    most_at_once: int = 0

    async def run(self) -> Mapping[str, float]:
        self.runs += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.clock.sleep(self.takes_s)
        finally:
            self.at_once -= 1
        if self.failing:
            raise CheckFailed("it is not well")
        return {"runs": float(self.runs)}


@dataclass
class Doing:
    """A check that does what it is given."""

    run_once: Answer

    async def run(self) -> Mapping[str, float]:
        return await self.run_once()


def play(story: Callable[[Bench], Awaitable[None]], room: int = 256) -> Bench:
    loop = VirtualLoop()

    async def run() -> Bench:
        async with asyncio.TaskGroup() as tasks:
            bench = Bench(loop, VirtualClock(loop), tasks, room)
            await story(bench)
            bench.wheel.close()
        return bench

    return in_virtual_time(run(), loop)


def plan(
    check: Check, name: str = "check", interval_s: float = 10.0, timeout_s: float = 2.0, fall: int = 3, rise: int = 2
) -> ScheduledCheck:
    return ScheduledCheck(name, check, interval_s, timeout_s, fall, rise)
