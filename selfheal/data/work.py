"""How is a job on data done?

Blocks: in a child process, or in a verb of the command line.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from selfheal.data.asset import Asset, Health, Proof, Swapped, Tell, untold
from selfheal.data.backup import Backup
from selfheal.data.jobs import Accept, AnyJob, BackUp, Examine, Job, Mend, Prepare, Prepared, Swap, Verify
from selfheal.data.retention import kept
from selfheal.data.scratch import scratch
from selfheal.data.space import claim
from selfheal.data.vault import Vault
from selfheal.errors import DataFailed


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
        case Accept():
            _forget(job.room)
            return "what is there now counts as sound"


def _swap(job: Swap, tell: Tell) -> Swapped:
    """Exchange, and forget what was remembered of the old data: what is fewer now is no damage.

    A kind that has its memory at hand does that by itself.
    """
    swapped = _at_home(job).swap(job.ticket, tell)
    if "room" not in type(job.asset).__struct_fields__:  # type: ignore[attr-defined] # every asset is a struct
        _forget(job.room)
    return swapped


def _forget(room: Path) -> None:
    """Let the next look begin anew. Folders are scratch copies of other jobs."""
    if room.is_dir():
        for path in room.iterdir():
            if path.is_file():
                path.unlink(missing_ok=True)


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
    """Without a word on which, what is sound may stay; who names a backup wants all as it was then."""
    wanted = sound[-1].id if job.source == "newest" and sound else job.source
    backup = _found(sound, wanted, job.asset.agent)
    asset = _at_home(job, sparing=job.source == "newest")
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
