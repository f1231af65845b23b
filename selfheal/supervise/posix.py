"""How does an agent's process begin, and how do we learn that it ended?

A process is started by `posix_spawn`, never by a fork, and watched by a pidfd in the event loop: no thread, no timer,
no wake-up while nothing happens. Its death is told in the very callback that saw it, so that the next run can begin
there. What stays the same from run to run is prepared once per configuration.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from selfheal.clock import Clock
from selfheal.kinds import Run
from selfheal.supervise import marks, proc
from selfheal.supervise.cgroups import Groups, find_place
from selfheal.supervise.launcher import Exit, Hear, Launch, OnExit, OnStandby, Process
from selfheal.supervise.notify import NotifySocket
from selfheal.supervise.prepared import DEFAULT_SIGNALS, Prepared, prepare, within_reach
from selfheal.supervise.program import spawn_failed
from selfheal.supervise.standby import PREPARE_S, WIRE, Reserve
from selfheal.supervise.strays import Strays
from selfheal.supervise.subreaper import become_subreaper
from selfheal.supervise.tree import signal_caught
from selfheal.vocabulary import StartWay

_KILL = signal.SIGKILL


class PosixLauncher:
    """Processes of this machine. Changes the working directory for the time of a spawn: keep own paths absolute.

    Makes this process the subreaper of all that it starts. A standby that is not ready after `standby_limit_s` hangs.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Clock, marker: str, standby_limit_s: float = PREPARE_S
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._marker = marker
        _keep_files_to_ourselves()
        become_subreaper()
        self._home = os.open(".", os.O_PATH | os.O_DIRECTORY)
        self._boot_id = proc.boot_id()
        self._prepared: dict[str, Prepared] = {}
        self._notify: NotifySocket | None = None
        self._watched: dict[int, _PosixProcess] = {}  # by the descriptor that tells of the end
        self._mains: dict[int, _PosixProcess] = {}  # the same by pid
        self._groups = Groups(loop, find_place(marker, clock.now()))
        self._groups.tidy()
        self._reserve = Reserve(loop, self._begin_standby, standby_limit_s)
        self._since_ticks = proc.boot_ticks()
        self._strays = Strays(loop, marker, self._is_ours, self._groups.members)

    @property
    def enforced(self) -> Mapping[str, str]:
        """Which limits the kernel holds, and how trees are found, in words for the log."""
        return self._groups.enforced

    def listen(self, hear: Hear) -> None:
        def heard(pid: int, said: Mapping[str, str]) -> None:
            owner = self.owner(pid)
            if owner is not None:
                hear(*owner, said)

        self._notify = NotifySocket(self._loop, f"selfheal-{self._marker}", heard)

    def spawn(self, launch: Launch, generation: int, on_exit: OnExit) -> Process:
        waited = self._reserve.take(launch, marks.mark(self._marker, launch.agent, generation))
        how: StartWay = "cold"
        if waited is None:
            run, pidfd = self._begin(launch, generation)
        else:
            run = Run(waited.pid, generation, self._clock.now(), waited.start_ticks, self._boot_id)
            pidfd, how = waited.pidfd, waited.kind
        try:
            process = self._watch(run, launch.agent, pidfd, on_exit, adopted=False, how=how)
        except OSError as error:
            _abandon(run.pid)
            raise spawn_failed(launch.argv[0], error) from error
        self._groups.enter(run, launch)
        return process

    def limit(self, run: Run, launch: Launch) -> None:
        self._groups.enter(run, launch)

    def stand_by(self, launch: Launch, on_change: OnStandby) -> None:
        self._reserve.stand_by(launch, on_change)

    def stand_down(self, agent: str) -> None:
        self._reserve.stand_down(agent)

    def adopt(self, run: Run, agent: str, on_exit: OnExit) -> Process | None:
        if run.boot_id != self._boot_id:
            return None
        try:
            pidfd = os.pidfd_open(run.pid)
        except OSError:  # gone, or the number is a thread's
            return None
        if not _is_still(run):  # looked at after the open: from here on the pidfd means this process and no other
            os.close(pidfd)
            return None
        return self._watch(run, agent, pidfd, on_exit, adopted=True)

    def leftovers(self) -> list[tuple[str, Run]]:
        found = marks.find_marked(self._marker, self._clock.now())
        return [(marked.agent, marked.run) for marked in found if marked.leads and not marked.waits]

    async def strays(self) -> list[tuple[str, Run]]:
        """What waits is ours where it began after us: a zygote may have forked one that has not told us yet."""
        return [
            (marked.agent, marked.run)
            for marked in await self._marked()
            if not marked.waits or marked.run.start_ticks < self._since_ticks
        ]

    def owner(self, pid: int) -> tuple[str, int] | None:
        main = self._mains.get(pid)
        if main is None:
            try:
                main = self._mains.get(proc.stat(pid).session)
            except ProcessLookupError:
                return None  # it spoke and ended
        return (main.agent, main.run.generation) if main is not None else marks.owner(pid, self._marker)

    def _is_ours(self, pid: int) -> bool:
        return pid in self._mains or pid in self._reserve.pids

    def reap(self) -> None:
        self._strays.reap()
        self._groups.tidy()

    def close(self) -> None:
        self._reserve.close()
        self._strays.close()
        if self._notify is not None:
            self._notify.close()
        while self._watched:
            self._unwatch(next(iter(self._watched)))
        if self._home >= 0:
            os.close(self._home)
            self._home = -1
            self._groups.close()

    def _begin(self, launch: Launch, generation: int) -> tuple[Run, int]:
        """Start a process; returns it with a descriptor that tells of its end."""
        started_at, before = self._clock.now(), proc.boot_ticks()
        pid = self._start(launch, generation)
        try:
            # /proc/PID/stat waits for the end of the exec, up to a millisecond: not read where the tick is certain.
            start_ticks = before if before == proc.boot_ticks() else proc.stat(pid).start_ticks
            return Run(pid, generation, started_at, start_ticks, self._boot_id), os.pidfd_open(pid)
        except OSError as error:
            _abandon(pid)
            raise spawn_failed(launch.argv[0], error) from error

    def _start(self, launch: Launch, generation: int) -> int:
        mark = marks.mark(self._marker, launch.agent, generation)
        prepared = self._prepared.get(launch.agent)
        if prepared is not None and prepared.launch == launch:
            try:
                return self._spawn(prepared, mark)
            except OSError:
                pass  # the program, the directory or the log's folder moved since: look at all of it again
        prepared = self._prepare(launch)
        try:
            pid = self._spawn(prepared, mark)
        except (OSError, ValueError) as error:
            raise spawn_failed(launch.argv[0], error) from error
        self._prepared[launch.agent] = prepared
        return pid

    def _begin_standby(self, launch: Launch, fd: int) -> int:
        """Start what a standby begins with, `fd` being its end of the wire. Raises SpawnFailed."""
        prepared = self._prepare(launch)
        prepared.file_actions = (*prepared.file_actions, (os.POSIX_SPAWN_DUP2, fd, WIRE))
        try:
            pid = self._spawn(prepared, marks.waiting_mark(self._marker, launch.agent))
        except (OSError, ValueError) as error:
            raise spawn_failed(launch.argv[0], error) from error
        return pid

    def _prepare(self, launch: Launch) -> Prepared:
        prepared = prepare(launch)
        if self._notify is not None:
            prepared.environment.setdefault(b"NOTIFY_SOCKET", self._notify.address.encode())
        return prepared

    def _spawn(self, prepared: Prepared, mark: str) -> int:
        prepared.environment[marks.VARIABLE.encode()] = os.fsencode(mark)
        os.chdir(prepared.launch.directory)  # by name each time: a deployment may have put another one there
        # Ours for 0.2 ms, as the directory is: a trampoline would double the start. All that we create ourselves is
        # the owner's alone, and a umask leaves the owner his bits: what a thread creates meanwhile is no different.
        own_mask = os.umask(prepared.umask) if prepared.umask is not None else None
        try:
            pid = os.posix_spawn(
                prepared.program,
                prepared.argv,
                prepared.environment,
                file_actions=prepared.file_actions,
                setsid=True,
                setsigmask=(),
                setsigdef=DEFAULT_SIGNALS,
            )
        finally:
            if own_mask is not None:
                os.umask(own_mask)
            os.fchdir(self._home)
        if prepared.max_fds is not None:
            try:
                _limit_files(pid, prepared.max_fds)
            except OSError:
                _abandon(pid)
                raise
        return pid

    def _watch(
        self, run: Run, agent: str, pidfd: int, on_exit: OnExit, *, adopted: bool, how: StartWay = "cold"
    ) -> Process:
        process = _PosixProcess(run, agent, adopted, how, self._strays, self._groups, self._find_strays)
        try:
            self._loop.add_reader(pidfd, self._ended, pidfd, process, on_exit)
        except OSError:
            os.close(pidfd)
            raise
        self._watched[pidfd] = self._mains[run.pid] = process
        return process

    async def _find_strays(self, run: Run, agent: str) -> list[Run]:
        found = await self._marked()
        its_own = (one.run for one in found if one.agent == agent and not one.waits)
        known = {one.pid: one for one in its_own if one.generation <= run.generation}
        for pid in self._groups.members(run, agent):
            with suppress(ProcessLookupError):
                if pid not in known and (entry := proc.stat(pid)).alive:
                    known[pid] = Run(pid, run.generation, run.started_at, entry.start_ticks, self._boot_id)
        return list(known.values())

    async def _marked(self) -> list[marks.Marked]:
        return await asyncio.to_thread(marks.find_marked, self._marker, self._clock.now())

    def _ended(self, pidfd: int, process: _PosixProcess, on_exit: OnExit) -> None:
        try:
            status = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            end = Exit(None, None)
        else:
            if status is None:
                return  # nothing to reap yet; the reader stays
            exited = status.si_code == os.CLD_EXITED
            end = Exit(status.si_status, None) if exited else Exit(None, status.si_status)
        self._strays.answering_deaths = True
        try:
            on_exit(process, end)  # before we clear up: the next run shall not wait for that
        finally:
            self._strays.answering_deaths = False
            self._unwatch(pidfd)
            self._groups.left(process.run, process.agent)

    def _unwatch(self, pidfd: int) -> None:
        process = self._watched.pop(pidfd)
        if self._mains.get(process.run.pid) is process:  # else its number is another's already
            del self._mains[process.run.pid]
        self._loop.remove_reader(pidfd)
        os.close(pidfd)


