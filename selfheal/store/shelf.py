"""Which files hold the history of signals, and what gives way when there is no room for more?

One folder: a tail that grows by a frame at a time, and volumes that are written once, each of a grain and a span of
time that its name says. All of them together never outgrow their budget: room is made before a byte is written, at the
cost of the oldest of the finest grain, and never of the tail and the newest volume of that. Nothing of it is made
durable but whole volumes: a power cut may cost what the tail has not been written for yet.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selfheal.durable import make_private, sweep
from selfheal.store.blocks import BlockFile, BlockWriter
from selfheal.store.frames import Frame, encode, scan

GRAINS = ("raw", "minutes", "hours")
"""From the finest on."""
TAIL = "tail"
_NAME = re.compile(r"(raw|minutes|hours)\.(\d{1,12})-(\d{1,12})(?:\.(\d{1,4}))?")
_PAGE = 4096  # what a file takes on a disk is a whole number of these
# A clock that was wrong by more than this has left what is not of the past.
_AHEAD_S = 86_400.0


class NoRoom(OSError):
    """The budget leaves no room for this, whatever else would give way."""


@dataclass(frozen=True, slots=True)
class Volume:
    """A file of blocks that holds what was from `begin` to `end`, in seconds since the epoch."""

    path: Path
    grain: str
    begin: float
    end: float
    size: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Something of the history that cannot be read: in which file, and what is wrong with it."""

    file: str
    what: str


