"""What lies in a folder, and how is it put back as it was: files, folders, links, modes, times, owners?"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from selfheal.errors import DataFailed

Kind = Literal["file", "folder", "link"]


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing in a folder. `path` is as `name_of` spells it, and so is `target`, where a link leads.

    `pieces` are the names of what a file is made of; a number is a hole of so many bytes.
    """

    path: str
    kind: Kind
    mode: int
    mtime_ns: int
    uid: int
    gid: int
    size: int = 0
    pieces: tuple[str | int, ...] = ()
    target: str = ""

    @property
    def place(self) -> Path:
        """Where it belongs, below the folder. Raises DataFailed where that would be outside of it."""
        path = Path(meant_by(self.path))
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise DataFailed(f"cannot put back {self.path!r}: it lies outside of the folder", "corrupted")
        return path


def walk(folder: Path, leave_out: Callable[[Path], bool] | None = None) -> Iterator[tuple[Path, os.stat_result]]:
    """All below a folder, each folder before what it holds, in the order of their names. Links are not followed.

    What is left out is left out with all below it; so is what vanishes meanwhile.
    """
    for entry in sorted(os.scandir(folder), key=lambda found: found.name):
        path = Path(entry.path)
        if leave_out is not None and leave_out(path):
            continue
        try:
            seen = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield path, seen
        if stat.S_ISDIR(seen.st_mode):
            with contextlib.suppress(FileNotFoundError):
                yield from walk(path, leave_out)


def describe(path: Path, below: Path, seen: os.stat_result) -> Entry | None:
    """Say what it is, without what a file holds; None for sockets, pipes and devices, which hold nothing."""
    kind: Kind
    if stat.S_ISREG(seen.st_mode):
        kind = "file"
    elif stat.S_ISDIR(seen.st_mode):
        kind = "folder"
    elif stat.S_ISLNK(seen.st_mode):
        kind = "link"
    else:
        return None
    return Entry(
        path=name_of(path.relative_to(below)), kind=kind, mode=stat.S_IMODE(seen.st_mode), mtime_ns=seen.st_mtime_ns,
        uid=seen.st_uid, gid=seen.st_gid, size=seen.st_size if kind == "file" else 0,
        target=name_of(os.readlink(path)) if kind == "link" else "",
    )  # fmt: skip


def make(entry: Entry, into: Path) -> Path:
    """Make a folder or a link, or say where a file is to be written. A folder is open to us until `dress`."""
    path = into / entry.place
    if entry.kind == "folder":
        path.mkdir(mode=0o700)
    elif entry.kind == "link":
        path.symlink_to(meant_by(entry.target))
    return path


def dress(entries: Iterable[Entry], into: Path) -> None:
    """Give modes, times and, where we may, owners. What lies deepest comes first: it changes the time of its folder."""
    for entry in sorted(entries, key=lambda one: len(one.place.parts), reverse=True):
        dress_one(entry, into / entry.place)


def dress_one(entry: Entry, path: Path) -> None:
    """Give one thing its owner, mode and time."""
    if os.geteuid() == 0:
        with contextlib.suppress(PermissionError):
            os.chown(path, entry.uid, entry.gid, follow_symlinks=False)
    if entry.kind != "link":
        path.chmod(entry.mode)  # after the owner: a change of that takes away the special bits
    os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)


_BYTES = "\0"  # no name holds one


def name_of(path: Path | str) -> str:
    """Spell a path so that it can stand in JSON: as it is, or as hex where its bytes are no text."""
    data = os.fsencode(path)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _BYTES + data.hex()


def meant_by(name: str) -> str:
    """The path that `name_of` has spelt."""
    return os.fsdecode(bytes.fromhex(name[1:])) if name.startswith(_BYTES) else name
