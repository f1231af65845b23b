"""How is one child brought to its end, patiently or at once?"""

from __future__ import annotations

import asyncio
import signal as signals
from collections.abc import Iterable
from contextlib import suppress

from selfheal.clock import Clock
from selfheal.events import AgentExited, Run
from selfheal.supervise.child import Child, stop_order
from selfheal.supervise.launcher import Exit, Process
from selfheal.supervise.tree import end_strays, stop_group

# The death is seen by a descriptor and booked a moment after the signal.
LOOK_S = 0.005
# What a stop of the whole fleet keeps back of its time for killing what did not end by itself.
KILL_SHARE_S = 1.0


async def end(child: Child, patience_s: float, clock: Clock) -> None:
    """Ask the whole tree to end, kill it after `patience_s`; returns when its exit, an expected one, is booked.

    What left the process group is asked once that is gone, with what is left of the patience: a helper may be what
    the program needs to end in order.
    """
    child.forget_timers()
    process = child.process
    if process is None:
        return
    child.stopping = True
    number = getattr(signals, f"SIG{child.config.stop.signal}")
    began = clock.monotonic()
    await stop_group(process, signal=number, timeout_s=patience_s, clock=clock)
    await _gone(child, process, clock)
    left_s = max(0.0, patience_s - (clock.monotonic() - began))
    await end_strays(process, signal=number, timeout_s=left_s, clock=clock)
    child.stopping = False


async def end_all(children: Iterable[Child], timeout_s: float, clock: Clock) -> None:
    """End all, those that depend on others first. What has not ended in time is killed."""
    deadline = clock.monotonic() + timeout_s
    known = tuple(children)
    try:
        async with asyncio.timeout(max(0.1, timeout_s - KILL_SHARE_S)):
            for wave in stop_order(known):
                await asyncio.gather(*(end(child, child.config.stop.timeout, clock) for child in wave))
    except TimeoutError:
        left = max(0.1, deadline - clock.monotonic())
        await asyncio.gather(*(kill(child, left, clock) for child in known if child.process is not None))


async def kill(child: Child, timeout_s: float, clock: Clock) -> None:
    """Kill the whole tree, and wait at most `timeout_s` for its exit to be booked."""
    process = child.process
    if process is None:
        return
    child.stopping = True
    process.signal_group(signals.SIGKILL)
    process.signal_strays(signals.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await _gone(child, process, clock)


async def _gone(child: Child, process: Process, clock: Clock) -> None:
    while child.process is process:
        await clock.sleep(LOOK_S)


def exited(child: Child, run: Run, end: Exit, now: float, *, expected: bool) -> AgentExited:
    """The end of a run, as it is written down. To be made before the next run begins to write into the log."""
    ran_s = max(0.0, now - run.started_at)
    return AgentExited(now, child.name, run.generation, run.pid, end.code, end.signal, ran_s, expected, log_size(child))


def log_size(child: Child) -> int:
    """Where the log of a child ends now."""
    try:
        return child.launch.log.stat().st_size
    except OSError:
        return 0
