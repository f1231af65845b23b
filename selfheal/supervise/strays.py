"""What did a run start that has left its process group?

A helper that opened a session of its own, or a double fork. We are their subreaper: what loses its parent becomes our
child, so one read of the kernel's list of our children finds every orphan there is, in 20 µs with a hundred of them.
Whose it is says the mark in its environment, or its session. Nothing is ever signalled on a guess.
"""

from __future__ import annotations

import asyncio
import os
import signal as signals
from collections.abc import Callable, Collection
from contextlib import suppress

from selfheal.kinds import Run
from selfheal.supervise import marks, proc

# Whose an orphan is is asked once; whether there are new ones, so often.
_ORPHANS_S = 1.0
_MOST_KEPT = 4096


class Strays:
    """Finds, signals and buries what belongs to a run and is not in its group.

    What `is_ours` somebody else waits for: it is never reaped here, and never anybody's stray. `grouped` is what the
    kernel itself knows to be of a run, where it was given a group.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        marker: str,
        is_ours: Callable[[int], bool],
        grouped: Callable[[Run, str], Collection[int]],
    ) -> None:
        self._loop = loop
        self._marker = marker
        self._is_ours = is_ours
        self._grouped = grouped
        self._orphans: dict[proc.ProcStat, tuple[str, int] | None] = {}
        self._orphans_at = -_ORPHANS_S
        self._forks = proc.Forks()
        self._helpers: dict[str, tuple[int, Run, list[int]]] = {}
        self._dying: set[int] = set()
        self._ended_before: set[tuple[int, int]] = set()
        self._seen: list[int] | None = None
        self.answering_deaths = False
        """While set, one look at our children serves all deaths that the loop told in one pass.

        They had all happened before the look, and so had the change of parents. A thousand looks at a thousand
        children would take seconds.
        """

    def signal(self, run: Run, agent: str, signal: int) -> bool:
        """Signal every stray of `run`, or of an earlier run of `agent`; returns whether any was there. 0 only asks."""
        any_there = False
        for stray in self._of(run, agent):
            any_there |= self._signal(stray, signal)
        return any_there

    def helpers(self, run: Run, agent: str) -> list[int]:
        """What a run has started, in its group or not, itself left out. An orphan is seen within a second.

        Where nothing was started on the whole machine since it was looked at, it is what it was then; some may be gone.
        """
        grouped = self._grouped(run, agent)
        if run.pid in grouped:
            return [pid for pid in grouped if pid != run.pid]
        last = self._forks.last()
        then = self._helpers.get(agent)
        if then is not None and then[0] == last and then[1] == run:
            return then[2]
        found = self._find_helpers(run, agent)
        if len(self._helpers) >= _MOST_KEPT:  # of agents that are no more
            self._helpers.clear()
        self._helpers[agent] = (last, run, found)
        return found

    def _find_helpers(self, run: Run, agent: str) -> list[int]:
        if self._loop.time() - self._orphans_at >= _ORPHANS_S:
            self._look_for_orphans()
        orphans = [
            orphan.pid
            for orphan, owner in self._orphans.items()
            if orphan.session == run.pid or (owner is not None and owner[0] == agent and owner[1] <= run.generation)
        ]
        return [*orphans, *proc.descendants([run.pid, *orphans])]

    def reap(self) -> int:
        """Bury orphans that have ended by themselves. Returns how many.

        Whoever waits for a child of ours does so within milliseconds: one that has been dead since the look before
        is nobody's.
        """
        if not _has_ended_child():
            self._ended_before = set()
            return 0
        seen = map(_look, self._strangers())
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
        self._forks.close()
        self._helpers.clear()

    def _of(self, run: Run, agent: str) -> list[proc.ProcStat]:
        """All of them, before the first is signalled: the children of one that has ended are no longer its own."""
        found = [entry for pid in self._strangers() if (entry := _look(pid)) is not None]
        orphans = [entry for entry in found if self._belongs(entry, run, agent)]
        main = _look(run.pid)
        alive = main is not None and main.start_ticks == run.start_ticks
        below = proc.descendants([*(orphan.pid for orphan in orphans), *([run.pid] if alive else ())])
        known = {run.pid, *(orphan.pid for orphan in orphans)}
        rest = map(_look, (pid for pid in dict.fromkeys([*below, *self._grouped(run, agent)]) if pid not in known))
        return [*orphans, *(entry for entry in rest if entry is not None and entry.group != run.pid)]

    def _look_for_orphans(self) -> None:
        before = {(one.pid, one.start_ticks): owner for one, owner in self._orphans.items()}
        seen = [entry for pid in self._strangers() if (entry := _look(pid)) is not None]
        self._orphans_at = self._loop.time()
        self._orphans = {
            entry: before[key]
            if (key := (entry.pid, entry.start_ticks)) in before
            else marks.owner(entry.pid, self._marker)
            for entry in seen
            if entry.alive
        }

    def _strangers(self) -> list[int]:
        """Our children that nobody else waits for."""
        if self.answering_deaths and self._seen is not None:
            return self._seen
        found = [pid for pid in proc.children(os.getpid()) if not self._is_ours(pid)]
        if self.answering_deaths:
            self._seen = found
            self._loop.call_soon(self._forget)  # comes before the next pass's first callback
        return found

    def _forget(self) -> None:
        self._seen = None

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


def _has_ended_child() -> bool:
    """Whether any child of ours has ended and was not waited for: one question in place of a thousand."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # there are none
        return False


def _look(pid: int) -> proc.ProcStat | None:
    try:
        return proc.stat(pid)
    except ProcessLookupError:
        return None
