"""What is a data asset, and what can be asked of it?

The protocol behind which the kinds of data stand (`sqlite`, `json`, `files`, `postgres`), and the answers they give.
Everything in this room blocks and runs in a child process of its own (`selfheal.data.__main__`), or in a verb of the
command line: never in the daemon. There a database that crashes its reader, or a hash of gigabytes, harms nobody; and
to close a file of SQLite in a process drops every lock that this process has on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

Tell = Callable[[str, float], None]
"""Told what is being done ("copying") and which share of it is done, from 0 to 1."""


def untold(doing: str, share: float) -> None:
    """For those who want no progress."""


class Health(msgspec.Struct, frozen=True):
    """What a look at the data gave. An empty `reason` says that they are sound.

    `cause` is a slug of the vocabulary: `corrupted`, `torn_tail`, `wal_grown`, `locked`, `missing_data`, … `counts` are
    what can be counted (rows by table, lines, files, canaries by name), for a comparison with what is left after a
    recovery.
    """

    reason: str = ""
    cause: str = ""
    signals: Mapping[str, float] = {}
    counts: Mapping[str, float] = {}


class Proof(msgspec.Struct, frozen=True):
    """What a sound copy holds. `as_of` is wall time: everything written before it is in the copy.

    `counts` are as in `Health`. `digest` names the content, for whoever compares two copies; empty where it cannot.
    `note` is what a person should know of the copy.
    """

    as_of: float
    counts: Mapping[str, float] = {}
    digest: str = ""
    note: str = ""


class Salvaged(msgspec.Struct, frozen=True):
    """What could still be read of damaged data. `lost` says in words what could not, empty where nothing was lost."""

    proof: Proof
    lost: str = ""


class Swapped(msgspec.Struct, frozen=True):
    """The prepared data are in place. `aside` is where the old ones are kept, empty where there were none.

    `written_at` is wall time of the last write to the old data, None where it cannot be known.
    """

    aside: str
    written_at: float | None = None


class Asset(Protocol):
    """One data asset. Every call blocks; what cannot be done raises DataFailed with the reason and the cure.

    Assets are structs: they travel to the child as JSON. None of their reprs may show a secret. One that needs its
    memory in other calls than `examine` has a field `room`, and one that can spare what is sound and newer than a
    backup a field `sparing`: a job fills both in.
    """

    @property
    def agent(self) -> str:
        """The name of the agent that the data are."""
        ...

    @property
    def mends(self) -> Mapping[str, str]:
        """The small repairs that can be made in place, by name, with the cause that each is for."""
        ...

    def examine(self, memory: Path, *, thorough: bool, tell: Tell = untold) -> Health:
        """Look whether the data are sound, and change nothing.

        `memory` is a private folder that is kept between looks. `thorough` reads every byte; else it is a quick look.
        Raises DataFailed where it cannot be known.
        """
        ...

    def capture(self, into: Path, tell: Tell = untold) -> Proof:
        """Put a consistent copy into the empty folder `into`, while others go on writing."""
        ...

    def prove(self, copy: Path, tell: Tell = untold) -> Proof:
        """Open a copy, check all of it. Raises DataFailed with what is wrong. `as_of` is that of the copy's files."""
        ...

    def salvage(self, into: Path, tell: Tell = untold) -> Salvaged:
        """Put all that can still be read of damaged data into the empty folder `into`, as a sound copy.

        Never invents anything. Raises DataFailed where nothing can be read, or this kind has no way to.
        """
        ...

    def prepare(self, copy: Path, ticket: str, tell: Tell = untold) -> str | None:
        """Put a copy beside the data, durable, on the same file system or server, under a name made of `ticket`.

        Doing it again begins anew. Nothing that serves is touched. May say in words what of the copy is used.
        """
        ...

    def swap(self, ticket: str, tell: Tell = untold) -> Swapped:
        """Put what was prepared in the place of the data, all or nothing, and keep the old data aside.

        Doing it again, after a crash at any moment of the first time, brings it to its end and gives the same answer.
        """
        ...

    def mend(self, how: str, tell: Tell = untold) -> str:
        """Make one of the small repairs, and say what was done. Doing it again is harmless."""
        ...
