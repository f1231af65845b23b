"""What can be done with data, as one job in a process of its own?

A job is a struct that holds all it needs; `run` does it and gives the answer. What holds a password travels to the
child in its environment, never on its command line, where everybody can read it.
"""

from __future__ import annotations

from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from selfheal.data import ASSETS
from selfheal.data.asset import Asset, Health, Proof, Swapped
from selfheal.data.backup import Backup, Keep
from selfheal.data.sinks import AnySink
from selfheal.errors import DataFailed

if TYPE_CHECKING:
    AnyAsset = Asset
else:
    AnyAsset = reduce(or_, ASSETS) if ASSETS else msgspec.Raw


# The variables in which a child finds its job, and the name of the file in which it says how far it is.
JOB, PROGRESS = "SELFHEAL_JOB", "SELFHEAL_JOB_PROGRESS"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What every job has. `room` is the private folder of the asset, where scratch copies are made too.

    `now` is wall time, for a job reads no clock.
    """

    asset: AnyAsset
    room: Path
    now: float


class Examine(Job, frozen=True, kw_only=True, tag="examine"):
    """Look whether the data are sound."""

    thorough: bool = False


class BackUp(Job, frozen=True, kw_only=True, tag="back_up"):
    """Copy the data into the vault, restore the copy to a scratch place and prove it, then drop what is too old.

    Where nothing was written since the newest backup that counts, that one is the answer, with `unchanged_at` = `now`.
    """

    vault: Path
    keep: Keep = Keep()
    sinks: tuple[AnySink, ...] = ()


class Verify(Job, frozen=True, kw_only=True, tag="verify"):
    """Restore a backup to a scratch place and prove it. `backup` is an id, "newest", or "any" for one at random."""

    vault: Path
    backup: str = "newest"


class Prepare(Job, frozen=True, kw_only=True, tag="prepare"):
    """Put sound data beside the damaged ones, for `Swap`.

    `source` is "salvage", or the id of a backup, or "newest": the newest that counts. What is salvaged must not be less
    than the newest backup holds: then that is better.
    """

    vault: Path
    ticket: str
    source: str = "newest"


class Swap(Job, frozen=True, kw_only=True, tag="swap"):
    """Put what was prepared in the place of the data."""

    ticket: str


class Mend(Job, frozen=True, kw_only=True, tag="mend"):
    """Make a small repair in place."""

    how: str


class Accept(Job, frozen=True, kw_only=True, tag="accept"):
    """Take the data as they are for sound: forget what was seen of them before. For a person alone to order."""


AnyJob = Examine | BackUp | Verify | Prepare | Swap | Mend | Accept


class Prepared(msgspec.Struct, frozen=True):
    """What lies beside the data now. `backup` is empty where it was salvaged; `lost` says what could not be.

    `note` says what of the backup is used, where that is not all of it.
    """

    backup: str
    proof: Proof
    lost: str = ""
    note: str = ""


class Failed(msgspec.Struct, frozen=True):
    """The job could not be done."""

    why: str
    cause: str = ""


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the child says at its end: what the job gave, or why it gave nothing."""

    done: msgspec.Raw = msgspec.Raw(b"null")
    failed: Failed | None = None


def encode(job: AnyJob) -> bytes:
    """Return a job as JSON, for the child."""
    return msgspec.json.encode(job, enc_hook=_spelt)


def decode(data: bytes) -> AnyJob:
    """Read a job of `encode`."""
    job: AnyJob = msgspec.json.decode(data, type=AnyJob, dec_hook=_read)
    return job


def _spelt(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"no job holds a {type(value).__name__}")


def _read(kind: type[object], value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"no job holds a {kind.__name__}")


def answer_of(job: AnyJob, said: bytes) -> Any:  # noqa: ANN401 - what it is depends on the job: see `ANSWERS`
    """Read what the child has said about a job. Raises DataFailed where it failed, or where it said nothing."""
    try:
        told = msgspec.json.decode(said, type=Told)
        if told.failed is not None:
            raise DataFailed(told.failed.why, told.failed.cause)
        return msgspec.json.decode(told.done, type=ANSWERS[type(job)])
    except msgspec.DecodeError as why:
        agent = job.asset.agent
        raise DataFailed(f"cannot tell how the work on the data of {agent} ended: its process died") from why


ANSWERS: dict[type[Job], Any] = {
    Examine: Health, BackUp: Backup, Verify: Backup, Prepare: Prepared, Swap: Swapped, Mend: str,
    Accept: str,
}  # fmt: skip
"""What a job gives, by its type."""
