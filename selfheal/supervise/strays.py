"""What did a run start that has left its process group?

A helper that opened a session of its own, or a double fork. We are their subreaper: what loses its parent becomes our
child, so one read of the kernel's list of our children finds every orphan there is, in 20 µs with a hundred of them.
Whose it is says the mark in its environment, or its session. Nothing is ever signalled on a guess.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal as signals
from collections.abc import Callable, Iterable
from contextlib import suppress

from selfheal.kinds import Run
from selfheal.supervise import marks, proc

_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_CHUNK_BYTES = 64 * 1024


def become_subreaper() -> None:
    """From now on whatever descends from us and loses its parent becomes our child, not that of process 1."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Strays:
    """Finds, signals and buries what belongs to a run and is not in its group.

    What `is_ours` somebody else waits for: it is never reaped here, and never anybody's stray.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, marker: str, is_ours: Callable[[int], bool]) -> None:
        self._loop = loop
        self._marker = marker
        self._is_ours = is_ours
        self._dying: set[int] = set()
        self._ended_before: set[tuple[int, int]] = set()

    def signal(self, run: Run, agent: str, signal: int) -> bool:
        """Signal every stray of `run`, or of an earlier run of `agent`; returns whether any was there. 0 only asks."""
        any_there = False
        for stray in self._of(run, agent):
            any_there |= self._signal(stray, signal)
        return any_there

    def reap(self) -> int:
        """Bury orphans that have ended by themselves. Returns how many.

        Whoever waits for a child of ours does so within milliseconds: one that has been dead since the look before
        is nobody's.
        """
        seen = (_look(pid) for pid in children(os.getpid()) if not self._is_ours(pid))
        ended = {(entry.pid, entry.start_ticks) for entry in seen if entry is not None and not entry.alive}
        nobodys = ended & self._ended_before
        self._ended_before = ended - nobodys
        for pid, _ in nobodys:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return len(nobodys)

    def close(self) -> None:
        """Wait for no more of them."""
        for fd in tuple(self._dying):
            self._let_go(fd)

    def _of(self, run: Run, agent: str) -> list[proc.ProcStat]:
        """All of them, before the first is signalled: the children of one that has ended are no longer its own."""
        others = (pid for pid in children(os.getpid()) if not self._is_ours(pid))
        found = [entry for pid in others if (entry := _look(pid)) is not None]
        orphans = [entry for entry in found if self._belongs(entry, run, agent)]
        main = _look(run.pid)
        alive = main is not None and main.start_ticks == run.start_ticks
        below = map(_look, _descendants([*(orphan.pid for orphan in orphans), *([run.pid] if alive else ())]))
        return [*orphans, *(entry for entry in below if entry is not None and entry.group != run.pid)]

    def _belongs(self, orphan: proc.ProcStat, run: Run, agent: str) -> bool:
        """Whether it was started by this run, or by an earlier one of the same agent."""
        if orphan.session == run.pid:
            return True
        owner = marks.owner(orphan.pid, self._marker) if orphan.alive else None
        return owner is not None and owner[0] == agent and owner[1] <= run.generation

    def _signal(self, stray: proc.ProcStat, signal: int) -> bool:
        """Signal this one process, and no other that was given its pid since; returns whether it was alive."""
        try:
            fd = os.pidfd_open(stray.pid)
        except OSError:  # gone
            return False
        now = _look(stray.pid)
        if now is None or now.start_ticks != stray.start_ticks:
            os.close(fd)
            return False
        with suppress(ProcessLookupError, PermissionError):
            signals.pidfd_send_signal(fd, signal)
            if signal not in (0, signals.SIGKILL):
                signals.pidfd_send_signal(fd, signals.SIGCONT)  # a stopped process takes no other
        if signal:
            self._bury_when_dead(fd)
        else:
            os.close(fd)
        return now.alive

    def _bury_when_dead(self, fd: int) -> None:
        try:
            self._loop.add_reader(fd, self._bury, fd)
        except OSError:  # no descriptor is left: `reap` finds it later
            os.close(fd)
        else:
            self._dying.add(fd)

    def _bury(self, fd: int) -> None:
        with suppress(ChildProcessError):  # its parent lives, and does it
            os.waitid(os.P_PIDFD, fd, os.WEXITED | os.WNOHANG)
        self._let_go(fd)

    def _let_go(self, fd: int) -> None:
        self._dying.discard(fd)
        self._loop.remove_reader(fd)
        os.close(fd)


def children(pid: int) -> list[int]:
    """The children of a process, ended ones too that nobody has waited for. None where it is gone."""
    found: list[int] = []
    for task in _tasks(pid):
        found.extend(map(int, _read_all(f"/proc/{pid}/task/{task}/children").split()))
    return found


def _descendants(roots: Iterable[int]) -> list[int]:
    """Nearest first: a parent that is signalled before its children starts no more of them."""
    seen = list(dict.fromkeys(roots))
    begin = len(seen)
    for pid in seen:  # grows while it is walked
        seen.extend(child for child in children(pid) if child not in seen)
    return seen[begin:]


def _tasks(pid: int) -> list[str]:
    """The threads that may have children. Ours are all started by, and orphans are given to, the main one."""
    if pid == os.getpid():
        return [str(pid)]
    try:
        return os.listdir(f"/proc/{pid}/task")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _read_all(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, ProcessLookupError):
        return b""
    try:
        read = b""
        while chunk := os.read(fd, _CHUNK_BYTES):
            read += chunk
        return read
    except ProcessLookupError:
        return b""
    finally:
        os.close(fd)


def _look(pid: int) -> proc.ProcStat | None:
    try:
        return proc.stat(pid)
    except ProcessLookupError:
        return None
