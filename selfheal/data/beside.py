"""How does a prepared folder or file take the place of the one that serves, all or nothing?

`NAME.prepared-TICKET` lies beside `NAME`; the old one goes to `NAME.damaged-TICKET`, then the new one to `NAME`. What
there is of the three says how far an earlier swap got, so that one that was interrupted is brought to its end.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from selfheal.data.scratch import remove
from selfheal.data.sums import write_at
from selfheal.durable import sync_directory
from selfheal.errors import DataFailed

_TICKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}")
_WRITERS = 8
_BLOCK = 1 << 20


def prepared_place(path: Path, ticket: str) -> Path:
    """Where a copy waits."""
    return _beside(path, "prepared", ticket)


def clear(place: Path) -> None:
    """Let nothing be there, so that a preparation begins anew."""
    if place.is_dir() and not place.is_symlink():
        remove(place)
        if place.exists():
            raise DataFailed(
                f"cannot prepare {str(place)!r}: what an earlier try left there cannot be removed; remove it"
            )
    else:
        place.unlink(missing_ok=True)


def put(source: Path, place: Path, *, share: bool) -> None:
    """Put one file or link at `place`: the very same where it may be shared and can be, else a copy."""
    if share:
        try:
            os.link(source, place, follow_symlinks=False)
            return
        except OSError as why:
            if why.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                raise
    if source.is_symlink():
        place.symlink_to(os.readlink(source))
    else:
        _copy(source, place)
    like(source, place)


def like(source: Path, place: Path) -> None:
    """Give owner, mode and times of one thing to another."""
    seen = source.stat(follow_symlinks=False)
    if os.geteuid() == 0:
        os.chown(place, seen.st_uid, seen.st_gid, follow_symlinks=False)
    shutil.copystat(source, place, follow_symlinks=False)


def make_durable(files: Iterable[Path], folders: Iterable[Path]) -> None:
    """Wait until files, and then the names in folders, are on the disk."""
    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(_sync, files))
        list(pool.map(sync_directory, folders))


def swap(path: Path, ticket: str) -> Path | None:
    """Bring the swap to its end; returns where the old data are, None where there were none."""
    prepared, aside = prepared_place(path, ticket), _beside(path, "damaged", ticket)
    if _is_there(prepared):
        if _is_there(path):
            _move(path, _free(aside))
        _move(prepared, path)
    elif not _is_there(path):
        raise DataFailed(
            f"cannot put {str(path)!r} in place: nothing was prepared as {prepared.name!r}; prepare it again"
        )
    return aside if _is_there(aside) else None


def _beside(path: Path, what: str, ticket: str) -> Path:
    if _TICKET.fullmatch(ticket) is None:
        raise DataFailed(f"cannot use the ticket {ticket!r}: write letters, digits, '_', '.' and '-'")
    return path.with_name(f"{path.name}.{what}-{ticket}")


def _free(aside: Path) -> Path:
    """Who writes between the two steps of a swap makes the folder anew: that goes aside too."""
    free, again = aside, 2
    while _is_there(free):
        free, again = aside.with_name(f"{aside.name}-{again}"), again + 1
    return free


def _move(source: Path, place: Path) -> None:
    try:
        source.rename(place)
        sync_directory(place.parent)
    except OSError as why:
        cure = "make its folder writable for selfheal"
        if why.errno in (errno.EBUSY, errno.EXDEV):
            cure = "it is a disk of its own; let the agent's path be a folder on it"
        raise DataFailed(f"cannot move {str(source)!r} to {place.name!r}: {why.strerror}; {cure}") from why


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _copy(source: Path, place: Path) -> None:
    """Copy what a file holds; blocks of zeros become holes."""
    with source.open("rb", buffering=0) as data:
        out = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            at = 0
            while block := data.read(_BLOCK):
                if block.count(0) != len(block):
                    write_at(out, block, at)
                at += len(block)
            os.ftruncate(out, at)
        finally:
            os.close(out)
