"""How does a log stay bounded while the process that writes it holds it open?

The beginning of the file is copied to NAME.1 and then taken out of the file itself, in whole blocks: the writer
appends on undisturbed, and no byte is lost. So NAME.2, NAME.1 and NAME, joined in this order, are what was written,
cut anywhere, also within a line. A crash between copy and cut leaves bytes twice, never none.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

_KEEP_SIZE, _PUNCH_HOLE, _COLLAPSE_RANGE = 0x01, 0x02, 0x08  # linux/falloc.h
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_MODE = 0o600
_PATIENCE = 2  # times the size at which a reader that holds the lock, stopped perhaps, is not waited for any longer


def rotate(path: Path, max_size: int, keep: int) -> bool:
    """Cut `path` where it holds more than `max_size` bytes, keeping `keep` older pieces of at most as many each.

    Returns whether it was cut. Blocking file work. Raises OSError, on a full disk above all; nothing but the oldest
    pieces is lost by that. Where the filesystem can neither collapse nor punch (NFS), a line written in the very
    instant of the cut may be lost.
    """
    try:
        if path.stat().st_size <= max_size:  # with the hole at its beginning, if it has one: most logs end here
            return False
        fd = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        return False
    try:
        start, end = content(fd)
        if end - start <= max_size or not (_lock(fd) or end - start > _PATIENCE * max_size):
            return False
        cut = _whole_blocks(fd, start, end)
        if cut <= start:
            return False
        # What outgrew its size between two looks becomes several pieces, and of too many the oldest are left out.
        begins = range(max(start, cut - keep * max_size), cut, max_size)
        _keep_pieces(fd, path, [(begin, min(begin + max_size, cut)) for begin in begins], keep)
        _cut(fd, start, cut)
        return True
    finally:
        os.close(fd)  # and with it the lock


def piece(path: Path, number: int) -> Path:
    """The name of an older piece: 1 is the newest of them."""
    return path.with_name(f"{path.name}.{number}")


def content(fd: int) -> tuple[int, int]:
    """Where the content of an open log begins and ends: it begins with a hole where blocks could only be punched."""
    end = os.fstat(fd).st_size
    try:
        return os.lseek(fd, 0, os.SEEK_DATA), end
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return end, end  # nothing but a hole, or empty


def _lock(fd: int) -> bool:
    """Keep readers out between the copy and the cut: they would see the same bytes twice."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _whole_blocks(fd: int, start: int, end: int) -> int:
    """The last block boundary before `end`: a collapse works on whole blocks and must leave something."""
    block = os.fstat(fd).st_blksize
    return max(start, (end - 1) // block * block)


def _keep_pieces(fd: int, path: Path, spans: list[tuple[int, int]], keep: int) -> None:
    """Put each [start, end) into a piece, the last into piece 1; those that were there move up.

    The oldest go first, so that a disk which held the log can rotate it.
    """
    count = len(spans)
    for number in range(keep - count + 1, keep + 1):
        piece(path, number).unlink(missing_ok=True)
    fresh = {number: path.with_name(f"{path.name}.new{number}") for number in range(count, 0, -1)}
    try:
        for target, (start, end) in zip(fresh.values(), spans, strict=True):
            _copy(fd, target, start, end)
        for number in range(keep - count, 0, -1):
            with suppress(FileNotFoundError):
                piece(path, number).rename(piece(path, number + count))
        for number, target in fresh.items():
            target.rename(piece(path, number))
    except OSError:
        for target in fresh.values():
            target.unlink(missing_ok=True)
        raise


def _copy(source: int, target: Path, start: int, end: int) -> None:
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
    try:
        while start < end:
            copied = os.sendfile(fd, source, start, end - start)
            if copied == 0:
                raise OSError(errno.EIO, f"cannot copy {str(target)!r}: the log became shorter while it was copied")
            start += copied
    finally:
        os.close(fd)


def _cut(fd: int, start: int, cut: int) -> None:
    """Take [start, cut) out of the file by the best means that the filesystem has."""
    if start == 0 and _fallocate(fd, _COLLAPSE_RANGE, 0, cut):
        return
    if _fallocate(fd, _PUNCH_HOLE | _KEEP_SIZE, 0, cut):
        return
    rest = os.pread(fd, os.fstat(fd).st_size - cut, cut)
    os.ftruncate(fd, 0)
    os.write(fd, rest)


def _fallocate(fd: int, mode: int, offset: int, length: int) -> bool:
    """Returns False where this filesystem cannot do it; the standard library has no call for it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fallocate(fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length)) == 0:
        return True
    error = ctypes.get_errno()
    if error in _UNSUPPORTED:
        return False
    raise OSError(error, os.strerror(error))
