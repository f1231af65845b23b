"""The kind `sqlite`: a database of SQLite that somebody else writes to."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import msgspec

from selfheal.data.asset import Health, Proof, Salvaged, Swapped, Tell, untold
from selfheal.data.page_manifest import strange_runs
from selfheal.data.sqlite_copy import copy_online, prove, sync
from selfheal.data.sqlite_locks import reader, writer
from selfheal.data.sqlite_look import Canary, Look, Wanted
from selfheal.data.sqlite_memory import Sound, now, recall
from selfheal.data.sqlite_open import beside, connect, copy_all, failed, weight
from selfheal.data.sqlite_pages import HEADER_BYTES, Unreadable, header_of
from selfheal.data.sqlite_salvage import salvage
from selfheal.data.sqlite_swap import prepare, swap
from selfheal.errors import DataFailed

COPY = "data.db"
_CHECKPOINT_S = 2.0


class SqliteAsset(msgspec.Struct, frozen=True, kw_only=True, tag="sqlite"):
    """A database at `path`; it may be a link. Its companions, -journal, -wal and -shm, belong to it."""

    agent: str
    path: str
    max_wal: int = 256_000_000
    max_lock: float = 60.0
    max_age: float | None = None
    max_drop: float | None = None
    foreign_keys: bool = False
    canaries: Mapping[str, Canary] = {}
    quick_s: float = 20.0

    @property
    def mends(self) -> Mapping[str, str]:
        return {"checkpoint_wal": "wal_grown"}

    @property
    def _real(self) -> Path:
        """The file itself: SQLite puts its companions beside that, not beside a link to it."""
        return Path(self.path).resolve()

    def examine(self, memory: Path, *, thorough: bool, tell: Tell = untold) -> Health:
        wanted = Wanted(
            self.max_wal, self.max_lock, self.max_age, self.max_drop, self.foreign_keys, self.canaries, self.quick_s
        )
        return Look(self._real, wanted, memory, tell).run(thorough=thorough)

    def capture(self, into: Path, tell: Tell = untold) -> Proof:
        as_of, copy = now(into), into / COPY
        (into / ".now").unlink()
        try:
            if not self._real.exists():
                raise DataFailed(f"cannot copy {self.path!r}: there is no such file; restore it first", "missing_data")
            copy_online(self._real, copy, into.parent, tell)
        except sqlite3.Error as why:
            raise failed(self._real, why) from why
        copy.touch()
        sync(copy)
        return self._proof(copy, as_of)

    def prove(self, copy: Path, tell: Tell = untold) -> Proof:
        tell("checking", 0.0)
        data = copy / COPY
        if not data.exists():
            raise DataFailed(f"the copy holds no {COPY}", "missing_data")
        return self._proof(data, data.stat().st_mtime)

    def _proof(self, copy: Path, as_of: float) -> Proof:
        counts, digest = prove(copy, foreign_keys=self.foreign_keys)
        return Proof(as_of, counts, digest)

    def salvage(self, into: Path, tell: Tell = untold) -> Salvaged:
        if not self._real.exists():
            raise DataFailed(f"cannot salvage {self.path!r}: there is no such file; restore a backup", "missing_data")
        memory = into.parent  # what looks have kept: the schema, the counts and the hashes of the pages
        sound, as_of = recall(memory, Sound), self._real.stat().st_mtime
        strange = strange_runs(self._real, memory, tell) or []
        work = into / "work"
        work.mkdir()
        try:
            damaged = copy_all(self._real, work)
            unapplied = _finished(damaged, sound)
            lost = salvage(damaged, into / COPY, sound, strange, tell)
        except sqlite3.Error as why:
            raise failed(self._real, why) from why
        finally:
            shutil.rmtree(work)
        sync(into / COPY)
        return Salvaged(self._proof(into / COPY, as_of), "; ".join(filter(None, (unapplied, lost))))

    def prepare(self, copy: Path, ticket: str, tell: Tell = untold) -> None:
        tell("copying", 0.0)
        prepare(self._real, copy / COPY, ticket)

    def swap(self, ticket: str, tell: Tell = untold) -> Swapped:
        return swap(self._real, ticket)

    def mend(self, how: str, tell: Tell = untold) -> str:
        if how not in self.mends:
            raise DataFailed(f"cannot do {how!r} to a database of SQLite; there is {', '.join(self.mends)}")
        wal = beside(self._real, "-wal")
        before = weight(wal)
        if not before:
            return "there is nothing in its WAL"
        holder = reader(self._real) or writer(self._real)
        try:
            busy = _checkpointed(self._real)
        except sqlite3.Error as why:
            raise failed(self._real, why) from why
        if busy and weight(wal) >= before:
            raise DataFailed(
                f"cannot shorten the WAL of {self.path!r}: {holder or 'somebody'} holds it back; end what that has "
                "begun, or start it again",
                "locked",
            )
        return f"{before - weight(wal):,} bytes of its WAL were freed"


def _checkpointed(path: Path) -> bool:
    """Move the WAL into the database; returns whether somebody kept a part of it from that."""
    with contextlib.closing(connect(path, "mode=rw", _CHECKPOINT_S)) as connection:  # it shall not make a new one
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return bool(busy)


def _finished(damaged: Path, sound: Sound | None) -> str:
    """Let SQLite bring what was begun to its end in our copy; returns in words what could not be, empty if nothing."""
    if not (weight(beside(damaged, "-wal")) or weight(beside(damaged, "-journal"))):
        return ""
    with damaged.open("r+b") as file:
        try:
            header_of(file.read(HEADER_BYTES))
        except Unreadable:
            if sound is not None:
                file.seek(0)
                file.write(sound.header)
    try:
        with contextlib.closing(sqlite3.connect(damaged, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.Error as why:
        return f"all that stood in its WAL or journal ({why})"
    return ""