@dataclass(frozen=True, slots=True)
class _PosixProcess:
    run: Run
    agent: str
    adopted: bool
    how: StartWay
    strays: Strays
    groups: Groups
    find: Callable[[Run, str], Awaitable[list[Run]]]

    def signal_group(self, signal: int) -> None:
        if not proc.has_group(self.run):  # never somebody else's group of the same number
            return
        with suppress(ProcessLookupError):
            os.killpg(self.run.pid, signal)

    def group_alive(self) -> bool:
        return proc.group_alive(self.run)

    def signal_strays(self, signal: int) -> bool:
        any_there = self.strays.signal(self.run, self.agent, signal)
        if any_there and signal == _KILL:  # else nobody is left in its group either
            self.groups.kill(self.run, self.agent)
        return any_there

    def signal_main(self, signal: int) -> str:
        return signal_caught(self.run, signal)

    def allow_files(self, count: int) -> tuple[int, int]:
        """A number that is given away between the look and the call would be given to a process that began just now."""
        if not _is_still(self.run):
            return 0, count
        now = _allow_files(self.run.pid, count)
        for pid in self.helpers():
            _allow_files(pid, count)
        return now, count if now >= count else within_reach((count, count))[0]

    def helpers(self) -> Sequence[int]:
        return self.strays.helpers(self.run, self.agent)

    async def find_strays(self) -> list[Run]:
        return await self.find(self.run, self.agent)


def _keep_files_to_ourselves() -> None:
    """Pass on no file that we were given ourselves: an agent that holds a pipe of our caller keeps that one waiting."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the one of the listing itself is closed by now
            if int(name) > 2:
                os.set_inheritable(int(name), False)


def _limit_files(pid: int, files: tuple[int, int]) -> None:
    """Set RLIMIT_NOFILE of a process that has just begun: a trampoline for it would cost as much as the start."""
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, files)
    except PermissionError:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, within_reach(files))


def _allow_files(pid: int, count: int) -> int:
    """Let one that runs on open so many; returns how many it may by now, 0 where that cannot be known.

    The hard limit is never lowered, for only root could raise it again.
    """
    try:
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    except OSError:  # it has ended, or is another user's
        return 0
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, max(count, hard)))
    except (OSError, ValueError):
        return soft
    return count


def _abandon(pid: int) -> None:
    """End a child that could not be watched, and reap it: a process that nobody watches must not live."""
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _is_still(run: Run) -> bool:
    try:
        found = proc.stat(run.pid)
    except ProcessLookupError:
        return False
    return found.start_ticks == run.start_ticks and found.alive
