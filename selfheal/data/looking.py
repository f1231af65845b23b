"""Which files does a folder have, and which of them are not as they should be after what was seen before?"""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from selfheal.data.asset import Health, Tell
from selfheal.data.patterns import chooser, matcher
from selfheal.data.sums import Changes, Read, Seen, is_settled, judge, read_file
from selfheal.data.tree import meant_by, name_of, walk
from selfheal.errors import DataFailed

_TOLD = 3
# What a disk says that cannot read what it holds; a full one, where we write a copy, is another matter.
_UNREADABLE = frozenset({errno.EIO, errno.EUCLEAN, errno.EBADMSG})


class Chosen(msgspec.Struct, frozen=True):
    """A file or folder, and what of it is meant. See `FilesAsset` for what the names mean."""

    path: Path
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    changes: Changes
    required: tuple[str, ...]

    @property
    def top(self) -> Path:
        """The folder to which paths are relative: of a single file the one it lies in."""
        return self.path if self.path.is_dir() else self.path.parent

    def walk(self) -> Iterator[tuple[Path, Path, int]]:
        """All that is meant: relative path, path and mode. Raises DataFailed where it cannot be seen."""
        try:
            yield from self._below() if self.path.is_dir() else self._alone()
        except PermissionError as why:
            words = f"cannot look into {why.filename!r}: {why.strerror}; let the user of selfheal read it"
            raise DataFailed(words, "permission") from why

    def _alone(self) -> Iterator[tuple[Path, Path, int]]:
        if self.path.exists():
            yield Path(self.path.name), self.path, self.path.stat().st_mode

    def _below(self) -> Iterator[tuple[Path, Path, int]]:
        is_meant, is_left_out = chooser(self.include, self.exclude), matcher(self.exclude)
        for path, seen in walk(self.path, lambda found: is_left_out(found.relative_to(self.path))):
            relative = path.relative_to(self.path)
            if is_meant(relative):
                yield relative, path, seen.st_mode

    def files(self) -> Iterator[tuple[str, Path]]:
        for relative, path, mode in self.walk():
            if stat.S_ISREG(mode):
                yield name_of(relative), path


class Damage(NamedTuple):
    """One file that is not as it should be."""

    path: str
    what: str
    cause: str


@dataclass(slots=True)
class Look:
    """What a look has found by now. `seen` is to be remembered: of a damaged file what it was when it was sound.

    `copied` are the sound ones that were copied, `unsteady` those among them that somebody wrote to all the while.
    """

    seen: dict[str, Seen] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)
    copied: dict[str, Seen] = field(default_factory=dict)
    unsteady: list[str] = field(default_factory=list)
    emptied: int = 0

    def health(self, now_ns: int) -> Health:
        size = sum(one.size for one in self.seen.values())
        newest = max((one.mtime_ns for one in self.seen.values()), default=now_ns)
        counts = {"files": float(len(self.seen)), "bytes": float(size)}
        signals = {**counts, "age": max(0.0, (now_ns - newest) / 1e9), "emptied": float(self.emptied)}
        return Health(told(self.damage), self.damage[0].cause if self.damage else "", signals, counts)


CopyTo = Callable[[str], Path]


def look(
    chosen: Chosen,
    known: Mapping[str, Seen],
    now_ns: int,
    tell: Tell,
    *,
    thorough: bool,
    copy_to: CopyTo | None = None,
) -> Look:
    """Look at every file: at what has changed by its size and times, and `thorough` at every byte of all.

    With `copy_to` all are read, and the sound ones copied to where it says.
    """
    found = Look()
    total = max(len(known), 1)
    for relative, path in chosen.files():
        before = known.get(relative)
        untouched = copy_to is None and not thorough and before is not None and _is_untouched(before, path, now_ns)
        if before is not None and untouched:
            found.seen[relative] = before
        else:
            _look_at(chosen, (relative, path), before, now_ns, found, copy_to)
        tell("copying" if copy_to else "looking", min(len(found.seen) / total, 1.0))
    _look_for_missing(chosen, known, found)
    return found


def told(damage: list[Damage]) -> str:
    """The damage in words, the first few by name."""
    words = "; ".join(f"{one.path}: {one.what}" for one in damage[:_TOLD])
    more = len(damage) - _TOLD
    return f"{words}; and {more} more" if more > 0 else words


def _look_at(
    chosen: Chosen, file: tuple[str, Path], before: Seen | None, now_ns: int, found: Look, copy_to: CopyTo | None
) -> None:
    relative = file[0]
    to = copy_to(relative) if copy_to else None
    read = _read(chosen, file, before, now_ns, found, to)
    if read is not None and _is_sound(found, chosen, relative, before, read):
        if to is not None:
            found.copied[relative] = read.seen
        if not read.steady:
            found.unsteady.append(relative)
    elif to is not None:
        to.unlink(missing_ok=True)


def _read(
    chosen: Chosen, file: tuple[str, Path], before: Seen | None, now_ns: int, found: Look, to: Path | None
) -> Read | None:
    """None where it is gone, or cannot be read: then that is its damage."""
    relative, path = file
    try:
        return read_file(path, before, now_ns, to=to, growing=chosen.changes == "append")
    except FileNotFoundError:
        return None
    except PermissionError as why:
        words = f"cannot read {str(path)!r}: {why.strerror}; let the user of selfheal read it"
        raise DataFailed(words, "permission") from why
    except OSError as why:
        if why.errno not in _UNREADABLE:
            raise
        found.damage.append(Damage(relative, f"it cannot be read: {why.strerror}", "corrupted"))
        if before is not None:
            found.seen[relative] = before
        return None


def _is_sound(found: Look, chosen: Chosen, relative: str, before: Seen | None, read: Read) -> bool:
    """Take one file that was read into account."""
    what = judge(before, read, chosen.changes)
    emptied = before is not None and before.size > 0 and read.seen.size == 0
    if not what and emptied and matcher(chosen.required)(Path(meant_by(relative))):
        what = "it is empty, and held something"
    found.emptied += emptied
    if what:
        found.damage.append(Damage(relative, what, "corrupted"))
    found.seen[relative] = before if what and before is not None else read.seen
    return not what


def _look_for_missing(chosen: Chosen, known: Mapping[str, Seen], found: Look) -> None:
    is_required = matcher(chosen.required)
    is_meant = chooser(chosen.include, chosen.exclude)
    stays = chosen.changes != "any"
    for relative, before in known.items():
        path = Path(meant_by(relative))
        if relative not in found.seen and (stays or is_required(path)) and is_meant(path):
            found.damage.append(Damage(relative, "it is missing", "missing_data"))
            found.seen[relative] = before
    for pattern in chosen.required:
        if not any(matcher([pattern])(Path(meant_by(relative))) for relative in found.seen):
            found.damage.append(Damage(pattern, "there is none", "missing_data"))
    if not chosen.path.exists() and not found.damage:
        found.damage.append(Damage(str(chosen.path), "it is missing", "missing_data"))


def _is_untouched(before: Seen, path: Path, now_ns: int) -> bool:
    try:
        seen = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    same = (seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns) == (before.size, before.mtime_ns, before.ctime_ns)
    return same and (before.settled or not is_settled(seen, now_ns))
