"""Has a run that was begun become ready, and who has waited for that?"""

from __future__ import annotations

import asyncio
import signal as signals
from collections.abc import Awaitable, Callable, Coroutine

from selfheal.clock import Clock
from selfheal.errors import FixFailed, SpawnFailed
from selfheal.events import AgentReady, AgentStartFailed, Run
from selfheal.ledger import Ledger
from selfheal.supervise.child import Child
from selfheal.supervise.launcher import Process
from selfheal.supervise.tree import stop_group

# Without a check and without `ready`, a process that is alive for this long counts as started.
ALIVE_S = 0.25
# How long the checks of a program that was restarted may take to turn good, where `ready` does not say.
CHECKS_S = 30.0

Ready = Callable[[str, Run | None], Awaitable[None]]
"""Returns when the run of an agent is ready for work; raises TimeoutError where it took too long.

What is no process of ours has no run, and is ready when its checks are good."""

Spawn = Callable[[str, Coroutine[object, object, None]], asyncio.Future[None]]


class GettingReady:
    """Waits for each run in a task of its own and writes down how that ended."""

    def __init__(
        self, ledger: Ledger, clock: Clock, wait_ready: Ready, spawn: Spawn, settle: Callable[[str], None]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._wait_ready = wait_ready
        self._spawn = spawn
        self._settle = settle

    def begin(self, child: Child) -> None:
        """Wait for the run that a child has now."""
        if child.process is not None:
            child.readiness = self._spawn(f"ready {child.name}", self._wait(child, child.process))

    def is_ready(self, child: Child, run: Run, took_s: float) -> None:
        """Write down that the run of a child is ready, and let those go on who waited for it."""
        self._ledger.record(AgentReady(self._clock.now(), child.name, run.generation, took_s))
        if not child.config.ends:  # others wait for its end
            child.ready.set()

    async def needs(self, children: dict[str, Child], names: tuple[str, ...]) -> None:
        """Return when all of these are ready, processes of ours or not."""
        for name in names:
            if name in children:
                await children[name].ready.wait()
            else:
                await self._wait_ready(name, None)

    async def outcome(self, child: Child, process: Process | None) -> None:
        """Return when a process is ready, or when somebody has ordered it to end. Raises FixFailed where it is late."""
        limit_s = child.config.ready.timeout + 1.0 if child.config.ready is not None else CHECKS_S
        if child.readiness is not None and not child.config.ends:
            await asyncio.wait({child.readiness}, timeout=limit_s)
        if child.stopping or (child.config.ends and child.process is process):
            return
        self._settle(child.name)  # a death that was answered a moment ago may not be written down yet
        agent = self._ledger.world.agents.get(child.name)
        if child.process is process and not child.ready.is_set():
            late = f"cannot call {child.name} ready: its checks are not good {limit_s:g} s after its start"
            raise FixFailed((agent.start_error if agent is not None else "") or late)
        ended = agent.last_exit if agent is not None else None
        if child.process is not process and ended is not None and not ended.expected:
            raise FixFailed(f"cannot restart {child.name}: it ended again before it was ready; its log says why")

    async def _wait(self, child: Child, process: Process) -> None:
        run = process.run
        since = self._clock.now() if process.adopted else run.started_at
        try:
            await self._wait_ready(child.name, run)
        except TimeoutError as why:
            if child.process is process:
                cause = why.__cause__.cause if isinstance(why.__cause__, SpawnFailed) else "hung"
                self._ledger.record(AgentStartFailed(self._clock.now(), child.name, str(why), cause))
            return
        if child.process is process:
            self.is_ready(child, run, max(0.0, self._clock.now() - since))
        if child.config.timeout is not None:
            await self._end_in_time(child, process)

    async def _end_in_time(self, child: Child, process: Process) -> None:
        """End a run that takes longer than it may. Its death is one as any other, and no clean one."""
        while (limit_s := child.config.timeout) is not None:  # a reload may have given it more
            left_s = process.run.started_at + limit_s - self._clock.now()
            if left_s <= 0.0:
                break
            await self._clock.sleep(left_s)
        if limit_s is None or child.process is not process or child.stopping:
            return
        why = f"it did not come to its end within {limit_s:g} s and is ended; see its log, or raise 'timeout'"
        self._ledger.record(AgentStartFailed(self._clock.now(), child.name, why, "hung"))
        number = getattr(signals, f"SIG{child.config.stop.signal}")
        await stop_group(process, signal=number, timeout_s=child.config.stop.timeout, clock=self._clock)
