"""How does an agent's process begin, and how do we learn that it ended?

A process is started by `posix_spawn`, never by a fork, and watched by a pidfd in the event loop: no thread, no timer,
no wake-up while nothing happens. Its death is told in the very callback that saw it, so that the next run can begin
there. What stays the same from run to run is prepared once per configuration.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import resource
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from selfheal.clock import Clock
from selfheal.errors import SpawnFailed
from selfheal.kinds import Run
from selfheal.supervise import marks, proc
from selfheal.supervise.launcher import Exit, Hear, Launch, OnExit, OnStandby, Process
from selfheal.supervise.notify import NotifySocket
from selfheal.supervise.program import find_program, spawn_failed
from selfheal.supervise.standby import WIRE, Reserve
from selfheal.supervise.strays import Strays, become_subreaper
from selfheal.vocabulary import StartWay

_LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_LOG_MODE = 0o600


class PosixLauncher:
    """Processes of this machine. Changes the working directory for the time of a spawn: keep own paths absolute.

    Makes this process the subreaper of all that it starts.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock, marker: str) -> None:
        self._loop = loop
        self._clock = clock
        self._marker = marker
        _keep_files_to_ourselves()
        become_subreaper()
        self._home = os.open(".", os.O_PATH | os.O_DIRECTORY)
        self._boot_id = proc.boot_id()
        self._prepared: dict[str, _Prepared] = {}
        self._notify: NotifySocket | None = None
        self._watched: dict[int, _PosixProcess] = {}  # by the descriptor that tells of the end
        self._mains: dict[int, _PosixProcess] = {}  # the same by pid
        self._reserve = Reserve(loop, self._begin_standby)
        self._strays = Strays(loop, marker, self._is_ours)

    def listen(self, hear: Hear) -> None:
        def heard(pid: int, said: Mapping[str, str]) -> None:
            owner = self.owner(pid)
            if owner is not None:
                hear(*owner, said)

        self._notify = NotifySocket(self._loop, f"selfheal-{self._marker}", heard)

    def spawn(self, launch: Launch, generation: int, on_exit: OnExit) -> Process:
        taken = self._reserve.take(launch, marks.mark(self._marker, launch.agent, generation))
        if taken is not None:
            run = Run(taken.pid, generation, self._clock.now(), taken.start_ticks, self._boot_id)
            return self._watch(run, launch.agent, taken.pidfd, on_exit, adopted=False, how=taken.kind)
        started_at, before = self._clock.now(), proc.boot_ticks()
        pid = self._start(launch, generation)
        try:
            if launch.max_fds is not None:
                _limit_files(pid, launch.max_fds)
            # /proc/PID/stat waits for the end of the exec, up to a millisecond: not read where the tick is certain.
            start_ticks = before if before == proc.boot_ticks() else proc.stat(pid).start_ticks
            run = Run(pid, generation, started_at, start_ticks, self._boot_id)
            return self._watch(run, launch.agent, os.pidfd_open(pid), on_exit, adopted=False)
        except OSError as error:
            _abandon(pid)  # a process that nobody watches must not live
            raise spawn_failed(launch.argv[0], error) from error

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
        found, ours = await self._marked(), self._reserve.pids
        return [(marked.agent, marked.run) for marked in found if not marked.waits or marked.run.pid not in ours]

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
            if launch.max_fds is not None:
                _limit_files(pid, launch.max_fds)
        except (OSError, ValueError) as error:
            raise spawn_failed(launch.argv[0], error) from error
        return pid

    def _prepare(self, launch: Launch) -> _Prepared:
        prepared = _prepare(launch)
        if self._notify is not None:
            prepared.environment.setdefault(b"NOTIFY_SOCKET", self._notify.address.encode())
        return prepared

    def _spawn(self, prepared: _Prepared, mark: str) -> int:
        prepared.environment[marks.VARIABLE.encode()] = os.fsencode(mark)
        os.chdir(prepared.launch.directory)  # by name each time: a deployment may have put another one there
        try:
            return os.posix_spawn(
                prepared.program,
                prepared.argv,
                prepared.environment,
                file_actions=prepared.file_actions,
                setsid=True,
                setsigmask=(),
                setsigdef=prepared.default_signals,
            )
        finally:
            os.fchdir(self._home)

    def _watch(
        self, run: Run, agent: str, pidfd: int, on_exit: OnExit, *, adopted: bool, how: StartWay = "cold"
    ) -> Process:
        process = _PosixProcess(run, agent, adopted, how, self._strays, self._find_strays)
        try:
            self._loop.add_reader(pidfd, self._ended, pidfd, process, on_exit)
        except OSError:
            os.close(pidfd)
            raise
        self._watched[pidfd] = self._mains[run.pid] = process
        return process

    async def _find_strays(self, run: Run, agent: str) -> list[Run]:
        found = await self._marked()
        its_own = (one for one in found if one.agent == agent and not one.waits)
        return [one.run for one in its_own if one.run.generation <= run.generation]

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
        try:
            on_exit(process, end)  # before we clear up: the next run shall not wait for that
        finally:
            self._unwatch(pidfd)

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
    find: Callable[[Run, str], Awaitable[list[Run]]]

    def signal_group(self, signal: int) -> None:
        if not self.group_alive():  # and so never somebody else's group of the same number
            return
        with suppress(ProcessLookupError):
            os.killpg(self.run.pid, signal)

    def group_alive(self) -> bool:
        return proc.group_alive(self.run)

    def signal_strays(self, signal: int) -> bool:
        return self.strays.signal(self.run, self.agent, signal)

    async def find_strays(self) -> list[Run]:
        return await self.find(self.run, self.agent)


