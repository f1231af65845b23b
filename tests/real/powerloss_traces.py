"""What did a program do to a folder, as operations on a disk? Read from the system calls that it made."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.real.powerloss_disk import Disk, Name, Operation, Sync, SyncNames, Told, Write
from tests.real.straced import Call

_FD = re.compile(r"(\d+)")


class Trace:
    """Follows the calls of some processes in one folder. Paths are told relative to it."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._names: dict[str, int] = {"": 0}
        self._sizes: dict[int, int] = {}
        self._fds: dict[tuple[int, int], tuple[str, int, bool, int]] = {}  # path, inode, appending, place
        self._inodes = 0

    def found(self) -> Disk:
        """The folder as it is before the first call, all of it on the disk."""
        disk = Disk()
        for path in sorted(Path(self._folder).rglob("*")):
            name = str(path.relative_to(self._folder))
            if path.is_dir():
                self._names[name] = 0
            else:
                inode = self._names[name] = self._new_inode()
                disk.contents[inode] = path.read_bytes()
                self._sizes[inode] = len(disk.contents[inode])
        disk.names = {name: inode for name, inode in self._names.items() if name}
        return disk

    def operations(self, calls: Iterable[Call]) -> Iterator[Operation]:
        for call in calls:
            follow = getattr(self, f"_{call.name}", None)
            failed = call.result is None or call.result < 0
            if follow is not None and (not failed or call.name in {"fsync", "fdatasync"}):
                yield from follow(call)

    def _openat(self, call: Call) -> Iterator[Operation]:
        path = self._inside(call.strings[0])
        if path is None:
            return
        if path not in self._names and "O_DIRECTORY" in call.arguments:
            yield from self._named(path, 0)  # two threads: that it was made is told after that it was opened
        if path not in self._names and "O_CREAT" in call.arguments:
            yield from self._named(path, self._new_inode())
        inode = self._names[path]
        if "O_TRUNC" in call.arguments:
            yield Write(inode, 0, None)
            self._sizes[inode] = 0
        assert call.result is not None
        self._fds[call.pid, call.result] = (path, inode, "O_APPEND" in call.arguments, 0)

    def _close(self, call: Call) -> Iterator[Operation]:
        self._fds.pop((call.pid, _fd(call)), None)
        yield from ()

    def _write(self, call: Call) -> Iterator[Operation]:
        if (opened := self._fds.get((call.pid, _fd(call)))) is None:
            return
        path, inode, appending, place = opened
        data = call.strings[0][: call.result]
        at = self._sizes.get(inode, 0) if appending else place
        yield Write(inode, at, data)
        self._sizes[inode] = max(self._sizes.get(inode, 0), at + len(data))
        self._fds[call.pid, _fd(call)] = (path, inode, appending, at + len(data))

    def _ftruncate(self, call: Call) -> Iterator[Operation]:
        if (opened := self._fds.get((call.pid, _fd(call)))) is not None:
            size = int(call.arguments.rpartition(",")[2])
            yield Write(opened[1], size, None)
            self._sizes[opened[1]] = size

    def _fsync(self, call: Call) -> Iterator[Operation]:
        if (opened := self._fds.get((call.pid, _fd(call)))) is not None and call.result is not None:
            failed = call.result < 0
            if opened[1]:
                yield Sync(opened[1], failed)
            elif not failed:
                yield SyncNames(opened[0])

    _fdatasync = _fsync

    def _rename(self, call: Call) -> Iterator[Operation]:
        old, new = map(self._inside, call.strings)
        if old is not None and new is not None:
            inode = self._names.pop(old)
            self._names[new] = inode
            yield Name(_directory(new), {new: inode, old: None})

    def _link(self, call: Call) -> Iterator[Operation]:
        old, new = map(self._inside, call.strings)
        if old is not None and new is not None:
            yield from self._named(new, self._names[old])

    def _unlink(self, call: Call) -> Iterator[Operation]:
        if (path := self._inside(call.strings[0])) is not None:
            del self._names[path]
            yield Name(_directory(path), {path: None})

    def _mkdir(self, call: Call) -> Iterator[Operation]:
        if (path := self._inside(call.strings[0])) is not None and path not in self._names:
            yield from self._named(path, 0)

    def _sendto(self, call: Call) -> Iterator[Operation]:
        """What a story tells; a loop also wakes itself in this way."""
        for words in call.strings[0].decode(errors="replace").splitlines():
            if words.strip("\0"):
                yield Told(words)

    def _named(self, path: str, inode: int) -> Iterator[Operation]:
        self._names[path] = inode
        yield Name(_directory(path), {path: inode})

    def _new_inode(self) -> int:
        self._inodes += 1
        return self._inodes

    def _inside(self, raw: bytes) -> str | None:
        path = os.fsdecode(raw)
        if path == self._folder:
            return ""
        return path.removeprefix(f"{self._folder}/") if path.startswith(f"{self._folder}/") else None


def _fd(call: Call) -> int:
    found = _FD.match(call.arguments)
    assert found is not None
    return int(found[0])


def _directory(path: str) -> str:
    return path.rpartition("/")[0]
