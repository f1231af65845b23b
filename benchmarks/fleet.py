"""How is a supervisor run over many tiny programs, and how does one see each of them start?

Every program says on one pipe when it began and who it is, so that a start is known to the nanosecond, whoever caused
it, and nothing has to be asked of the supervisor. Leaving the `with` block ends all that was started in it: whoever
supervises, then the programs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.programs import Programs
from benchmarks.stamps import Stamp, Stamps

# Whatever takes longer is no measurement any more.
START_LIMIT_S = 90.0
_END_LIMIT_S = 20.0
# Everything that is started here has it, so that nothing is overlooked at the end.
_MARK = "BENCH_FLEET"


@dataclass(frozen=True, slots=True)
class Peer:
    """A supervisor that is measured."""

    name: str
    configure: Callable[[Fleet], list[str]]
    """Writes its configuration into the directory of the fleet, and returns the command of the supervisor."""
    there: bool
    """Whether it is installed here."""
    comes_by: str
    """How one gets it."""
    stop: Callable[[Fleet], list[str]] | None = None
    """The command that stops all programs and leaves the supervisor running."""
    looks_only: bool = False
    """It looks for deaths once in a while: as many kills of it as of the others would take minutes."""
    one_for_each: bool = False
    """It keeps a small process of its own for each program."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a supervisor is told to run.

    `check_every` is how often selfheal looks at each program; it cannot be told not to. `helpers` makes each program
    start six of them (see tree.sh). `ballast_mb` is what the daemon holds beside its own, where it is selfheal.
    """

    size: int
    check_every: str = "10s"
    helpers: bool = False
    ballast_mb: int = 0


class Fleet:
    """One supervisor over `run.size` programs, from its start to its end."""

    def __init__(self, peer: Peer, programs: Programs, run: Run | int) -> None:
        self.peer = peer
        self.programs = programs
        self.run = Run(run) if isinstance(run, int) else run
        self._undo = ExitStack()
        self._alive: set[int] = set()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self.directory = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            self.stamps, self.helpers = (
                undo.enter_context(closing(Stamps(self.directory / name))) for name in ("stamps", "helpers")
            )
            self.log = self.directory / "supervisor.log"
            self._command = self.peer.configure(self)
            undo.callback(self._end_all)
            self.start()
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    # --- what a peer is told ---

    @property
    def size(self) -> int:
        return self.run.size

    @property
    def tiny(self) -> list[str]:
        """The command that is supervised."""
        if self.run.helpers:
            return [*self.programs.tree, str(self.stamps.pipe), str(self.helpers.pipe), *self.programs.tiny]
        return [*self.programs.tiny, str(self.stamps.pipe)]

    @property
    def environment(self) -> dict[str, str]:
        """What a supervisor is started with: nothing of the caller's that would change what it does."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("SELFHEAL_", "PM2_"))}
        own = {_MARK: str(self.directory), "BENCH_PIPE": str(self.stamps.pipe), "PM2_HOME": f"{self.directory}/pm2"}
        return ours | own | {"PYTHONDONTWRITEBYTECODE": "1"}

    # --- the supervisor ---

    def start(self) -> None:
        """Start the supervisor, for the first time or again."""
        with self.log.open("ab") as log:
            self.began_ns = time.monotonic_ns()
            self.supervisor = subprocess.Popen(
                self._command,
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def supervisors(self) -> list[int]:
        """The processes that supervise: some have one for each program."""
        programs = self.stamps.begun | self.helpers.begun
        return [pid for pid in self._marked() if pid not in programs]

    def kill_supervisors(self, pids: Iterable[int]) -> None:
        """As by `kill -9`; returns when the one that was started is gone."""
        _kill(pids)
        self.supervisor.wait(_END_LIMIT_S)

    def ask(self, command: list[str]) -> None:
        """Run a command that talks to the supervisor, to its end."""
        with self.log.open("ab") as log:
            subprocess.run(
                command,
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=START_LIMIT_S,
                check=False,
            )

    # --- the programs ---

    @property
    def alive(self) -> frozenset[int]:
        """The programs that have begun and were not killed."""
        return frozenset(self._alive)

    def all_up(self) -> float:
        """Wait until every program has begun once; returns the seconds from the exec of the supervisor."""
        return (max(stamp.at_ns for stamp in self.starts(self.size, START_LIMIT_S)) - self.began_ns) / 1e9

    def kill(self, *pids: int) -> float:
        """Kill programs at once; returns the seconds until as many have begun in their place."""
        began_ns = self._kill(pids)
        return (max(stamp.at_ns for stamp in self.starts(len(pids), START_LIMIT_S)) - began_ns) / 1e9

    def kill_one(self, pid: int, limit_s: float) -> tuple[float, int] | None:
        """Kill a program; returns the seconds until the next one began, and its pid. None where it does not in time."""
        began_ns = self._kill([pid])
        for stamp in self.stamps.take(1, limit_s, self._ended):
            self._alive.add(stamp.pid)
            return (stamp.at_ns - began_ns) / 1e9, stamp.pid
        return None

    def starts(self, count: int, limit_s: float) -> list[Stamp]:
        """The next `count` starts. Raises RuntimeError where they do not come in time."""
        stamps = self.stamps.take(count, limit_s, self._ended)
        if len(stamps) < count:
            raise RuntimeError(f"cannot measure {self.peer.name}: {self._trouble(len(stamps), count)}")
        self._alive.update(stamp.pid for stamp in stamps)
        return stamps

    def _kill(self, pids: Iterable[int]) -> int:
        self._alive.difference_update(pids)
        began_ns = time.monotonic_ns()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        return began_ns

    def _ended(self) -> bool:
        return self.supervisor.poll() is not None

    def _trouble(self, seen: int, count: int) -> str:
        code = self.supervisor.returncode
        what = f"the supervisor ended with {code}" if code is not None else "the supervisor does not start them"
        last = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        return f"{seen} of {count} starts were seen, and {what}; its last words:\n{last}"

    # --- the end ---

    def _end_all(self) -> None:
        """Not asked, killed: an orderly end of 1,000 programs takes seconds, and nobody measures it."""
        _kill([self.supervisor.pid])
        self.supervisor.wait(_END_LIMIT_S)
        deadline = time.monotonic() + _END_LIMIT_S
        while (left := self._marked()) and time.monotonic() < deadline:
            _kill(left)
            time.sleep(0.02)

    def _marked(self) -> list[int]:
        """Every live process that was started here, or by what was, and kept its environment."""
        mark = f"{_MARK}={self.directory}".encode()
        return [pid for pid, environment in _environments() if mark in environment.split(b"\0")]


def is_alive(pid: int) -> bool:
    """Whether a process still runs code."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(") ")[2][0] not in "ZX"
    return False


def _environments() -> Iterator[tuple[int, bytes]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # it is gone, or somebody else's
                yield int(folder.name), (folder / "environ").read_bytes()


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