@dataclass(slots=True)
class _Prepared:
    """What the system is given, in its own form. `environment` is ours alone: the mark is put into it at each start."""

    launch: Launch
    program: str
    argv: tuple[bytes, ...]
    environment: dict[bytes, bytes]
    file_actions: tuple[tuple[int, int, str, int, int] | tuple[int, int, int], ...]
    default_signals: frozenset[signal.Signals | int]


def _prepare(launch: Launch) -> _Prepared:
    """Look up all that a start needs. Raises SpawnFailed with what is missing."""
    program = find_program(launch.argv[0], launch.directory, launch.environment)
    _check_log(launch)
    argv = launch.argv
    trampoline = _trampoline(launch)
    if trampoline:
        argv = (*trampoline, program, *argv[1:])
        program = trampoline[0]
    return _Prepared(
        launch=launch,
        program=program,
        argv=tuple(map(os.fsencode, argv)),
        environment={os.fsencode(name): os.fsencode(value) for name, value in launch.environment.items()},
        file_actions=(
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(launch.log), _LOG_FLAGS, _LOG_MODE),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ),
        # An ignored signal stays ignored in the child: Python ignores PIPE and XFSZ, nohup HUP.
        default_signals=frozenset(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}),
    )


def _check_log(launch: Launch) -> None:
    """Open the log as the child will, so that its failure is not taken for the program's."""
    try:
        launch.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(launch.log, _LOG_FLAGS, _LOG_MODE))
    except OSError as error:
        known = spawn_failed(launch.argv[0], error)
        cause = "bad_configuration" if known.cause in {"missing_program", "unknown"} else known.cause
        raise SpawnFailed(
            f"cannot start {launch.agent!r}: its log {str(launch.log)!r} cannot be opened ({error.strerror}); "
            f"make it writable or set another 'log.file'",
            cause,
        ) from error


def _trampoline(launch: Launch) -> tuple[str, ...]:
    """The words before a command that make it run as another user, or end with the daemon; none where it needs none."""
    words = _as_user(launch.agent, launch.user) if launch.user is not None else ()
    if launch.dies_with_daemon:
        words = (*words, "--pdeathsig=KILL")
    if not words:
        return ()
    setpriv = shutil.which("setpriv", path="/usr/local/bin:/usr/bin:/bin")
    if setpriv is None:
        raise SpawnFailed(
            f"cannot start {launch.agent!r}: 'setpriv' is missing, which 'user' and 'on_daemon_death' need; "
            f"install util-linux or remove them",
            "missing_program",
        )
    return (setpriv, *words, "--")


def _as_user(agent: str, user: str) -> tuple[str, ...]:
    """What setpriv is told to become `user`; nothing where we are that user already."""
    try:
        entry = pwd.getpwnam(user)
    except KeyError as error:
        raise SpawnFailed(
            f"cannot start {agent!r}: there is no user {user!r}; create it or correct 'user'", "bad_configuration"
        ) from error
    if entry.pw_uid == os.geteuid():
        return ()
    if os.geteuid() != 0:
        raise SpawnFailed(
            f"cannot start {agent!r} as {user!r}: only root may become another user; run selfheal as root or as "
            f"{user!r}, or remove 'user'",
            "permission",
        )
    return (f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups")


def _keep_files_to_ourselves() -> None:
    """Pass on no file that we were given ourselves: an agent that holds a pipe of our caller keeps that one waiting."""
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # the one of the listing itself is closed by now
            if int(name) > 2:
                os.set_inheritable(int(name), False)


def _limit_files(pid: int, count: int) -> None:
    """Set RLIMIT_NOFILE of a process that has just begun: a trampoline for it would cost as much as the start."""
    try:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, count))
    except PermissionError:
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(count, hard), min(count, hard)))


def _abandon(pid: int) -> None:
    """End a child that could not be watched, and reap it."""
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _is_still(run: Run) -> bool:
    try:
        found = proc.stat(run.pid)
    except ProcessLookupError:
        return False
    return found.start_ticks == run.start_ticks and found.alive
