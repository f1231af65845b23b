"""How is a database exchanged for another, so that a crash at any moment leaves a whole one?

A new database must never meet the journal or the WAL of the old one: it would be "repaired" with it. So the order is:
the old file gets its second name, its companions are moved aside, and only then takes the new file the name over, in
one step. Meanwhile the lock is held, on both files, that everyone must pass who opens one anew. A process that has
the old one open already can pass it: what it makes beside the new one is moved aside before anybody can open that.
It goes on with the old file, and has to be started again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

from selfheal.data.asset import Swapped
from selfheal.data.sqlite_copy import sync
from selfheal.data.sqlite_locks import PENDING
from selfheal.data.sqlite_open import COMPANIONS, beside
from selfheal.durable import sync_directory
from selfheal.errors import DataFailed


def prepare(path: Path, copy: Path, ticket: str) -> None:
    """Put a copy beside a database, durable, with its mode and owner."""
    folder = path.parent
    if not folder.is_dir():
        raise DataFailed(f"cannot put anything into {str(folder)!r}: there is no such folder; make it", "missing_data")
    for left in folder.glob(f".{path.name}.swapped-*"):
        left.unlink()
    ready = _ready(path, ticket)
    ready.unlink(missing_ok=True)
    wanted, free = copy.stat().st_size, shutil.disk_usage(folder).free
    if free < wanted:
        raise DataFailed(
            f"cannot put {wanted:,} bytes beside {str(path)!r}: {free:,} are free; free space there", "disk_full"
        )
    shutil.copyfile(copy, ready)
    _like(ready, path if path.exists() else folder)
    sync(ready)
    sync_directory(folder)


def swap(path: Path, ticket: str) -> Swapped:
    """Put what was prepared in the place of the database, and keep that aside."""
    ready, aside, mark = _ready(path, ticket), _aside(path, ticket), _mark(path, ticket)
    if ready.exists():
        with _no_one_new(path), _no_one_new(ready):
            _exchange(path, ready, aside, mark)
    elif not (mark.exists() or _is_kept(aside)):
        raise DataFailed(
            f"cannot put anything in the place of {str(path)!r}: nothing is prepared there under the name {ticket!r}; "
            "prepare it first"
        )
    sync_directory(path.parent)
    return Swapped(str(aside), _written_at(aside)) if _is_kept(aside) else Swapped("")


def _exchange(path: Path, ready: Path, aside: Path, mark: Path) -> None:
    if path.exists():
        _keep(path, aside)
    _keep_companions(path, aside)
    if not _is_kept(aside):
        mark.touch()
    sync_directory(path.parent)
    os.rename(ready, path)
    _keep_companions(path, aside)


def _keep(path: Path, aside: Path) -> None:
    """Give the old file its second name; it keeps the first until the new one takes it over."""
    if aside.exists():
        if aside.samefile(path):
            return  # an earlier try came as far as this
        aside = _free_name(aside)
    try:
        os.link(path, aside)
    except OSError:  # a file system without second names: for a moment there is no file
        os.rename(path, aside)


def _keep_companions(path: Path, aside: Path) -> None:
    for suffix in COMPANIONS:
        if beside(path, suffix).exists():
            os.rename(beside(path, suffix), _free_name(beside(aside, suffix)))


def _free_name(path: Path) -> Path:
    """Return a name that nothing has: what an earlier try has put aside is not written over."""
    free, again = path, 2
    while free.exists():
        free = path.with_name(f"{path.name}-{again}")
        again += 1
    return free


@contextlib.contextmanager
def _no_one_new(path: Path) -> Iterator[None]:
    """Keep out whoever opens the old file from now on. It is no error that a writer holds that lock: so does he."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, PENDING, 1, 0))
        yield
    finally:
        os.close(fd)


def _like(ready: Path, model: Path) -> None:
    """Give a new file the owner and the mode of the old one, of the folder where there is none, as far as we may."""
    stat = model.stat()
    with contextlib.suppress(PermissionError):
        os.chown(ready, stat.st_uid, stat.st_gid)
    os.chmod(ready, stat.st_mode & (0o666 if model.is_dir() else 0o777))


def _written_at(aside: Path) -> float:
    """When the old data were last written: a second name and a rename change neither file's time."""
    kept = (aside, beside(aside, "-wal"), beside(aside, "-journal"))
    return max(each.stat().st_mtime for each in kept if each.exists())


def _is_kept(aside: Path) -> bool:
    return any(beside(aside, suffix).exists() for suffix in ("", "-journal", "-wal"))


def _ready(path: Path, ticket: str) -> Path:
    return path.with_name(f"{path.name}.prepared-{ticket}")


def _aside(path: Path, ticket: str) -> Path:
    return path.with_name(f"{path.name}.damaged-{ticket}")


def _mark(path: Path, ticket: str) -> Path:
    """Say where an exchange has left nothing aside that it was done. The next one takes it away."""
    return path.with_name(f".{path.name}.swapped-{ticket}")
