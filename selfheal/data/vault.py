"""Where do backups live? In a content-addressed store: what two of them share is kept once.

    objects/ab/ab12…      pieces of files, each under the hash of what it holds
    backups/AGENT/ID.*    what each backup is, and which pieces make it up
    damaged/              pieces that did not hold what their names say
    lock                  shared by who stores or takes, exclusive for who collects

A store that is interrupted leaves pieces that nobody wants, and nothing else; the next collection removes them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import msgspec

from selfheal.data.asset import Proof, Tell, untold
from selfheal.data.backup import Backup
from selfheal.data.chunks import cut
from selfheal.data.manifests import Manifests
from selfheal.data.objects import WRITERS, Objects, as_keys
from selfheal.data.space import claim, full_disk_told
from selfheal.data.tree import Entry, describe, dress, dress_one, make, walk
from selfheal.durable import make_private
from selfheal.errors import DataFailed

# Pieces that are on their way to the disk: enough for every writer, and a bound for the memory.
_UNDER_WAY = WRITERS * 4
# How often the disk is asked whether there is still room.
_LOOK_BYTES = 4 << 20


class Vault:
    """The backups below one folder. Several processes may work on it at once, and any of them die at any moment."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._objects = Objects(directory / "objects")
        self._manifests = Manifests(directory / "backups")

    def store(
        self, agent: str, kind: str, source: Path, proof: Proof, at: float, tell: Tell = untold, *, doubt: bool = False
    ) -> Backup:
        """Keep all files below `source`, durable on return. It does not count yet: see `mark_verified`.

        With `doubt` the pieces that are there already are read too, and damaged ones replaced.
        """
        what = f"store a backup of {agent}"
        wanted = Backup("", agent, kind, at, 0, 0, proof)
        try:
            with full_disk_told(self._directory, what, _size_of(source)):
                self._prepare()
                with self._shared():
                    return self._store(
                        wanted, _Storing(self._objects, self._directory, what, source, tell, doubt=doubt)
                    )
        except DataFailed as why:
            if why.cause == "disk_full":
                with contextlib.suppress(DataFailed, OSError):
                    self.collect()  # what was stored of it would keep the disk full
            raise

    def _store(self, wanted: Backup, work: _Storing) -> Backup:
        entries = list(work.entries())
        self._objects.sync(work.names)
        return self._manifests.add(msgspec.structs.replace(wanted, size=work.size, stored=work.stored), entries)

    def take(self, backup: Backup, into: Path, tell: Tell = untold) -> None:
        """Put the files of a backup below the empty folder `into`. Raises DataFailed where one is not what it was."""
        what = f"restore the backup {backup.id} of {backup.agent}"
        claim(into, backup.size, what)
        self._prepare()
        with self._shared(), full_disk_told(into, what, backup.size):
            done, folders = 0, []
            for entry in self._manifests.entries(backup):
                path = make(entry, into)
                if entry.kind == "folder":
                    folders.append(entry)
                    continue
                if entry.kind == "file":
                    self._write(entry, path)
                    done += entry.size
                    tell("restoring", done / max(backup.size, 1))
                dress_one(entry, path)
            dress(folders, into)

    def backups(self, agent: str | None = None) -> list[Backup]:
        """All backups, of one agent or of all, oldest first; one whose manifest is damaged says so."""
        if agent is not None:
            return self._manifests.all_of(agent)
        found = [one for name in self._manifests.agents() for one in self._manifests.all_of(name)]
        return sorted(found, key=lambda one: one.at)

    def mark_verified(self, backup: Backup, at: float) -> Backup:
        """Let it count. Durable on return."""
        return self._manifests.change(backup, verified_at=at, damaged="", damaged_at=None)

    def mark_damaged(self, backup: Backup, why: str, at: float) -> Backup:
        """Let it count no more. Durable on return."""
        return self._manifests.change(backup, damaged=why, damaged_at=at)

    def mark_unchanged(self, backup: Backup, at: float) -> Backup:
        """The data are still those of this backup. Durable on return."""
        return self._manifests.change(backup, unchanged_at=at)

    def mark_sunk(self, backup: Backup, sinks: tuple[str, ...]) -> Backup:
        """These sinks have it too. Durable on return."""
        return self._manifests.change(backup, sunk=sinks)

    def forget(self, backups: Iterable[Backup]) -> int:
        """Drop backups and what only they hold; returns the bytes that were freed. See `collect`."""
        self._prepare()
        dropped = list(backups)
        for backup in dropped:
            self._manifests.remove(backup)
        return self.collect() if dropped else 0

    def collect(self) -> int:
        """Remove every piece that no backup needs; returns the bytes that were freed.

        While others store or take, nothing is done, and the next collection does it. Raises DataFailed, and removes
        nothing, where it cannot be known of some backup what it needs.
        """
        self._prepare()
        with self._exclusive() as alone:
            if not alone:
                return 0
            wanted: set[bytes] = set()
            for backup in self.backups():
                wanted |= self._needs(backup)
            self._manifests.sweep()
            return self._objects.collect(wanted)

    def _needs(self, backup: Backup) -> set[bytes]:
        try:
            return as_keys(
                piece for entry in self._manifests.entries(backup) for piece in entry.pieces if isinstance(piece, str)
            )
        except (DataFailed, OSError, ValueError) as why:
            if not self._manifests.exists(backup):
                return set()  # somebody forgets it just now
            raise DataFailed(
                f"cannot free space in {str(self._directory)!r}: nobody knows what the backup {backup.id} of "
                f"{backup.agent} needs ({why}); put its files back, or remove them by hand",
                "corrupted",
            ) from why

    def _write(self, entry: Entry, path: Path) -> None:
        """Write a file; what was a hole is one again."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            at = 0
            for piece in entry.pieces:
                at += piece if isinstance(piece, int) else _write_all(fd, self._objects.read(piece), at)
            os.ftruncate(fd, at)
        finally:
            os.close(fd)
        if at != entry.size:
            raise DataFailed(f"cannot restore {entry.path!r}: it has {at} bytes, not {entry.size}", "corrupted")

    def _prepare(self) -> None:
        for directory in (self._directory, self._directory / "objects", self._directory / "backups"):
            make_private(directory)

    @contextmanager
    def _shared(self) -> Iterator[None]:
        with self._lock(fcntl.LOCK_SH):
            yield

    @contextmanager
    def _exclusive(self) -> Iterator[bool]:
        """Gives whether it was to be had: nobody is kept waiting for a restore."""
        with self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB) as had:
            yield had

    @contextmanager
    def _lock(self, how: int) -> Iterator[bool]:
        fd = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(fd, how)
                had = True
            except BlockingIOError:
                had = False
            yield had
        finally:
            os.close(fd)


class _Storing:
    """One store under way: what was kept by now, and the pieces that wait for the disk."""

    def __init__(self, objects: Objects, place: Path, what: str, source: Path, tell: Tell, *, doubt: bool) -> None:
        self.size, self.stored = 0, 0
        self.names: set[str] = set()
        self._objects, self._place, self._what, self._source = objects, place, what, source
        self._whole, self._tell, self._doubt = _size_of(source), tell, doubt
        self._looked_at = -_LOOK_BYTES

    def entries(self) -> Iterator[Entry]:
        with ThreadPoolExecutor(WRITERS) as pool:
            for path, seen in walk(self._source):
                entry = describe(path, self._source, seen)
                if entry is not None and entry.kind == "file":
                    entry = self._kept(entry, path, pool)
                if entry is not None:
                    yield entry

    def _kept(self, entry: Entry, path: Path, pool: ThreadPoolExecutor) -> Entry:
        pieces: list[str | int] = []
        waiting: deque[Future[tuple[str, int]] | int] = deque()
        size = 0
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            for piece in cut(fd):
                if isinstance(piece, int):
                    waiting.append(piece)
                    size += piece
                else:
                    waiting.append(pool.submit(self._objects.add, piece, doubt=self._doubt))
                    size += len(piece)
                if len(waiting) >= _UNDER_WAY:
                    pieces.append(self._settled(waiting.popleft()))
                self._advance(self.size + size)
        finally:
            os.close(fd)
        pieces.extend(self._settled(one) for one in waiting)
        self.size += size
        return msgspec.structs.replace(entry, size=size, pieces=tuple(pieces))

    def _settled(self, one: Future[tuple[str, int]] | int) -> str | int:
        if isinstance(one, int):
            return one
        name, stored = one.result()
        self.names.add(name)
        self.stored += stored
        return name

    def _advance(self, done: int) -> None:
        """The disk may fill while we work, by us or by others: what is stored by now is garbage for the collection."""
        self._tell("storing", done / max(self._whole, 1))
        if self.stored - self._looked_at < _LOOK_BYTES:
            return
        self._looked_at = self.stored
        try:
            claim(self._place, 0, self._what)
        except DataFailed:
            claim(self._place, self._whole - done, self._what)  # says how much may still be needed
            raise


def _size_of(folder: Path) -> int:
    return sum(seen.st_size for _, seen in walk(folder))


def _write_all(fd: int, content: bytes, at: int) -> int:
    rest = memoryview(content)
    while rest:
        written = os.pwrite(fd, rest, at)
        rest, at = rest[written:], at + written
    return len(content)
