"""What can be done with data, as one job in a process of its own?

A job is a struct that holds all it needs; `run` does it and gives the answer. What holds a password travels to the
child in its environment, never on its command line, where everybody can read it.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from selfheal.data import ASSETS
from selfheal.data.asset import Asset, Health, Proof, Swapped, Tell, untold
from selfheal.data.backup import Backup, Keep
from selfheal.data.retention import kept
from selfheal.data.vault import Vault
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
    """Copy the data into the vault, restore the copy to a scratch place and prove it, then drop what is too old."""

    vault: Path
    keep: Keep = Keep()


class Verify(Job, frozen=True, kw_only=True, tag="verify"):
    """Restore a backup to a scratch place and prove it. `backup` is an id, "newest", or "any" for one at random."""

    vault: Path
    backup: str = "newest"


class Prepare(Job, frozen=True, kw_only=True, tag="prepare"):
    """Put sound data beside the damaged ones, for `Swap`.

    `source` is "salvage", or the id of a backup, or "newest": the newest that counts, not younger than `until` where
    that is given. What is salvaged must not be less than the newest backup holds: then that is better.
    """

    vault: Path
    ticket: str
    source: str = "newest"
    until: float | None = None


class Swap(Job, frozen=True, kw_only=True, tag="swap"):
    """Put what was prepared in the place of the data."""

    ticket: str


class Mend(Job, frozen=True, kw_only=True, tag="mend"):
    """Make a small repair in place."""

    how: str


AnyJob = Examine | BackUp | Verify | Prepare | Swap | Mend


class Prepared(msgspec.Struct, frozen=True):
    """What lies beside the data now. `backup` is empty where it was salvaged; `lost` says what could not be."""

    backup: str
    proof: Proof
    lost: str = ""


class Failed(msgspec.Struct, frozen=True):
    """The job could not be done."""

    why: str
    cause: str = ""


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the child says at its end: what the job gave, or why it gave nothing."""

    done: msgspec.Raw = msgspec.Raw(b"null")
    failed: Failed | None = None


def run(job: AnyJob, tell: Tell = untold) -> Health | Backup | Prepared | Swapped | str:
    """Do a job. Blocks. Raises DataFailed with what is wrong."""
    match job:
        case Examine():
            return job.asset.examine(job.room, thorough=job.thorough, tell=tell)
        case BackUp():
            return _back_up(job, tell)
        case Verify():
            vault = Vault(job.vault)
            return _verified(vault, _chosen(vault, job), job, tell)
        case Prepare():
            return _prepare(job, tell)
        case Swap():
            return job.asset.swap(job.ticket, tell)
        case Mend():
            return job.asset.mend(job.how, tell)


def _back_up(job: BackUp, tell: Tell) -> Backup:
    vault = Vault(job.vault)
    with _scratch(job.room) as place:
        proof = job.asset.capture(place, tell)
        backup = vault.store(job.asset.agent, _kind(job.asset), place, proof, job.now, tell)
    backup = _verified(vault, backup, job, tell)
    mine = vault.backups(job.asset.agent)
    wanted = kept(mine, job.keep)
    vault.forget([each for each in mine if each.id not in wanted])
    return backup


def _verified(vault: Vault, backup: Backup, job: Job, tell: Tell) -> Backup:
    """Take the backup out of the vault and prove it; one that fails is marked, and never counts again."""
    with _scratch(job.room) as place:
        try:
            vault.take(backup, place, tell)
            proof = job.asset.prove(place, tell)
            if proof.counts != backup.proof.counts or proof.digest != backup.proof.digest:
                raise DataFailed(f"what was restored from it holds {_differs(proof, backup.proof)}", "corrupted")
        except DataFailed as why:
            vault.mark_damaged(backup, str(why))
            raise DataFailed(f"cannot rely on the backup {backup.id} of {backup.agent}: {why}", "corrupted") from why
    return vault.mark_verified(backup, job.now)


def _differs(found: Proof, wanted: Proof) -> str:
    for name in sorted({*found.counts, *wanted.counts}):
        if found.counts.get(name) != wanted.counts.get(name):
            return f"{found.counts.get(name, 0):g} {name}, not {wanted.counts.get(name, 0):g}"
    return "something else than what was backed up"


def _chosen(vault: Vault, job: Verify) -> Backup:
    mine = [each for each in vault.backups(job.asset.agent) if not each.damaged]
    if job.backup == "newest" and mine:
        return mine[-1]
    if job.backup == "any" and mine:
        return random.Random(job.now).choice(mine)  # noqa: S311 - no secret hangs on it
    return _found(mine, job.backup, job.asset.agent)


def _found(backups: list[Backup], wanted: str, agent: str) -> Backup:
    for backup in backups:
        if backup.id == wanted:
            return backup
    words = f"no backup {wanted} of {agent}" if backups else f"no backup of {agent}"
    raise DataFailed(f"there is {words} that can be relied on; 'selfheal backup --list' shows what there is")


def _prepare(job: Prepare, tell: Tell) -> Prepared:
    vault = Vault(job.vault)
    sound = [each for each in vault.backups(job.asset.agent) if each.counts]
    with _scratch(job.room) as place:
        if job.source == "salvage":
            salvaged = job.asset.salvage(place, tell)
            proof = job.asset.prove(place, tell)
            _worth_it(proof, sound)
            job.asset.prepare(place, job.ticket, tell)
            return Prepared("", salvaged.proof, salvaged.lost)
        early = [each for each in sound if job.until is None or each.proof.as_of <= job.until]
        newest = early[-1].id if early else "newest"
        backup = _found(early, newest if job.source == "newest" else job.source, job.asset.agent)
        vault.take(backup, place, tell)
        job.asset.prove(place, tell)
        job.asset.prepare(place, job.ticket, tell)
        return Prepared(backup.id, backup.proof)


def _worth_it(salvaged: Proof, sound: list[Backup]) -> None:
    """A salvage that holds less than the newest backup is no help."""
    if not sound:
        return
    backup = sound[-1]
    fewer = [name for name, count in backup.proof.counts.items() if salvaged.counts.get(name, 0) < count]
    if fewer and sum(salvaged.counts.values()) < sum(backup.proof.counts.values()):
        raise DataFailed(
            f"what can be salvaged holds less than the backup {backup.id}: "
            f"{salvaged.counts.get(fewer[0], 0):g} {fewer[0]}, not {backup.proof.counts[fewer[0]]:g}"
        )


def _kind(asset: Asset) -> str:
    return str(type(asset).__struct_config__.tag)  # type: ignore[attr-defined] # every asset is a struct


@contextmanager
def _scratch(room: Path) -> Iterator[Path]:
    """Give an empty folder that is gone afterwards; what a killed job left there goes with the next one."""
    room.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="scratch-", dir=room))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def encode(job: AnyJob) -> bytes:
    """Return a job as JSON, for the child."""
    return msgspec.json.encode(job, enc_hook=str)  # paths


def decode(data: bytes) -> AnyJob:
    """Read a job of `encode`."""
    job: AnyJob = msgspec.json.decode(data, type=AnyJob, dec_hook=lambda kind, value: kind(value))
    return job
