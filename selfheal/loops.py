"""What runs for ever, and what happens when it fails?

Loops are declared in one table; the runner owns their period, jitter, time limit, back-off and restart intensity, so
that a body is only its work. A loop that keeps failing is not restarted for ever at full speed: it gives up, and
either the daemon goes on degraded (`/healthz` is red while it is down, and it is tried again once a minute) or stops.
This is the only place that creates tasks and the only one with a broad `except`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from random import Random
from typing import Literal

from selfheal.clock import Clock

# Restart intensity in OTP's sense: more failures than this within the window, and the loop has given up.
MAX_FAILURES, WINDOW_S = 5, 60.0
BACKOFF_FIRST_S, BACKOFF_LAST_S = 0.5, 30.0
GIVEN_UP_RETRY_S = 60.0


@dataclass(frozen=True, slots=True)
class Loop:
    """One thing that runs for as long as the daemon.

    `every_s` is the period from start to start; None means that the body itself runs until it is cancelled.
    `limit_s` bounds one run of the body. `waits_first` leaves the first run until a period has passed. While `idle`
    says that there is nothing to do before somebody wakes the loop, the period is `idle_s`; `least_s` is the least
    from start to start, however often it is woken.
    """

    name: str
    body: Callable[[], Awaitable[None]]
    every_s: float | None
    limit_s: float | None = None
    waits_first: bool = False
    idle: Callable[[], bool] = lambda: False
    idle_s: float = 60.0
    least_s: float = 0.0
    on_give_up: Literal["degrade", "stop"] = "degrade"


@dataclass(slots=True)
class LoopStats:
    """How a loop is doing. `lag_s` is how late its latest run began, `last_run` wall time of its start."""

    last_run: float = 0.0
    duration_s: float = 0.0
    lag_s: float = 0.0
    runs: int = 0
    failures: int = 0
    down: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """A loop or task that raised. `gave_up` is said once, when it does."""

    loop: str
    error: str
    retry_s: float
    gave_up: bool


class LoopRunner:
    """Runs loops, and tasks that have no other parent. One for a daemon."""

    def __init__(
        self,
        clock: Clock,
        chance: Random,
        on_failure: Callable[[Failure], None],
        on_run: Callable[[str, float, float], None] = lambda name, took_s, lag_s: None,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._on_failure = on_failure
        self._on_run = on_run
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._wakes: dict[str, asyncio.Event] = {}
        self._gave_up = asyncio.Event()
        self.stats: dict[str, LoopStats] = {}

    async def __aenter__(self) -> LoopRunner:
        self._group = await asyncio.TaskGroup().__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: object) -> None:
        await self.stop_errands()
        await self.stop(*self._tasks)
        if self._group is not None:
            await self._group.__aexit__(None, None, None)

    def start(self, *loops: Loop) -> None:
        """Start loops, in order."""
        for loop in loops:
            self.stats[loop.name] = LoopStats()
            self._wakes[loop.name] = asyncio.Event()
            self._tasks[loop.name] = self._create(f"loop {loop.name}", self._keep(loop))

    async def stop(self, *names: str) -> None:
        """Stop these loops, in reverse order of the names, and wait for each."""
        for name in reversed(names):
            task = self._tasks.pop(name, None)
            if task is not None:
                task.cancel()
                await asyncio.wait({task})

    async def join(self, *names: str) -> None:
        """Wait for loops that end by themselves. Who waits no longer leaves them to `stop`."""
        tasks = {name: self._tasks[name] for name in names if name in self._tasks}
        if tasks:
            await asyncio.wait(tasks.values())
        for name in tasks:
            self._tasks.pop(name, None)

    async def stop_errands(self) -> None:
        """Cancel all spawned tasks and wait for them."""
        errands = set(self._errands)
        for task in errands:
            task.cancel()
        if errands:
            await asyncio.wait(errands)

    def wake(self, name: str) -> None:
        """Let a loop run now instead of at its next time."""
        if name in self._wakes:
            self._wakes[name].set()

    def spawn(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Give a task a parent. What it raises is reported, and ends nothing else."""
        errand = self._errand(name, work)
        try:
            task = self._create(name, errand)
        except RuntimeError:  # the daemon is at its end: what was to be done is not begun
            errand.close()
            work.close()
            raise
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        task.add_done_callback(lambda _: work.close())  # where it was cancelled before its first step
        return task

    async def gave_up(self) -> None:
        """Return when a loop without which the daemon is pointless has given up."""
        await self._gave_up.wait()

    @property
    def fatal(self) -> bool:
        """Whether a loop without which the daemon is pointless has given up."""
        return self._gave_up.is_set()

    @property
    def down(self) -> tuple[str, ...]:
        """Names of the loops that have given up and not yet come back."""
        return tuple(name for name, stats in self.stats.items() if stats.down)

    def _create(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        if self._group is None:
            raise RuntimeError("cannot start a task: the runner is not entered")
        return self._group.create_task(work, name=name)

    async def _errand(self, name: str, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except Exception as why:
            self._on_failure(Failure(name, describe(why), 0.0, gave_up=False))

    async def _keep(self, loop: Loop) -> None:
        """Run the body again and again, with back-off after failures."""
        stats = self.stats[loop.name]
        failures: deque[float] = deque(maxlen=MAX_FAILURES)
        due = self._clock.monotonic()
        if loop.waits_first and loop.every_s is not None:
            due += loop.every_s
            await self._rest(loop.name, due)
        while True:
            began = self._clock.monotonic()
            stats.lag_s = max(0.0, began - due)
            stats.last_run = self._clock.now()
            try:
                async with asyncio.timeout(loop.limit_s):
                    await loop.body()
                if loop.every_s is None:
                    return
            except Exception as why:
                due = self._clock.monotonic() + self._failed(loop, stats, failures, why)
            else:
                stats.down = False
                due = max(due + (loop.idle_s if loop.idle() else loop.every_s), self._clock.monotonic())
            stats.runs += 1
            stats.duration_s = self._clock.monotonic() - began
            self._on_run(loop.name, stats.duration_s, stats.lag_s)
            due = await self._rest(loop.name, due, began + loop.least_s)

    async def _rest(self, name: str, due: float, earliest: float = 0.0) -> float:
        """Wait until `due`, or a wake that is not before `earliest`; returns when the next run was due."""
        wake = self._wakes[name]
        try:
            async with asyncio.timeout(max(0.0, due - self._clock.monotonic())):
                await wake.wait()
            due = min(due, max(self._clock.monotonic(), earliest))
            await self._clock.sleep(max(0.0, due - self._clock.monotonic()))
        except TimeoutError:
            pass
        wake.clear()
        return due

    def _failed(self, loop: Loop, stats: LoopStats, failures: deque[float], why: Exception) -> float:
        """Book a failure; returns the seconds to wait before the next try."""
        now = self._clock.monotonic()
        stats.failures += 1
        stats.error = describe(why)
        failures.append(now)
        in_window = sum(at > now - WINDOW_S for at in failures)
        was_down = stats.down
        gave_up = was_down or in_window >= MAX_FAILURES
        if gave_up:
            stats.down = True
            if loop.on_give_up == "stop":
                self._gave_up.set()
        backoff = min(BACKOFF_LAST_S, BACKOFF_FIRST_S * 2 ** (in_window - 1))
        retry_s = GIVEN_UP_RETRY_S if gave_up else backoff * self._chance.uniform(0.5, 1.0)
        self._on_failure(Failure(loop.name, stats.error, retry_s, gave_up and not was_down))
        return retry_s


def describe(why: BaseException) -> str:
    """An exception in one line: its type and its text. A group of one is that one."""
    while isinstance(why, BaseExceptionGroup) and len(why.exceptions) == 1:
        why = why.exceptions[0]
    text = str(why)
    return f"{type(why).__name__}: {text}" if text else type(why).__name__
