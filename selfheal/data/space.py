"""Is there room on the disk for a copy? A backup must never be what fills it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfheal.errors import DataFailed

# What stays free: a twentieth of the disk, and of a large one as much as its other programs need for a while.
_SHARE, _ENOUGH = 0.05, 1_000_000_000


def claim(place: Path, size: int, what: str) -> None:
    """Make sure that `size` bytes more fit below `place`, with some left over.

    Raises DataFailed with what is missing.
    """
    disk = os.statvfs(place)
    margin = min(int(disk.f_blocks * disk.f_frsize * _SHARE), _ENOUGH)
    free = disk.f_bavail * disk.f_frsize
    missing = size + margin - free
    if missing > 0:
        raise DataFailed(
            f"cannot {what}: the disk of {str(place)!r} has {_told(free)} left, and it "
            f"must take {_told(size)} and leave {_told(margin)} free; free {_told(missing)} there, or keep "
            f"fewer backups",
            "disk_full",
        )


@contextmanager
def full_disk_told(place: Path, what: str, size: int) -> Iterator[None]:
    """Let a full disk be told as such, and what the whole work may need. Raises DataFailed in place of OSError."""
    try:
        yield
    except OSError as why:
        if why.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        claim(place, size, what)  # as a rule that says more
        raise DataFailed(
            f"cannot {what}: {why.strerror} below {str(place)!r}; free space there, or keep fewer backups", "disk_full"
        ) from why


def _told(size: int) -> str:
    number, unit = float(max(size, 0)), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if number < 1000:
            break
        number, unit = number / 1000, larger
    return f"{number:.3g} {unit}"
