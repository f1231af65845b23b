"""How does what is normal of each signal outlive the daemon?

One file beside the history, `normal`: a frame with a checksum for each agent, written anew as a whole now and then and
at the end, in a thread. What of it is damaged, or of another form, is told and learned anew. Until it was read nothing
is judged, and nothing waits for that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from selfheal.compose.alarms import Alarms
from selfheal.detect.anomalies import VERSION, AnomalyWatch
from selfheal.durable import make_private, replace_file
from selfheal.events import LoopFailed, StateDamaged
from selfheal.ledger import Ledger
from selfheal.loops import Loop
from selfheal.ports import Ports
from selfheal.store.frames import Frame, encode, scan

LOOK_S = 60.0
# What a daemon that is killed has learned in vain, at most, and how much is written in the long run.
EVERY_S, BYTES_A_SECOND = 300.0, 20_000.0
# Twenty thousand signals, four thousand of them with their times of the day, take three quarters of it.
MOST_BYTES = 48 * 2**20
# Between two agents the thread lets go of the interpreter, so that the loop gets its turn.
PAUSE_S = 0.0005
_FILE = "normal"

_T = TypeVar("_T")


class Normals:
    """Has the watch over all signals, keeps what it knows, and gives it back what an earlier daemon has learned."""

    def __init__(self, ledger: Ledger, ports: Ports, directory: Path) -> None:
        self.watch = AnomalyWatch(waits=True)
        self.alarms = Alarms(ledger, self.watch)
        self._ledger = ledger
        self._ports = ports
        self._path = directory / _FILE
        self._writing = threading.Lock()  # a cancelled write goes on in its thread; the next must not overtake it
        self._halt = threading.Event()
        self._open = False
        self._due_at = 0.0
        self._trouble = ""
        self.loop = Loop("normal", self.keep, every_s=LOOK_S)

    async def keep(self) -> None:
        """Read what is there, at first; write what is known, when it is time for that."""
        now = self._ports.clock.now()
        if not self._open:
            await self._begin()
            self._due_at = now + EVERY_S
        elif not now < self._due_at <= now + _pause_s(MOST_BYTES):  # a clock may be set back
            await self._keep()

    async def close(self) -> None:
        """Write a last time."""
        self._halt.set()
        if self._open:
            await self._keep()

    # --- in the loop ---

    async def _begin(self) -> None:
        now = self._ports.clock.now()
        frames, damage = await self._in_thread(self._read)
        damage += self.watch.resume(frames, self._ledger.world)
        for what in damage:
            self._ledger.record(StateDamaged(now, f"history/{_FILE}", what, None, "what was normal of some signals"))
        self.alarms.go_on(now)
        self._open = True

    async def _keep(self) -> None:
        trouble, size = "", 0
        try:
            size = await self._in_thread(self._write)
        except OSError as why:
            trouble = f"cannot keep what is normal of the signals: {why.strerror or why}"
        now = self._ports.clock.now()
        self._due_at = now + _pause_s(size)
        if trouble and trouble != self._trouble:
            self._ledger.record(LoopFailed(now, "normal", trouble, EVERY_S))
        self._trouble = trouble

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        def alone() -> _T:
            with self._writing:
                return work()

        return await self._ports.run_in_thread(alone)

    # --- in a thread ---

    def _read(self) -> tuple[list[bytes], list[str]]:
        """What is known of each agent, and what is wrong with the rest."""
        try:
            with self._path.open("rb") as file:
                data = file.read(MOST_BYTES)
        except FileNotFoundError:
            return [], []
        except OSError as why:
            return [], [f"it cannot be read ({why.strerror})"]
        known, wrong = list[bytes](), list[str]()
        for item in scan(data):
            if not isinstance(item, Frame):
                wrong.append(f"{item.what}: {item.end - item.offset} bytes at {item.offset}")
            elif item.seq == VERSION:
                known.append(item.payload)
        if not known and not wrong and data:
            wrong.append("it is of another form than this version writes")
        return known, wrong

    def _write(self) -> int:
        """Write all that is known, durable on return; returns how much that is. Raises OSError."""
        frames, size = list[bytes](), 0
        for agent in self.watch.agents():
            frame = encode(VERSION, self.watch.keep(agent))
            if size + len(frame) <= MOST_BYTES:
                frames.append(frame)
                size += len(frame)
            self._halt.wait(PAUSE_S)
        make_private(self._path.parent)
        replace_file(self._path, b"".join(frames))
        return size


def _pause_s(size: int) -> float:
    """How long after so many bytes the next ones are written."""
    return max(EVERY_S, size / BYTES_A_SECOND)
