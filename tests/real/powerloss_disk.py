"""What may a disk hold after a power cut? Pure: operations in, every legal state out.

A write that nothing waited for may be there, absent, torn at a sector, or a length without its data. A name that
nothing waited for may be there or not: in the order in which names were changed (what journalling file systems do), or
each by itself (`weak`, what the standard allows). What was waited for is there. A sync that failed has settled nothing,
and a later one that succeeds does not settle it either: the kernel takes those pages for clean.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from random import Random
from typing import Literal

SECTOR = 512
_SUBSETS_MAX = 10  # names that wait at one time; each by itself makes 1024 states

Files = Mapping[str, bytes]
Fate = Literal["waits", "certain", "doubtful"]
"""Of a write: nothing has waited for it, the disk has it, or a sync failed and nobody will ever know."""


@dataclass(frozen=True, slots=True)
class Name:
    """Names in a directory now mean these inodes; None for no more. All of it at once, or nothing."""

    directory: str
    means: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at a place in a file. With `data` None: the file is cut at `at`."""

    inode: int
    at: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Sync:
    """What was written to the file is on the disk, or, where that failed, must be doubted."""

    inode: int
    failed: bool = False


@dataclass(frozen=True, slots=True)
class SyncNames:
    """The names in a directory are on the disk."""

    directory: str


@dataclass(frozen=True, slots=True)
class Told:
    """Something was promised."""

    words: str


Operation = Name | Write | Sync | SyncNames | Told


@dataclass(slots=True)
class Disk:
    """What is on the disk for certain, and what may be, after some operations. Inode 0 is a directory."""

    names: dict[str, int] = field(default_factory=dict)
    contents: dict[int, bytes] = field(default_factory=dict)
    waiting_names: list[Name] = field(default_factory=list)
    waiting: dict[int, list[tuple[Write, Fate]]] = field(default_factory=dict)
    """Writes of a file, in order, since all of it was certain."""
    told: list[str] = field(default_factory=list)

    def do(self, operation: Operation) -> None:
        match operation:
            case Name():
                self.waiting_names.append(operation)
            case Write(inode=inode):
                self.waiting.setdefault(inode, []).append((operation, "waits"))
            case Sync(inode=inode, failed=failed):
                self._settle(inode, "doubtful" if failed else "certain")
            case SyncNames(directory=directory):
                for name in [name for name in self.waiting_names if name.directory == directory]:
                    self.waiting_names.remove(name)
                    _rename(self.names, name)
            case Told(words=words):
                self.told.append(words)

    def _settle(self, inode: int, fate: Fate) -> None:
        writes = [(write, fate if then == "waits" else then) for write, then in self.waiting.pop(inode, [])]
        if all(fate == "certain" for _, fate in writes):
            self.contents[inode] = _written(self.contents.get(inode, b""), [write for write, _ in writes])
        else:
            self.waiting[inode] = writes

    def states(self, *, weak: bool, most: int, chance: Random) -> Iterator[Files]:
        """Every state in which a cut may leave it now; of more than `most`, so many by `chance`."""
        for names in self._namings(weak=weak):
            files = {path: inode for path, inode in names.items() if inode and _reachable(path, names)}
            inodes = sorted(set(files.values()))
            choices = [self._contents(inode) for inode in inodes]
            for chosen in _products(choices, most, chance):
                contents = dict(zip(inodes, chosen, strict=True))
                directories = {
                    f"{path}/": b"" for path, inode in names.items() if not inode and _reachable(path, names)
                }
                yield directories | {path: contents[inode] for path, inode in files.items()}

    def _namings(self, *, weak: bool) -> Iterator[dict[str, int]]:
        waiting = self.waiting_names
        for kept in _subsets(waiting) if weak else (waiting[:count] for count in range(len(waiting) + 1)):
            names = dict(self.names)
            for name in kept:
                _rename(names, name)
            yield names

    def _contents(self, inode: int) -> list[bytes]:
        """Every content that a file may have. A write may be gone though what followed it is there."""
        begun = {self.contents.get(inode, b"")}
        for write, fate in self.waiting.get(inode, []):
            if fate == "certain":
                begun = {_written(before, [write]) for before in begun}
            else:
                begun = {after for before in begun for after in _outcomes(before, write)}
        return sorted(begun)


def _outcomes(before: bytes, write: Write) -> Iterator[bytes]:
    yield before
    yield _written(before, [write])
    if write.data is None:
        return
    end = write.at + len(write.data)
    for tear in range(write.at // SECTOR * SECTOR + SECTOR, end, SECTOR):
        yield _written(before, [Write(write.inode, write.at, write.data[: tear - write.at])])
        half = write.data[: tear - write.at] + bytes(end - tear)
        yield _written(before, [Write(write.inode, write.at, half)])
    yield _written(before, [Write(write.inode, write.at, bytes(len(write.data)))])


def _written(content: bytes, writes: Sequence[Write]) -> bytes:
    for write in writes:
        if write.data is None:
            content = content[: write.at].ljust(write.at, b"\0")
        else:
            content = content.ljust(write.at, b"\0")
            content = content[: write.at] + write.data + content[write.at + len(write.data) :]
    return content


def _rename(names: dict[str, int], change: Name) -> None:
    for path, inode in change.means.items():
        if inode is None:
            names.pop(path, None)
        else:
            names[path] = inode


def _reachable(path: str, names: Mapping[str, int]) -> bool:
    """Whether a name is there with all directories above it."""
    above = path.rpartition("/")[0]
    return not above or (names.get(above) == 0 and _reachable(above, names))


def _subsets(names: Sequence[Name]) -> Iterator[list[Name]]:
    assert len(names) <= _SUBSETS_MAX, "too many names wait"
    for kept in itertools.product((False, True), repeat=len(names)):
        yield list(itertools.compress(names, kept))


def _products(choices: Sequence[Sequence[bytes]], most: int, chance: Random) -> Iterator[tuple[bytes, ...]]:
    if prod(map(len, choices)) <= most:
        yield from itertools.product(*choices)
        return
    for _ in range(most):
        yield tuple(chance.choice(each) for each in choices)
