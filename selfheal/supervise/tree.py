"""How does everything that an agent started come to an end?

The process group is asked, then killed; what slipped out of the group is found and ended one by one.
"""

from __future__ import annotations

import asyncio
import os
import signal as signals
from collections.abc import Awaitable, Callable, Iterable

from selfheal.clock import Clock
from selfheal.kinds import Run
from selfheal.supervise import proc
from selfheal.supervise.launcher import Launcher, Process

_FIRST_LOOK_S = 0.005  # most programs end within a few milliseconds of TERM
_LAST_LOOK_S = 0.1
_KILL_WAIT_S = 2.0  # a killed process ends at once, unless a device holds it: that one no wait will free


async def stop_group(process: Process, *, signal: int, timeout_s: float, clock: Clock) -> bool:
    """Ask the whole process group to end, and kill it after `timeout_s`. Returns whether it had to be killed.

    A process that waits for a device may outlive even that: `process.group_alive()` tells.
    """
    process.signal_group(signal)
    process.signal_group(signals.SIGCONT)  # a stopped process takes no other signal
    if await _ended(process.group_alive, timeout_s, clock):
        return False
    process.signal_group(signals.SIGKILL)
    await _ended(process.group_alive, _KILL_WAIT_S, clock)
    return True


async def end_strays(process: Process, *, signal: int, timeout_s: float, clock: Clock) -> None:
    """End what a run started and that left its group: asked with `signal`, killed after `timeout_s`.

    Bounded like `stop_group`. An adopted run's are found by a look at the whole machine.
    """
    if process.adopted:
        await kill_leftovers(process.find_strays, timeout_s=timeout_s, clock=clock)
        return
    if not process.signal_strays(signal if timeout_s > 0 else signals.SIGKILL):
        return
    if not await _ended(lambda: process.signal_strays(0), timeout_s, clock):
        await _ended(lambda: process.signal_strays(signals.SIGKILL), _KILL_WAIT_S, clock)


async def kill_leftovers(find: Callable[[], Awaitable[Iterable[Run]]], *, timeout_s: float, clock: Clock) -> int:
    """End every process that `find` returns: TERM, after `timeout_s` KILL, until it finds none. Returns how many.

    `find` is asked again and again: what a leftover starts meanwhile is one too. Bounded like `stop_group`.
    """
    asked: set[Run] = set()
    began = clock.monotonic()
    wait_s = _FIRST_LOOK_S
    while found := set(await find()):
        waited = clock.monotonic() - began
        if waited >= timeout_s + _KILL_WAIT_S:
            break
        for run in found if waited >= timeout_s else found - asked:
            signal_one(run, signals.SIGKILL if waited >= timeout_s else signals.SIGTERM)
        asked |= found
        await clock.sleep(wait_s)
        wait_s = min(2 * wait_s, _LAST_LOOK_S)
    return len(asked)


async def end_runs(launcher: Launcher, runs: Iterable[tuple[str, Run]], *, timeout_s: float, clock: Clock) -> None:
    """End what an earlier daemon left and nobody wants, by agent and run, all at once and each with its group."""
    found = [launcher.adopt(run, agent, lambda process, end: None) for agent, run in runs]
    await asyncio.gather(
        *(
            stop_group(process, signal=signals.SIGTERM, timeout_s=timeout_s, clock=clock)
            for process in found
            if process is not None
        )
    )


async def _ended(alive: Callable[[], bool], timeout_s: float, clock: Clock) -> bool:
    deadline = clock.monotonic() + timeout_s
    wait_s = _FIRST_LOOK_S
    while alive():
        left = deadline - clock.monotonic()
        if left <= 0:
            return False
        await clock.sleep(min(wait_s, left))
        wait_s = min(2 * wait_s, _LAST_LOOK_S)
    return True


def signal_caught(run: Run, signal: int) -> str:
    """Signal this one process where it has a handler for that; returns why it was not done, empty where it was.

    Most signals end who does not catch them.
    """
    name = signals.Signals(signal).name
    try:
        pidfd = os.pidfd_open(run.pid)
    except OSError:
        return "its process is gone"
    try:
        if proc.stat(run.pid).start_ticks != run.start_ticks:
            return "its process is gone"
        does = proc.dispositions(run.pid)
        if signal in does.ignored:
            return f"it ignores {name}"
        if signal not in does.caught:
            return f"it does not catch {name}, which would end it"
        signals.pidfd_send_signal(pidfd, signal)
    except ProcessLookupError:
        return "its process is gone"
    except PermissionError:
        return f"this user may not send {name} to process {run.pid}"
    finally:
        os.close(pidfd)
    return ""


def signal_one(run: Run, signal: int) -> None:
    """Signal this one process, and no other that was given its pid since. It is woken where it is stopped."""
    try:
        pidfd = os.pidfd_open(run.pid)
    except OSError:  # gone
        return
    try:
        if proc.stat(run.pid).start_ticks == run.start_ticks:
            signals.pidfd_send_signal(pidfd, signal)
            signals.pidfd_send_signal(pidfd, signals.SIGCONT)
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)
