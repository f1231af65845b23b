"""Where does a job put a copy that is gone when the job is? Also one that was killed takes its copy with it, later."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfheal.durable import make_private

_PREFIX = "scratch-"


@contextmanager
def scratch(room: Path) -> Iterator[Path]:
    """Give an empty folder below `room`. What dead jobs have left there is removed before.

    Its owner holds a lock on it, which ends with him: one that can be had is nobody's.
    """
    make_private(room)
    with _alone(room):
        _sweep(room)
        place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=room))
        fd = _locked(place)
    try:
        inner = place / "copy"  # what a copy holds never meets what is ours
        inner.mkdir(mode=0o700)
        yield inner
    finally:
        remove(place)
        if fd is not None:
            os.close(fd)


@contextmanager
def _alone(room: Path) -> Iterator[None]:
    """Between its making and its lock a folder must not be taken for one that was left."""
    fd = os.open(room, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def remove(place: Path) -> None:
    """Remove a folder and all in it, also what is closed to ourselves. What cannot go is left to the next sweep."""
    for folder, names, _ in os.walk(place):
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink() and path.stat().st_mode & stat.S_IRWXU != stat.S_IRWXU:
                path.chmod(0o700)
    shutil.rmtree(place, ignore_errors=True)


def _sweep(room: Path) -> None:
    for left in room.glob(f"{_PREFIX}*"):
        fd = _locked(left)
        if fd is not None:
            remove(left)
            os.close(fd)


def _locked(place: Path) -> int | None:
    """None where somebody else has it, or it is gone."""
    try:
        fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd
