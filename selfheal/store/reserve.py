"""Is there room for the last words on a full disk?

A file that holds nothing and takes real room. It is let go where the disk is full, so that what waits in memory can
be written, and made again by itself where there is room for it and for others. It is a help and no promise: whoever
shares the disk may take what was let go, and where the file cannot be made nobody is told.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from selfheal.durable import sync_directory

NAME = ".reserve"
RESERVE_BYTES = 2 * 1024 * 1024
# What must be free beside it before it is made: nobody's last room is taken for ours.
MARGIN_BYTES = 2 * RESERVE_BYTES
_BLOCK = 64 * 1024
# What a file system says that knows no allocation in advance.
_CANNOT = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


class Reserve:
    """Room that is kept in one directory. Its methods block for a moment, and never raise."""

    def __init__(self, directory: Path, size: int = RESERVE_BYTES, margin: int = MARGIN_BYTES) -> None:
        self._path = directory / NAME
        self._size = size
        self._margin = margin
        self.spent = False
        """Whether it was let go, and the disk has had no room for it since."""

    @property
    def held(self) -> bool:
        """Whether there is something to let go."""
        try:
            return self._path.stat().st_blocks * 512 >= self._size
        except OSError:
            return False

    def make(self) -> None:
        """Make it where it is not there, and where there is room for it and others."""
        if self.held:
            self.spent = False
            return
        with contextlib.suppress(OSError):
            free = _free(self._path.parent)
            self.spent = self.spent and free < self._size
            if free >= self._size + self._margin:
                self._allocate()
                self.spent = False

    def release(self) -> bool:
        """Let it go; returns whether that gave room."""
        had = self.held
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
            self.spent = self.spent or had
            return had
        return False

    def _allocate(self) -> None:
        """Take the room; what is there by half after an error is taken away."""
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _take_room(fd, self._size)
            finally:
                os.close(fd)
            sync_directory(self._path.parent)
        except OSError:
            self._path.unlink(missing_ok=True)
            raise


def _take_room(fd: int, size: int) -> None:
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as why:
        if why.errno not in _CANNOT:
            raise
        # By writing, then, and nothing that could be stored as a hole.
        os.ftruncate(fd, 0)
        os.lseek(fd, 0, os.SEEK_SET)
        for _ in range(0, size, _BLOCK):
            _write_all(fd, os.urandom(min(_BLOCK, size)))
        os.fsync(fd)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _free(directory: Path) -> int:
    usage = os.statvfs(directory)
    return usage.f_bavail * usage.f_frsize
