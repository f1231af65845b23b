"""How does a test run a daemon under its keeper, find each of the two, and leave neither behind?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from selfheal.supervise.proc import children
from tests.real.daemon_process import LOOPBACK, SOON_S, House, house, until

ROOT = Path(__file__).parents[2]

# The keeper as the verb starts it, but for its pauses: ten deaths in a row shall not take two minutes.
IMPATIENT = (
    "import sys; from selfheal import keeper; sys.exit(keeper.Keeper(sys.argv[1:], keeper.Pauses(0.01, 0.05)).keep())"
)


class Kept:
    """A house whose daemon has a keeper: a real program from its first line on, because it replaces itself."""

    def __init__(self, place: House, *before: str, patient: bool = True) -> None:
        self.place = place
        self.out, self.err = place.folder / "keeper.out", place.folder / "keeper.err"
        run = [sys.executable, "-m", "selfheal", "run", "--config", str(place.folder / "selfheal.toml")]
        run += ["--state-dir", str(place.state_dir)]
        given = {"SELFHEAL_LISTEN": f"{LOOPBACK}:{place.port}", "PYTHONPATH": str(ROOT), **place.environment}
        with self.out.open("ab") as out, self.err.open("ab") as err:
            self._process = subprocess.Popen(
                [*before, *run, "--keeper"] if patient else [sys.executable, "-c", IMPATIENT, *run],
                cwd=place.folder,
                env=given,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.pid = self._process.pid

    # --- the two ---

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def daemon(self) -> int:
        """The daemon's process; 0 while there is none."""
        kept = (pid for pid in children(self.pid) if b"\0run\0" in command_line(pid))
        return next(kept, 0)

    def until_ready(self, after: int = 0) -> int:
        """Wait for a daemon, another than `after`, that answers; returns its process."""
        until(lambda: self.daemon not in (0, after) or not self.alive, what=self.said)
        until(lambda: self.place.ready or not self.alive, what=self.said)
        assert self.alive, self.said()
        return self.daemon

    def ended(self) -> int:
        """Wait for the keeper's end; returns its exit code."""
        return self._process.wait(SOON_S)

    def kill_daemon(self) -> int:
        """As by `kill -9`; returns when it is gone. Its process was this."""
        killed = until(lambda: self.daemon, what=self.said)
        os.kill(killed, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{killed}").exists())
        return killed

    # --- what it says ---

    def said(self) -> str:
        return self.out.read_text() + self.err.read_text()

    def lines(self) -> list[str]:
        """What the keeper itself has said."""
        return [line for line in self.err.read_text().splitlines() if line.startswith("selfheal: ")]

    def clean(self) -> None:
        """End both. The daemon has no parent then that would start it anew."""
        daemon = self.daemon
        self._process.kill()
        self._process.wait()
        if daemon:
            with suppress(ProcessLookupError):
                os.kill(daemon, signal.SIGKILL)


@contextmanager
def kept(toml: str, *before: str, patient: bool = True, **environment: str) -> Iterator[Kept]:
    """A house with a daemon under a keeper; all three are gone at the end."""
    with house(**environment) as place:
        place.configure(toml)
        keeper = Kept(place, *before, patient=patient)
        try:
            yield keeper
        finally:
            keeper.clean()


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def status(pid: int, key: str) -> str:
    """A line of /proc/PID/status."""
    lines = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return next(value.strip() for name, _, value in lines if name == key)