class Shelf:
    """The folder. One writer at a time; readers may be in other threads."""

    def __init__(self, directory: Path, budget: Callable[[], int]) -> None:
        self.directory = directory
        self._budget = budget
        self._volumes: dict[str, Volume] = {}
        self._claimed = 0
        self._lost: dict[str, Lost] = {}
        self._told: set[str] = set()
        self._tail_size = 0

    def open(self) -> None:
        """Look at what is there. Raises OSError."""
        make_private(self.directory)
        sweep(self.directory)
        self._volumes = {volume.path.name: volume for volume in _volumes(self.directory)}
        with contextlib.suppress(FileNotFoundError):
            self._tail_size = self._tail.stat().st_size

    @property
    def size(self) -> int:
        """Bytes that all of it takes on the disk, with what is being written."""
        files = [volume.size for volume in tuple(self._volumes.values())]
        return sum(map(_on_disk, (*files, self._tail_size, self._claimed)))

    @property
    def tail_size(self) -> int:
        """Bytes of the tail."""
        return self._tail_size

    def take_lost(self) -> list[Lost]:
        """What was found damaged since the last time, one thing a file."""
        lost, self._lost = self._lost, {}
        return list(lost.values())

    # --- the tail ---

    def append(self, payload: bytes) -> None:
        """Add a frame to the tail. Raises OSError with the tail as it was, NoRoom where the budget is spent."""
        frame = encode(1, payload)
        self._claim(len(frame))
        try:
            self._append(frame)
        finally:
            self._claimed = 0

    def tail(self) -> list[bytes]:
        """The frames of the tail that are whole."""
        try:
            with self._tail.open("rb") as file:
                data = file.read(self._tail_size)
        except OSError as why:
            if self._tail_size:
                self._note(TAIL, f"it cannot be read ({why.strerror})")
            return []
        whole = []
        for item in scan(data):
            if isinstance(item, Frame):
                whole.append(item.payload)
            else:
                self._note(TAIL, f"{item.what}: {item.end - item.offset} bytes at {item.offset}")
        return whole

    def drop_tail(self) -> None:
        """Begin a new tail. Raises OSError."""
        self._tail_size = 0
        self._tail.unlink(missing_ok=True)
        self._told.discard(TAIL)

    # --- the volumes ---

    def volumes(self, grain: str, since: float = 0.0, until: float = float("inf")) -> list[Volume]:
        """The volumes of a grain that hold anything of that time, the oldest first."""
        found = [one for one in tuple(self._volumes.values()) if one.grain == grain]
        return sorted((one for one in found if one.end > since and one.begin < until), key=lambda one: one.begin)

    @contextlib.contextmanager
    def writing(self, grain: str, begin: float, end: float, *, anew: bool = True) -> Iterator[BlockWriter]:
        """Write a volume, which is there when the block ends well. Raises OSError, NoRoom.

        One of that name is replaced, unless it is not to be `anew`: then this gets another name.
        """
        path = self._path(grain, int(begin), -int(-end // 1), anew=anew)
        make_private(self.directory)
        writer = BlockWriter(path, self._claim)
        try:
            yield writer
            if writer.finish():
                self._volumes[path.name] = Volume(path, grain, int(begin), -int(-end // 1), writer.size)
        finally:
            writer.close()
            self._claimed = 0

    @contextlib.contextmanager
    def reading(self, volume: Volume) -> Iterator[BlockFile | None]:
        """Read a volume; gives None where it cannot be read, which is noted."""
        name = volume.path.name
        try:
            file = BlockFile(volume.path, lambda what: self._note(name, what))
        except OSError as why:
            self._unreadable(volume, why)
            yield None
            return
        with file:
            yield file

    def find(self, grain: str, key: bytes, since: float, until: float) -> Iterator[bytes]:
        """The blocks of a key that hold anything of that time, the oldest first."""
        for volume in self.volumes(grain, since, until):
            with self.reading(volume) as file:
                body = file.find(key) if file is not None else None
            if body is not None:
                yield body

    def drop(self, volume: Volume) -> None:
        """Remove a volume. Raises OSError."""
        self._volumes.pop(volume.path.name, None)
        self._told.discard(volume.path.name)
        volume.path.unlink(missing_ok=True)

    def expire(self, now: float, keep_s: dict[str, float]) -> None:
        """Remove what is older than it is kept, by grain, and what is from a future that a wrong clock has seen."""
        for volume in tuple(self._volumes.values()):
            if volume.end < now - keep_s[volume.grain] or volume.begin > now + _AHEAD_S:
                self.drop(volume)
        self._make_room(0)

    @property
    def _tail(self) -> Path:
        return self.directory / TAIL

    def _path(self, grain: str, begin: int, end: int, *, anew: bool) -> Path:
        path = self.directory / f"{grain}.{begin}-{end}"
        again = 1
        while path.name in self._volumes and not anew:
            again += 1
            path = self.directory / f"{grain}.{begin}-{end}.{again}"
        return path

    def _append(self, frame: bytes) -> None:
        make_private(self.directory)
        fd = os.open(self._tail, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            there = os.fstat(fd).st_size
            place = min(there, self._tail_size)  # what is half written goes; what was deleted begins anew
            os.ftruncate(fd, place)
            rest, at = memoryview(frame), place
            while rest:
                written = os.pwrite(fd, rest, at)
                rest, at = rest[written:], at + written
            self._tail_size = at
        finally:
            os.close(fd)

    def _claim(self, count: int) -> None:
        """Make room for so many bytes more. Raises NoRoom."""
        if not self._make_room(count):
            raise NoRoom(
                f"there is no room for more within {self._budget()} bytes; [history] max_size is too small for so "
                f"many signals"
            )
        self._claimed += count

    def _make_room(self, count: int) -> bool:
        room = self._budget() - count - _PAGE
        while self.size > room:
            victim = self._victim()
            if victim is None:
                return False
            self.drop(victim)
        return True

    def _victim(self) -> Volume | None:
        for grain in GRAINS:
            volumes = self.volumes(grain)
            if len(volumes) > self._spared(grain, volumes):
                return volumes[0]
        return None

    def _spared(self, grain: str, volumes: list[Volume]) -> int:
        """The newest points stay, unless they were written under a budget that was much larger."""
        return int(grain == GRAINS[0] and bool(volumes) and 2 * volumes[-1].size <= self._budget())

    def _unreadable(self, volume: Volume, why: OSError) -> None:
        if volume.path.name not in self._volumes:
            return  # it gave way a moment ago
        if isinstance(why, FileNotFoundError):
            del self._volumes[volume.path.name]
        self._note(volume.path.name, f"it cannot be read ({why.strerror})")

    def _note(self, name: str, what: str) -> None:
        if name not in self._told:
            self._lost.setdefault(name, Lost(name, what))
        self._told.add(name)


def _volumes(directory: Path) -> Iterator[Volume]:
    for path in directory.iterdir():
        match = _NAME.fullmatch(path.name)
        if match is not None and path.is_file():
            yield Volume(path, match[1], float(match[2]), float(match[3]), path.stat().st_size)


def _on_disk(size: int) -> int:
    return -(-size // _PAGE) * _PAGE
