"""Who works on this state directory? One daemon at most."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from selfheal.errors import SelfhealError, StateDirHeld, StateDirUnusable

_NAME = "lock"
_PID_BYTES = 32


class StateLock:
    """The right to a state directory, held until `release` or the end of the process, whatever ends it.

    A `flock`: it belongs to the open file, which is close-on-exec, so that no agent ever inherits it.
    """

    def __init__(self, directory: Path, fd: int) -> None:
        self.directory = directory
        self._fd: int | None = fd

    @classmethod
    def acquire(cls, directory: Path) -> Self:
        """Take the lock; the directory is created where it is missing, readable only for this user.

        Raises StateDirHeld with the holder's pid, or StateDirUnusable.
        """
        with usable(directory):
            _prepare(directory)
            fd = os.open(directory / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as why:
            holder = _holder(fd)
            os.close(fd)
            if why.errno in (errno.EWOULDBLOCK, errno.EACCES):
                raise StateDirHeld(directory, holder) from None
            raise SelfhealError(
                f"cannot lock state directory {str(directory)!r}: {why.strerror}; "
                f"choose one on a file system that has locks with --state-dir"
            ) from why
        _sign(fd)
        return cls(directory, fd)

    def release(self) -> None:
        """Give the directory to whoever wants it next. The file stays: unlinking it would let two in."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.release()


@contextlib.contextmanager
def usable(directory: Path) -> Iterator[None]:
    """Let what the system refuses meanwhile be said in one sentence: raises StateDirUnusable instead of OSError."""
    try:
        yield
    except OSError as why:
        raise StateDirUnusable(directory, why) from why


def _prepare(directory: Path) -> None:
    """Create the directory, or close an empty one to others. One that holds files may be anybody's: `/tmp`, a home."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not any(directory.iterdir()):
        with contextlib.suppress(PermissionError):  # the root of a mounted disk is often not ours to change
            directory.chmod(0o700)


def _holder(fd: int) -> int | None:
    text = os.pread(fd, _PID_BYTES, 0).strip()
    return int(text) if text.isdigit() else None


def _sign(fd: int) -> None:
    """Leave our pid for who comes after. Without it, on a full disk, the lock holds all the same."""
    with contextlib.suppress(OSError):
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
