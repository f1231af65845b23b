"""Does each file of the journal bear the name that its content says?

A file is named after a number that stands in it too. Files that were exchanged, or moved, get their names again before
anything is read: what they hold is whole. A copy under another's name is no such case, and left to who reads it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from selfheal.durable import name_aside, sync_directory

_MOVING = ".moving"  # between two names; a start finishes what a death has interrupted


@dataclass(frozen=True, slots=True)
class Damage:
    """Something found wrong in a file of the journal: what, where, and the file in the same folder that keeps it.

    `records` are the first and the last number that may have been lost with it; None where none was.
    """

    file: str
    offset: int
    length: int
    what: str
    kept_as: str | None
    records: tuple[int, int] | None = None


def numbered(directory: Path, suffix: str) -> list[Path]:
    """Return the files of a kind in the order of their numbers."""
    return sorted(path for path in directory.glob(f"*{suffix}") if path.stem.isdecimal())


def number_of(path: Path) -> int:
    """Return the number that a file is named after."""
    return int(path.stem)


def named(directory: Path, number: int, suffix: str) -> Path:
    """Return the file of a number."""
    return directory / f"{number:012}{suffix}"


def content(path: Path, at_most: int = -1) -> bytes:
    """Return what is in a file. Raises OSError, also where it is none: to read a pipe would wait for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no file")
    with path.open("rb") as file:
        return file.read(at_most)


def put_right(directory: Path, suffix: str, within: Callable[[Path], int | None], now: float) -> list[Damage]:
    """Give files their names again. `within` tells the number that a file says itself, None where it says none.

    Raises OSError with every file under one of its names, or on the way there.
    """
    found = _finish(directory, suffix, now)
    wrong: dict[Path, Path] = {}
    for path in numbered(directory, suffix):
        number = within(path)
        if number is not None and number != number_of(path):
            wrong[path] = named(directory, number, suffix)
    for path, right in list(wrong.items()):
        if list(wrong.values()).count(right) > 1 or (right.exists() and right not in wrong):
            del wrong[path]
    for path, right in wrong.items():
        os.rename(path, right.with_name(right.name + _MOVING))
        found.append(Damage(path.name, 0, 0, f"it was file {right.name!r}, and bears its name again", None))
    return found + (_finish(directory, suffix, now) if wrong else [])


def set_aside(path: Path, what: str, now: float) -> Damage:
    """Keep a whole file under another name; it needs no space for it. Raises OSError."""
    aside = name_aside(path, now)
    os.rename(path, aside)
    sync_directory(path.parent)
    size = aside.stat().st_size
    return Damage(path.name, 0, size, what, aside.name)


def _finish(directory: Path, suffix: str, now: float) -> list[Damage]:
    found = []
    moving = sorted(directory.glob(f"*{suffix}{_MOVING}"))
    for path in moving:
        right = path.with_name(path.name.removesuffix(_MOVING))
        if right.exists():
            found.append(set_aside(path, "another file has its name", now))
        else:
            with contextlib.suppress(FileNotFoundError):
                os.rename(path, right)
    if moving:
        sync_directory(directory)
    return found
