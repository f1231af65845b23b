"""What is remembered of a PostgreSQL database between two looks at it?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from selfheal.durable import replace_file

_NAME = "postgres.json"


class Highest(NamedTuple):
    """The highest number that a canary gave lately, and the server's wall time of it."""

    value: float
    at: float


class Table(msgspec.Struct, frozen=True):
    """A table as it was read.

    `writes` says what the server had counted of writes before it was read, with the files and the columns that the
    table had then: while it stays the same nobody has written. `sums` is the aggregate of all rows, empty where it was
    not made. `at` is the server's wall time.
    """

    writes: str
    rows: int
    sums: str
    at: float


class Memory(msgspec.Struct, frozen=True):
    """All of it. `oid` is of the database that the rest is about, but for the canaries: those outlive a database.

    `checksum_failures` is how many are known and done with, since everything could be read after them.
    """

    oid: int = 0
    checksum_failures: float = 0.0
    canaries: Mapping[str, Highest] = {}
    tables: Mapping[str, Table] = {}

    def of_database(self, oid: int) -> Memory:
        """What holds of this very database."""
        return self if oid == self.oid else Memory(oid, canaries=self.canaries)

    def with_canaries(self, canaries: Mapping[str, Highest]) -> Memory:
        """The same with other heights; those of canaries that gave no number stay."""
        return replace(self, canaries={**self.canaries, **canaries})


def recall(folder: Path) -> Memory:
    """Read what was kept. Nothing where there is nothing, or nothing that can be read: then it begins anew."""
    try:
        return msgspec.json.decode((folder / _NAME).read_bytes(), type=Memory)
    except (FileNotFoundError, msgspec.DecodeError):
        return Memory()


def keep(folder: Path, memory: Memory) -> None:
    """Keep it for the next look."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(folder / _NAME, msgspec.json.encode(memory))
