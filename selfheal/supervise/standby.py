"""What stands by, so that an agent's next run begins where its imports are done?

A spare is one process that waits in `standby_runner.py`; a zygote has done the imports and forks the one that waits.
Either way the next run exists before it is needed, is a child of ours that we watch, and begins with one message. It
has a session, a log and limits of its own, and a mark that says that it is nobody's run yet. Its wire ends with us,
and then it ends too.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from selfheal.config.python import python_command
from selfheal.errors import SpawnFailed
from selfheal.supervise import proc
from selfheal.supervise.launcher import Exit, Launch, OnStandby
from selfheal.vitals import Standing
from selfheal.vocabulary import StandbyKind

WIRE = 3
"""The descriptor at which `standby_runner.py` waits."""

_RUNNER = str(Path(__file__).resolve().with_name("standby_runner.py"))
_CREDENTIALS = struct.Struct("=iII")  # pid, uid, gid
_MESSAGE_BYTES = 4096
_FORK = b"f"
_OLD = b"o"
# Imports are done at the cost of those who work: when a hundred agents have crashed, not all at once.
_AT_ONCE = 2
# Whatever takes longer hangs, and those that wait for their turn shall not.
PREPARE_S = 60.0

Begin = Callable[[Launch, int], int]
"""Starts the first process of a standby with a descriptor as its WIRE; returns its pid, or raises SpawnFailed."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A process that has just been told to begin. Whoever takes it watches `pidfd` from now on, and closes it."""

    pid: int
    pidfd: int
    start_ticks: int
    kind: StandbyKind


