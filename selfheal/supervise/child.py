"""What does the supervisor hold of each process, and in which order may processes be stopped?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from selfheal.config.models import ProcessConfig
from selfheal.supervise.launcher import Launch, Process


@dataclass(slots=True)
class Child:
    """An agent's process as it is now, and what is needed to start it."""

    name: str
    config: ProcessConfig
    launch: Launch
    depends_on: tuple[str, ...]
    generation: int = 0
    log_begin: int = 0
    process: Process | None = None
    stopping: bool = False
    timer: asyncio.TimerHandle | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    starting: asyncio.Future[None] | None = None
    readiness: asyncio.Future[None] | None = None
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Stops and starts that people and fixes ask for take turns; the reflex does not wait."""

    def call_in(self, wait_s: float, act: Callable[[], None]) -> None:
        """Do something later, in place of what was to be done later."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(max(0.0, wait_s), act)

    def forget_timers(self) -> None:
        """Whatever was to happen to this run is moot."""
        self.ready.clear()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if self.readiness is not None:
            self.readiness.cancel()
            self.readiness = None

    def forget_start(self) -> bool:
        """Let a first start that waits for its turn not happen; returns whether there was one."""
        if self.starting is None or self.starting.done():
            return False
        return self.starting.cancel()


def stop_order(children: Iterable[Child]) -> list[list[Child]]:
    """Waves of the running children: each may be stopped once those before it, which may depend on it, are gone."""
    left = {child.name: child for child in children if child.process is not None}
    waves: list[list[Child]] = []
    while left:
        needed = {name for child in left.values() for name in child.depends_on}
        wave = [child for name, child in left.items() if name not in needed] or list(left.values())
        waves.append(wave)
        for child in wave:
            del left[child.name]
    return waves
