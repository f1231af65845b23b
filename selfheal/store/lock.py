"""Who works on this state directory? One daemon at most."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from selfheal.durable import make_private
from selfheal.errors import SelfhealError, StateDirHeld, StateDirUnusable

_NAME = "lock"
_PID_BYTES = 32
# What a daemon, or the disk itself, leaves in a state directory.
_OURS = re.compile(
    r"lock|key|schema|good|selfheal\.sock|\.reserve|journal|history|models|data|backups|logs|run|chaos|lost\+found"
    r"|[a-z_]+\.json(?:\.previous)?|\.checksums|\..+\.tmp|.+\.damaged-\w+(?:-\d+)?"
)


class StateLock:
    """The right to a state directory, held until `release` or the end of the process, whatever ends it.

    A `flock`: it belongs to the open file, which is close-on-exec, so that no agent ever inherits it.
    """

    def __init__(self, directory: Path, fd: int, shared: str) -> None:
        self.directory = directory
        self.shared = shared
        """Why others may still look into the directory; empty where they may not."""
        self._fd: int | None = fd

    @classmethod
    def acquire(cls, directory: Path) -> Self:
        """Take the lock; the directory is created where it is missing, readable only for this user.

        Raises StateDirHeld with the holder's pid, or StateDirUnusable.
        """
        with usable(directory):
            shared = _prepare(directory)
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
        return cls(directory, fd, shared)

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


def _prepare(directory: Path) -> str:
    """Create the directory, or close it to others; returns why it is open to them all the same.

    One that holds anything else may be somebody's: `/tmp`, a home. What we put there is private in any case.
    """
    if directory.is_dir() and (foreign := _foreign(directory)) is not None:
        return f"it holds {foreign!r}, which is not selfheal's" if _is_open(directory) else ""
    make_private(directory)
    return "its mode cannot be changed by this user" if _is_open(directory) else ""


def _foreign(directory: Path) -> str | None:
    return next((path.name for path in sorted(directory.iterdir()) if not _OURS.fullmatch(path.name)), None)


def _is_open(directory: Path) -> bool:
    return bool(directory.stat().st_mode & 0o077)


def _holder(fd: int) -> int | None:
    text = os.pread(fd, _PID_BYTES, 0).strip()
    return int(text) if text.isdigit() else None


def _sign(fd: int) -> None:
    """Leave our pid for who comes after. Without it, on a full disk, the lock holds all the same."""
    with contextlib.suppress(OSError):
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
