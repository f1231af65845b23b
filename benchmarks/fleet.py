"""How is a supervisor run over many tiny programs, and how does one see each of them start?

Every program says on one pipe when it began and who it is, so that a start is known to the nanosecond, whoever caused
it, and nothing has to be asked of the supervisor. Leaving the `with` block ends the supervisor and then, with the
pipe, all of its programs.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from benchmarks.programs import Programs

_STAMP = struct.Struct("=qq")
# Whatever takes longer is no measurement any more.
START_LIMIT_S = 60.0
_END_LIMIT_S = 5.0

Peer = Callable[["Fleet"], list[str]]
"""Writes its configuration into the directory of the fleet, and returns the command of the supervisor."""


class Stamp(NamedTuple):
    """One start: nanoseconds of the monotonic clock, and the process."""

    at_ns: int
    pid: int


class Fleet:
    """One supervisor over `size` programs, from its start to its end."""

    def __init__(self, peer: Peer, programs: Programs, size: int) -> None:
        self._peer = peer
        self._undo = ExitStack()
        self._alive: set[int] = set()
        self._unread = b""
        self.programs = programs
        self.size = size

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self.directory = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            self.pipe = self.directory / "stamps"
            os.mkfifo(self.pipe)
            self._reader = os.open(self.pipe, os.O_RDONLY | os.O_NONBLOCK)
            undo.callback(self._await_ends)
            undo.callback(os.close, self._reader)
            # A writer of our own: without any, a pipe is at its end, and reads as such without pause.
            undo.callback(os.close, os.open(self.pipe, os.O_WRONLY))
            self.log = self.directory / "supervisor.log"
            command = self._peer(self)
            with self.log.open("wb") as log:
                self.began_ns = time.monotonic_ns()
                self.supervisor = subprocess.Popen(
                    command,
                    cwd=self.directory,
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            undo.callback(self._end_supervisor)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    @property
    def tiny(self) -> list[str]:
        """The command that is supervised."""
        return [*self.programs.tiny, str(self.pipe)]

    @property
    def alive(self) -> frozenset[int]:
        """The programs that have begun and were not killed."""
        return frozenset(self._alive)

    def all_up(self) -> float:
        """Wait until every program has begun once; returns the seconds from the exec of the supervisor."""
        return (max(stamp.at_ns for stamp in self.starts(self.size, START_LIMIT_S)) - self.began_ns) / 1e9

    def kill(self, *pids: int) -> float:
        """Kill programs at once; returns the seconds until as many have begun in their place."""
        self._alive.difference_update(pids)
        began_ns = time.monotonic_ns()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return (max(stamp.at_ns for stamp in self.starts(len(pids), START_LIMIT_S)) - began_ns) / 1e9

    def starts(self, count: int, limit_s: float) -> list[Stamp]:
        """The next `count` starts. Raises RuntimeError where they do not come in time."""
        deadline = time.monotonic() + limit_s
        while len(self._unread) < count * _STAMP.size:
            left_s = deadline - time.monotonic()
            if left_s <= 0 or self.supervisor.poll() is not None:
                raise RuntimeError(f"cannot measure: {self._trouble(count)}")
            if select.select([self._reader], [], [], min(left_s, 1.0))[0]:
                self._unread += os.read(self._reader, 64 * 1024)
        taken, self._unread = self._unread[: count * _STAMP.size], self._unread[count * _STAMP.size :]
        stamps = [Stamp(*fields) for fields in _STAMP.iter_unpack(taken)]
        self._alive.update(stamp.pid for stamp in stamps)
        return stamps

    def _trouble(self, count: int) -> str:
        code = self.supervisor.returncode
        what = f"the supervisor ended with {code}" if code is not None else "the supervisor does not start them"
        last = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        return f"{len(self._unread) // _STAMP.size} of {count} starts were seen, and {what}; its last words:\n{last}"

    def _end_supervisor(self) -> None:
        """Not asked, killed: an orderly end of 100 programs takes seconds, and nobody measures it."""
        with suppress(ProcessLookupError):
            os.killpg(self.supervisor.pid, signal.SIGKILL)
        self.supervisor.wait(_END_LIMIT_S)

    def _await_ends(self) -> None:
        """The programs end with the pipe; what follows shall not be disturbed by that."""
        deadline = time.monotonic() + _END_LIMIT_S
        while any(Path(f"/proc/{pid}").exists() for pid in self._alive) and time.monotonic() < deadline:
            time.sleep(0.01)


def _environment() -> dict[str, str]:
    """What a supervisor is started with: nothing of the caller's that would change what it does."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SELFHEAL_")}
    return ours | {"PYTHONDONTWRITEBYTECODE": "1"}
