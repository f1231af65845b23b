"""How are bytes put on the disk so that they are still there after a power cut?"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

UNFINISHED = ".tmp"
"""How the name of a file ends that is not in its place yet."""


def sync_directory(directory: Path) -> None:
    """Make names in `directory` durable: a file that was created or renamed is lost with its name otherwise."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_file(path: Path) -> None:
    """Make the content of a file durable, whoever has written it. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fdatasync(fd)
    finally:
        os.close(fd)


def make_private(directory: Path) -> None:
    """Create a directory of ours, durable with its parents, or close it to others.

    Raises OSError; a mode that is not ours to change stays.
    """
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in missing:
        sync_directory(each.parent)
    if directory.stat().st_mode & 0o077:
        with contextlib.suppress(PermissionError):  # the root of a mounted disk, for one
            directory.chmod(0o700)


@contextlib.contextmanager
def prepared(path: Path, data: bytes) -> Iterator[Path]:
    """Give a durable file with `data` beside `path`, to be renamed over it; it is gone afterwards if it was not.

    Each has a name of its own (mode 0600), for a thread that hangs on a slow disk may still be at an older one.
    """
    fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED)
    try:
        try:
            _write_durably(fd, data)
        finally:
            os.close(fd)
        yield Path(name)
    finally:
        # After a rename there is none. What a sick disk does not let go is swept away at the next start: it must not
        # make a failure of what has its name by now, nor hide why it has not.
        with contextlib.suppress(OSError):
            os.unlink(name)


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` at `path` all or nothing, durable when this returns. Raises OSError with the old file intact."""
    with prepared(path, data) as tmp:
        os.replace(tmp, path)
    sync_directory(path.parent)


def name_aside(path: Path, at: float) -> Path:
    """Return a free name to keep a damaged `path` under. `at` is seconds since the epoch."""
    stamp = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    again = 2
    while aside.exists():
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{again}")
        again += 1
    return aside


def keep_aside(path: Path, data: bytes, at: float) -> Path:
    """Keep `data`, the damaged part of `path`, in a file of its own beside it; return that file."""
    aside = name_aside(path, at)
    replace_file(aside, data)
    return aside


def sweep(directory: Path) -> None:
    """Remove what interrupted writes left in `directory`. Only for who alone writes there.

    Where the disk refuses it stays for the next start.
    """
    with contextlib.suppress(OSError):
        for left in list(directory.glob(f".*{UNFINISHED}")):
            with contextlib.suppress(OSError):
                left.unlink()


def _write_durably(fd: int, data: bytes) -> None:
    """Write all of `data` to a file and wait for the disk."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    os.fsync(fd)
