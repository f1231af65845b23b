"""Does anybody still write to this file, or did whoever left it like that end?

A file that ends in the middle of a line is damaged only if nobody will go on with it. The kernel knows who has it open
for writing: a lease for reading is given only where nobody has.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import fcntl
import os
import select
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

_WRITES = os.O_WRONLY | os.O_RDWR
# What is known of the start of a process is as fine as a tick of the kernel, and the times of files as a jiffy.
_BLUR_S = 0.1


class Writers(enum.Enum):
    """Who has a file open for writing."""

    NONE = "none"
    LATER = "later"
    """Processes that began after its last write, and only append: what is at its end is not theirs."""
    LIVE = "live"
    UNKNOWN = "unknown"


class _Writer(msgspec.Struct, frozen=True):
    began: float
    appends: bool


def file_time(folder: Path) -> float:
    """Return the time by which files in `folder` are stamped: their ages are counted by it, and by no other clock."""
    with tempfile.TemporaryFile(dir=folder) as stamped:
        return os.fstat(stamped.fileno()).st_mtime


def writers(fd: int, now: float) -> Writers:
    """Say who has the file behind `fd` (open for reading only) open for writing. `now` is wall time."""
    leased = _nobody_writes(fd)
    if leased:
        return Writers.NONE
    file = os.fstat(fd)
    found = list(_find(file.st_dev, file.st_ino, now))
    if not found:  # somebody whom we may not look at, or a file system that knows no leases
        return Writers.UNKNOWN if leased is None else Writers.LIVE
    later = all(each.appends and each.began > file.st_mtime + _BLUR_S for each in found)
    return Writers.LATER if later else Writers.LIVE


@contextlib.contextmanager
def alone(fd: int) -> Iterator[bool]:
    """Keep others from opening the file behind `fd` for as long as this lasts; gives whether that could be had.

    It cannot where somebody has it open already. Who opens it meanwhile waits.
    """
    try:
        with contextlib.suppress(AttributeError):  # told by a signal that nobody minds, in place of one that kills
            fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError:
        yield False
        return
    try:
        yield True
    finally:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def pause(seconds: float) -> None:
    """Give a writer time to come to its end. Only for a process that does nothing else."""
    select.select([], [], [], seconds)


def _nobody_writes(fd: int) -> bool | None:
    """Ask the kernel; None where it does not say: not our file, or a file system over the network."""
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as why:
        return False if why.errno == errno.EAGAIN else None
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def _find(device: int, inode: int, now: float) -> Iterator[_Writer]:
    """The processes that have the file open for writing, as far as we may look."""
    booted = now - float(Path("/proc/uptime").read_text().split()[0])
    ticks = os.sysconf("SC_CLK_TCK")
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended, or is not ours to look at
            for flags in _flags(process, device, inode):
                began = int(_stat(process)[19]) / ticks  # field 22 of proc(5), the first after the name being the 3rd
                yield _Writer(booted + began, bool(flags & os.O_APPEND))


def _flags(process: Path, device: int, inode: int) -> Iterator[int]:
    for name in os.listdir(process / "fd"):
        with contextlib.suppress(OSError):
            file = (process / "fd" / name).stat()
            if (file.st_dev, file.st_ino) == (device, inode):
                flags = _open_flags(process / "fdinfo" / name)
                if flags & _WRITES:
                    yield flags


def _open_flags(info: Path) -> int:
    for line in info.read_text().splitlines():
        if line.startswith("flags:"):
            return int(line.split()[1], 8)
    return 0


def _stat(process: Path) -> list[str]:
    return (process / "stat").read_text().rpartition(")")[2].split()
