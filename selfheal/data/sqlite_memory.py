"""What is kept of a database between two looks?

Its schema, header and counts as they were when it was sound: a salvage needs them. Each is a small file of its own in
the private folder of the asset; one that cannot be read is as if there were none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from selfheal.data.sqlite_pages import Value, header_of
from selfheal.durable import replace_file

Kept = TypeVar("Kept", bound=msgspec.Struct)


class Entry(msgspec.Struct, frozen=True):
    """One line of the schema: a table, index, view or trigger. `root` is 0 where it has no tree."""

    type: str
    name: str
    table: str
    root: int
    sql: str

    @classmethod
    def of(cls, values: list[Value]) -> Entry:
        """Read a row of sqlite_schema. Raises ValueError where it is none."""
        if len(values) != 5 or values[0] not in {"table", "index", "view", "trigger"}:
            raise ValueError("no entry of a schema")
        kind, name, table, root, sql = values
        if not (isinstance(name, str) and isinstance(table, str) and isinstance(sql, str | None)):
            raise TypeError("no entry of a schema")
        return cls(str(kind), name, table, root if isinstance(root, int) else 0, sql or "")


class Sound(msgspec.Struct, frozen=True):
    """A database as it was at its last sound look.

    `counts` are rows by table at the last thorough one, and `counted_at` SQLite's count of changes then.
    """

    header: bytes
    schema: list[Entry]
    counts: Mapping[str, float] = {}
    counted_at: int = -1

    @property
    def page_size(self) -> int:
        return header_of(self.header).page_size


class Canaries(msgspec.Struct, frozen=True):
    """What the canaries gave when they were last as they should be."""

    values: Mapping[str, float] = {}


def remember(memory: Path, what: msgspec.Struct) -> None:
    """Keep one thing of its type, in place of the one before."""
    memory.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(_place(memory, type(what)), msgspec.msgpack.encode(what))


def recall(memory: Path, kind: type[Kept]) -> Kept | None:
    """Return what was kept of this type."""
    try:
        return msgspec.msgpack.decode(_place(memory, kind).read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def forget(memory: Path, kind: type[msgspec.Struct]) -> None:
    """Keep nothing of this type."""
    _place(memory, kind).unlink(missing_ok=True)


def now(folder: Path) -> float:
    """Return wall time, as a file that is written now gets it: who has no clock compares files with files."""
    mark = folder / ".now"
    mark.write_bytes(b"")
    mark.touch()
    return mark.stat().st_mtime


def _place(memory: Path, kind: type[msgspec.Struct]) -> Path:
    return memory / f"sqlite-{kind.__name__.lower()}"