class Reserve:
    """At most one standby of each agent."""

    def __init__(self, loop: asyncio.AbstractEventLoop, begin: Begin, limit_s: float = PREPARE_S) -> None:
        self._loop = loop
        self._begin = begin
        self._limit_s = limit_s
        self._held: dict[str, _Standby] = {}
        self._queue: dict[str, tuple[Launch, StandbyKind, OnStandby]] = {}
        self._preparing: dict[str, asyncio.TimerHandle] = {}
        self._pids: dict[int, object] = {}
        self._pidfds: dict[int, int] = {}  # by pid, of those that are ours to bury

    @property
    def pids(self) -> Mapping[int, object]:
        """The processes that are watched and buried here. A live view."""
        return self._pids

    def stand_by(self, launch: Launch, on_change: OnStandby) -> None:
        """See to it that something stands by for just this launch, if anything shall."""
        held = self._held.get(launch.agent)
        waits = self._queue.get(launch.agent)
        if waits is not None and _serves(waits[0], launch):
            return
        if held is not None and _serves(held.launch, launch) and held.place == _place(launch):
            held.on_change = on_change
            if held.first.ready and held.child is None:
                self._ask_for_child(held)
            return
        self.stand_down(launch.agent)
        if launch.standby is not None:
            on_change(Standing(launch.standby.kind))
            self._queue[launch.agent] = launch, launch.standby.kind, on_change
            self._loop.call_soon(self._next)

    def take(self, launch: Launch, mark: str) -> Taken | None:
        """Let what stands by begin as the run with this mark; None where nothing can, and it must be started anew."""
        held = self._held.get(launch.agent)
        if held is None:
            return None
        if not _serves(held.launch, launch) or held.place != _place(launch):  # `stand_by` replaces it
            self.stand_down(launch.agent)
            return None
        waiter = held.waiter
        if waiter is None or not waiter.ready or not self._told_to_begin(waiter, mark):
            return None
        self._hang_up(waiter)
        self._loop.remove_reader(pidfd := self._pidfds.pop(waiter.pid))
        del self._pids[waiter.pid]
        if held.child is waiter:
            held.child = None
        else:
            del self._held[launch.agent]
        return Taken(waiter.pid, pidfd, waiter.start_ticks, held.kind)

    def stand_down(self, agent: str) -> None:
        """End what stands by for an agent, and tell no more of it."""
        self._queue.pop(agent, None)
        self._is_prepared(agent)
        held = self._held.pop(agent, None)
        for waiter in (held.first, held.child) if held is not None else ():
            if waiter is not None:
                self._hang_up(waiter)
                self._kill(waiter.pid)

    def close(self) -> None:
        """End all of them, and wait for none."""
        self._queue.clear()
        for agent in tuple(self._held):
            self.stand_down(agent)
        for pid in tuple(self._pidfds):
            self._bury(pid)

    # --- preparing ---

    def _next(self) -> None:
        while self._queue and len(self._preparing) < _AT_ONCE:
            self._prepare(*self._queue.pop(next(iter(self._queue))))

    def _is_prepared(self, agent: str) -> None:
        """Let the next one have its turn."""
        timer = self._preparing.pop(agent, None)
        if timer is not None:
            timer.cancel()
            self._loop.call_soon(self._next)

    def _prepare(self, launch: Launch, kind: StandbyKind, on_change: OnStandby) -> None:
        wire, theirs = _wire()
        try:
            pid = self._begin(_runner_of(launch, kind), theirs.fileno())
            self._watch(pid)
        except (SpawnFailed, OSError) as why:
            wire.close()
            on_change(Standing(kind, why=str(why)))
            return
        finally:
            theirs.close()
        held = _Standby(launch, kind, on_change, _place(launch), _Waiter(wire, pid, proc.stat(pid).start_ticks))
        self._held[launch.agent] = held
        self._pids[pid] = held
        self._loop.add_reader(wire, self._heard, held, held.first)
        self._expect(held, f"its imports are not done after {self._limit_s:g} s")

    def _expect(self, held: _Standby, late: str) -> None:
        """Give it so much time, and one of the turns."""
        self._preparing[held.launch.agent] = self._loop.call_later(self._limit_s, self._fail, held, late)

    def _ask_for_child(self, held: _Standby) -> None:
        """Ask a zygote for the one that will wait; who that is it says itself."""
        if held.kind == "spare":
            return
        wire, theirs = _wire()
        held.child = _Waiter(wire)
        try:
            socket.send_fds(held.first.wire, [_FORK], [theirs.fileno()])
        except OSError:  # it is gone, which its pidfd tells
            pass
        finally:
            theirs.close()
        self._loop.add_reader(wire, self._heard, held, held.child)
        self._expect(held, f"its zygote has forked none after {self._limit_s:g} s")

    def _heard(self, held: _Standby, waiter: _Waiter) -> None:
        said, pid = _receive(waiter.wire)
        if not said:
            self._loop.remove_reader(waiter.wire)  # its end is told by its pidfd, if it ever had one
            if waiter.pid == 0:
                self._fail(held, "its zygote lost a child before that was ready")
        elif said.startswith(b"e"):
            self._fail(held, said[1:].decode(errors="replace"))
        elif said == _OLD:
            self._renew(held)
        else:
            self._is_ready(held, waiter, pid)

    def _is_ready(self, held: _Standby, waiter: _Waiter, pid: int) -> None:
        try:
            if waiter.pid == 0:
                self._watch(pid)
                waiter.pid, found = pid, proc.stat(pid)
                if found.parent != os.getpid() or found.session != pid:
                    raise ProcessLookupError(f"process {pid} is not what was asked for")
                waiter.start_ticks = found.start_ticks
                self._pids[pid] = held
        except OSError as why:
            self._fail(held, str(why))
            return
        waiter.ready = True
        self._is_prepared(held.launch.agent)
        if held.waiter is None:
            self._ask_for_child(held)
        else:
            held.on_change(Standing(held.kind, True, waiter.pid, proc.rss_bytes(held.first.pid)))

    def _renew(self, held: _Standby) -> None:
        """Replace a zygote whose imports are of the version before a deployment: that is no failure of anybody."""
        if self._held.get(held.launch.agent) is held:
            self.stand_down(held.launch.agent)
            self.stand_by(held.launch, held.on_change)

    def _fail(self, held: _Standby, why: str) -> None:
        if self._held.get(held.launch.agent) is held:
            self.stand_down(held.launch.agent)
            held.on_change(Standing(held.kind, why=why))

    # --- processes ---

    def _told_to_begin(self, waiter: _Waiter, mark: str) -> bool:
        try:
            if os.waitid(os.P_PID, waiter.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                return False  # it has ended, which is told in a moment
            waiter.wire.send(os.fsencode(mark))
        except OSError:
            return False
        return True

    def _watch(self, pid: int) -> None:
        pidfd = os.pidfd_open(pid)
        try:
            self._loop.add_reader(pidfd, self._ended, pid)
        except OSError:
            os.close(pidfd)
            raise
        self._pidfds[pid] = pidfd

    def _ended(self, pid: int) -> None:
        """Something ended that was not told to begin."""
        held = self._pids.get(pid)
        status = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
        self._bury(pid)
        if isinstance(held, _Standby) and status is not None:
            waiter = held.first if held.first.pid == pid else held.child
            said = _receive(waiter.wire)[0] if waiter is not None and waiter.wire.fileno() >= 0 else b""
            exited = status.si_code == os.CLD_EXITED
            end = Exit(status.si_status, None) if exited else Exit(None, status.si_status)
            ready = "while it waited" if held.first.ready else "before it was ready, and its log may say why"
            self._fail(held, said[1:].decode(errors="replace") if said.startswith(b"e") else f"{end} {ready}")

    def _kill(self, pid: int) -> None:
        """Kill it with its group. It is not reaped before it is buried here, so its number is nobody else's."""
        if pid in self._pidfds:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def _bury(self, pid: int) -> None:
        pidfd = self._pidfds.pop(pid)
        self._pids.pop(pid, None)
        self._loop.remove_reader(pidfd)
        os.close(pidfd)

    def _hang_up(self, waiter: _Waiter) -> None:
        self._loop.remove_reader(waiter.wire)
        waiter.wire.close()


@dataclass(slots=True, eq=False)
class _Waiter:
    """A process at the other end of a wire. `pid` is 0 as long as only its zygote knows it."""

    wire: socket.socket
    pid: int = 0
    start_ticks: int = 0
    ready: bool = False


@dataclass(slots=True, eq=False)
class _Standby:
    """`first` is the spare or the zygote, `child` the one of a zygote that waits."""

    launch: Launch
    kind: StandbyKind
    on_change: OnStandby
    place: _Place
    first: _Waiter
    child: _Waiter | None = field(default=None)

    @property
    def waiter(self) -> _Waiter | None:
        """The one that can be told to begin."""
        return self.first if self.kind == "spare" else self.child


def _serves(standby: Launch, launch: Launch) -> bool:
    """Whether what stands by for one launch may become a run of another: what it may use is for us to hold."""
    return standby.starts_as(launch) and standby.standby == launch.standby


_Place = tuple[tuple[int, int], tuple[int, int]] | None


def _place(launch: Launch) -> _Place:
    """Which directory and which log stand behind their names now: a deployment puts others there, and a standby has
    those of its own start.
    """
    try:
        directory, log = os.stat(launch.directory), os.stat(launch.log)
    except OSError:
        return None
    return (directory.st_dev, directory.st_ino), (log.st_dev, log.st_ino)


def _runner_of(launch: Launch, kind: StandbyKind) -> Launch:
    """What is started in place of the program, by the same interpreter with the same options."""
    command = python_command(launch.argv)
    if command is None or launch.standby is None:
        raise SpawnFailed(f"cannot prepare {launch.agent!r}: it is no Python program; remove 'standby'", "unknown")
    life = "dies" if launch.dies_with_daemon else "lives"
    words = (_RUNNER, kind, life, ",".join(launch.standby.imports), command.way, command.target)
    return replace(launch, argv=(*command.interpreter, *words, *command.arguments))


def _wire() -> tuple[socket.socket, socket.socket]:
    """Our end, which does not block and is told who speaks, and theirs."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return ours, theirs


def _receive(wire: socket.socket) -> tuple[bytes, int]:
    """One message, empty at the end of the wire, and the pid of who sent it."""
    try:
        said, ancillary, _, _ = wire.recvmsg(_MESSAGE_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
    except OSError:
        return b"", 0
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return said, int(_CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0])
    return said, 0
