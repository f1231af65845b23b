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
from selfheal.supervise.tree import end_strays, signal_one, stop_group

# The death is seen by a descriptor and booked a moment after the signal.
LOOK_S = 0.005
# What a stop of the whole fleet keeps back of its time for killing what did not end by itself.
KILL_SHARE_S = 1.0
# What hangs gets this long to end by itself before it is killed.
HUNG_S = 1.0
# A stack is written within milliseconds, or not at all; it is over when nothing more came for a moment.
STACK_S, STACK_PAUSE_S, STACK_BYTES = 1.0, 0.1, 4096


async def end(child: Child, patience_s: float, clock: Clock, *, hung: bool = False) -> str:
    """Ask the whole tree to end, kill it after `patience_s`; returns when its exit, an expected one, is booked.

    What is `hung` is soon killed, and asked for its stack before where its configuration says how: returned is what it
    wrote then.

    What left the process group is asked once that is gone, with what is left of the patience: a helper may be what
    the program needs to end in order.
    """
    child.forget_timers()
    process = child.process
    if process is None:
        return ""
    child.stopping = True
    try:
        stack = await _stack(child, process, clock) if hung else ""
        number = getattr(signals, f"SIG{child.config.stop.signal}")
        patience_s = min(patience_s, HUNG_S) if hung else patience_s
        began = clock.monotonic()
        await stop_group(process, signal=number, timeout_s=patience_s, clock=clock)
        await _gone(child, process, clock)
        left_s = max(0.0, patience_s - (clock.monotonic() - began))
        await end_strays(process, signal=number, timeout_s=left_s, clock=clock)
    finally:
        child.stopping = False  # also where it was called off: whatever ends then ends by itself
    return stack


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


async def _stack(child: Child, process: Process, clock: Clock) -> str:
    """Let a process write its stack, where it is known how to ask; returns the end of what it wrote."""
    if child.config.stop.dump is None:
        return ""
    begin, deadline = log_size(child), clock.monotonic() + STACK_S
    signal_one(process.run, getattr(signals, f"SIG{child.config.stop.dump}"))
    size, changed_at = begin, clock.monotonic()
    while clock.monotonic() < deadline and (size == begin or clock.monotonic() - changed_at < STACK_PAUSE_S):
        await clock.sleep(LOOK_S)
        if (now := log_size(child)) != size:
            size, changed_at = now, clock.monotonic()
    return _written(child, begin, size)


def _written(child: Child, begin: int, end: int) -> str:
    try:
        with child.launch.log.open("rb") as log:
            log.seek(max(begin, end - STACK_BYTES))
            return log.read(max(0, min(end - begin, STACK_BYTES))).decode(errors="replace").strip()
    except OSError:
        return ""


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
