"""What can be done with data, as one job in a process of its own?

A job is a struct that holds all it needs; `run` does it and gives the answer. What holds a password travels to the
child in its environment, never on its command line, where everybody can read it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from selfheal.data import ASSETS
from selfheal.data.asset import Asset, Health, Proof, Swapped, Tell, untold
from selfheal.data.backup import Backup, Keep
from selfheal.data.retention import kept
from selfheal.data.scratch import scratch
from selfheal.data.sinks import AnySink
from selfheal.data.space import claim
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
            return _swap(job, tell)
        case Mend():
            return _at_home(job).mend(job.how, tell)


def _swap(job: Swap, tell: Tell) -> Swapped:
    """Exchange, and forget what was remembered of the old data: what is fewer now is no damage.

    A kind that has its memory at hand does that by itself.
    """
    swapped = _at_home(job).swap(job.ticket, tell)
    if "room" not in type(job.asset).__struct_fields__ and job.room.is_dir():  # type: ignore[attr-defined] # a struct
        for path in job.room.iterdir():
            if path.is_file():
                path.unlink(missing_ok=True)
    return swapped


def _at_home(job: Job, *, sparing: bool = False) -> Asset:
    """The asset with its memory, where its kind needs that: see `Asset`."""
    given = {"room": job.room, "sparing": sparing}
    known = type(job.asset).__struct_fields__  # type: ignore[attr-defined] # every asset is a struct
    wanted = {key: given[key] for key in given.keys() & set(known)}
    asset: Asset = msgspec.structs.replace(job.asset, **wanted)  # type: ignore[type-var] # every asset is a struct
    return asset


# --- backing up -----------------------------------------------------------------------------------------------------

# Which share of the whole job is done after each of its parts, as they are told.
_CAPTURED, _STORED, _VERIFIED = 0.4, 0.7, 1.0
# What says that a copy is bad. Else it is not known to be: a full disk, or a program that is not there, proves nothing.
_BAD = frozenset({"corrupted", "torn_tail", "missing_data", "schema_broken"})


def _back_up(job: BackUp, tell: Tell) -> Backup:
    vault = Vault(job.vault)
    newest = next((each for each in reversed(vault.backups(job.asset.agent)) if each.counts), None)
    with scratch(job.room) as place:
        if newest is not None:
            claim(place, newest.size, f"copy the data of {job.asset.agent}")
        proof = _at_home(job).capture(place, _part(tell, 0.0, _CAPTURED))
        if newest is not None and _is_same(proof, newest.proof):
            backup = vault.mark_unchanged(newest, job.now)
        else:
            backup = _stored(vault, job, place, proof, tell)
    backup = _sunk(vault, backup, job, tell)
    said = [proof.note] if proof.note else []
    return msgspec.structs.replace(backup, told=(*said, *backup.told, *_tidied(vault, job)))


def _stored(vault: Vault, job: BackUp, place: Path, proof: Proof, tell: Tell) -> Backup:
    """Store and prove it. A piece that was there before may be damaged: then it was set aside, and is stored anew."""
    kind, agent = _kind(job.asset), job.asset.agent
    storing, proving = _part(tell, _CAPTURED, _STORED), _part(tell, _STORED, _VERIFIED)
    first = vault.store(agent, kind, place, proof, job.now, storing)
    try:
        return _verified(vault, first, job, proving)
    except DataFailed as why:
        if why.cause not in _BAD:
            raise
    again = _verified(vault, vault.store(agent, kind, place, proof, job.now, storing, doubt=True), job, proving)
    vault.forget([first])
    return msgspec.structs.replace(again, told=("a damaged piece in the vault was replaced by a sound one",))


def _is_same(proof: Proof, before: Proof) -> bool:
    return bool(proof.digest) and proof.digest == before.digest and proof.counts == before.counts


def _sunk(vault: Vault, backup: Backup, job: BackUp, tell: Tell) -> Backup:
    """Hand it to the sinks that have not got it. One that fails is told, and tried again with the next job."""
    owing = [sink for sink in job.sinks if sink.name not in backup.sunk]
    if not owing:
        return backup
    told: list[str] = []
    had = list(backup.sunk)
    with _restored(vault, backup, job, _part(tell, _STORED, _VERIFIED)) as place:
        for sink in owing:
            tell(f"handing over to {sink.name}", _VERIFIED)
            try:
                sink.hand_over(place, backup, job.keep)
            except DataFailed as why:
                told.append(str(why))
            else:
                had.append(sink.name)
    return msgspec.structs.replace(vault.mark_sunk(backup, tuple(had)), told=(*backup.told, *told))


def _tidied(vault: Vault, job: BackUp) -> tuple[str, ...]:
    """Drop what is too old. That this cannot be done is no failure of the backup, and a person is told."""
    mine = vault.backups(job.asset.agent)
    wanted = kept(mine, job.keep, job.now)
    try:
        vault.forget([each for each in mine if each.id not in wanted])
    except (DataFailed, OSError) as why:
        return (str(why),)
    return ()


# --- proving --------------------------------------------------------------------------------------------------------


def _verified(vault: Vault, backup: Backup, job: Job, tell: Tell) -> Backup:
    """Take the backup out of the vault and prove it; one that fails is marked, and never counts again."""
    with _restored(vault, backup, job, tell):
        return vault.mark_verified(backup, job.now)


@contextmanager
def _restored(vault: Vault, backup: Backup, job: Job, tell: Tell) -> Iterator[Path]:
    """Give what the backup holds, proved to be what was backed up. One that is bad is marked as damaged."""
    with scratch(job.room) as place:
        try:
            vault.take(backup, place, _part(tell, 0.0, 0.5))
            proof = job.asset.prove(place, _part(tell, 0.5, 1.0))
            tell("proving", 1.0)
            if proof.counts != backup.proof.counts or proof.digest != backup.proof.digest:
                raise DataFailed(f"what was restored from it holds {_differs(proof, backup.proof)}", "corrupted")
        except DataFailed as why:
            if why.cause in _BAD:
                vault.mark_damaged(backup, str(why), job.now)
            words = f"cannot rely on the backup {backup.id} of {backup.agent}: {why}"
            raise DataFailed(words, why.cause) from why
        yield place


def _differs(found: Proof, wanted: Proof) -> str:
    for name in sorted({*found.counts, *wanted.counts}):
        if found.counts.get(name) != wanted.counts.get(name):
            return f"{found.counts.get(name, 0):g} {name}, not {wanted.counts.get(name, 0):g}"
    return "something else than what was backed up"


def _chosen(vault: Vault, job: Verify) -> Backup:
    """One that is damaged only by its id: who mended the vault lets it be proved again."""
    mine = vault.backups(job.asset.agent)
    sound = [each for each in mine if not each.damaged]
    if job.backup == "newest" and sound:
        return sound[-1]
    if job.backup == "any" and sound:
        older = sound[:-1] or sound  # the newest was proved when it was made
        return random.Random(job.now).choice(older)  # noqa: S311 - no secret hangs on it
    return _found(mine, job.backup, job.asset.agent)


def _found(backups: list[Backup], wanted: str, agent: str) -> Backup:
    for backup in backups:
        if backup.id == wanted:
            return backup
    words = f"no backup {wanted} of {agent}" if backups else f"no backup of {agent}"
    raise DataFailed(
        f"cannot go on: there is {words} that can be relied on; 'selfheal backup --list' shows what there is"
    )


# --- putting back ---------------------------------------------------------------------------------------------------


def _prepare(job: Prepare, tell: Tell) -> Prepared:
    vault = Vault(job.vault)
    sound = [each for each in vault.backups(job.asset.agent) if each.counts]
    return _salvaged(job, sound, tell) if job.source == "salvage" else _from_backup(vault, job, sound, tell)


def _salvaged(job: Prepare, sound: list[Backup], tell: Tell) -> Prepared:
    asset = _at_home(job)
    with scratch(job.room) as place:
        salvaged = asset.salvage(place, _part(tell, 0.0, 0.4))
        proof = asset.prove(place, _part(tell, 0.4, 0.7))
        _worth_it(proof, sound)
        asset.prepare(place, job.ticket, _part(tell, 0.7, 1.0))
    return Prepared("", salvaged.proof, salvaged.lost)


def _from_backup(vault: Vault, job: Prepare, sound: list[Backup], tell: Tell) -> Prepared:
    """Without a word on which, what is sound may stay; who names a backup or a time wants all as it was then."""
    early = [each for each in sound if job.until is None or each.proof.as_of <= job.until]
    wanted = early[-1].id if job.source == "newest" and early else job.source
    backup = _found(early, wanted, job.asset.agent)
    asset = _at_home(job, sparing=job.source == "newest" and job.until is None)
    with _restored(vault, backup, job, _part(tell, 0.0, 0.7)) as place:
        note = asset.prepare(place, job.ticket, _part(tell, 0.7, 1.0)) or ""
    return Prepared(backup.id, backup.proof, note=note)


def _worth_it(salvaged: Proof, sound: list[Backup]) -> None:
    """A salvage that holds less than the newest backup is no help."""
    if not sound:
        return
    backup = sound[-1]
    fewer = [name for name, count in backup.proof.counts.items() if salvaged.counts.get(name, 0) < count]
    if fewer and sum(salvaged.counts.values()) < sum(backup.proof.counts.values()):
        raise DataFailed(
            f"cannot gain by it: what can be salvaged holds less than the backup {backup.id}: "
            f"{salvaged.counts.get(fewer[0], 0):g} {fewer[0]}, not {backup.proof.counts[fewer[0]]:g}"
        )


def _part(tell: Tell, begin: float, end: float) -> Tell:
    """Let a part of the job tell its share of the whole."""
    return lambda doing, share: tell(doing, begin + (end - begin) * min(max(share, 0.0), 1.0))


def _kind(asset: Asset) -> str:
    return str(type(asset).__struct_config__.tag)  # type: ignore[attr-defined] # every asset is a struct


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
}  # fmt: skip
"""What a job gives, by its type."""
