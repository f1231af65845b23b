"""What does a vault know of each backup? A manifest that a person can read, and a listing of its files beside it.

`ID.json` says what the backup is and what it is worth; `ID.files` has a line of JSON for each file, and is written
first: a backup exists from the moment at which its manifest does. Both are checksummed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from selfheal.data.asset import Proof
from selfheal.data.backup import Backup
from selfheal.data.tree import Entry
from selfheal.durable import make_private, replace_file, sync_directory
from selfheal.errors import DataFailed

_MANIFEST, _LISTING = ".json", ".files"
_AGENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,80}")
_ID = re.compile(r"(\d{8}T\d{6}Z)(?:-\d+)?")


class _Manifest(msgspec.Struct, frozen=True):
    """`files` is the checksum of the listing, `checksum` that of the rest of this."""

    checksum: str
    files: str
    backup: Backup


class Manifests:
    """The manifests below one folder, a folder for each agent."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def agents(self) -> list[str]:
        if not self._directory.is_dir():
            return []
        return sorted(entry.name for entry in os.scandir(self._directory) if entry.is_dir())

    def all_of(self, agent: str) -> list[Backup]:
        """Oldest first; one whose manifest cannot be read says so."""
        folder = self._folder(agent)
        paths = folder.glob(f"*{_MANIFEST}") if folder.is_dir() else ()
        found = [one for path in paths if (one := self._read_or_say(agent, path)) is not None]
        return sorted(found, key=lambda one: (one.at, len(one.id), one.id))

    def add(self, backup: Backup, entries: Iterable[Entry]) -> Backup:
        """Write a backup down, durable on return, under a free id made of its time."""
        folder = self._folder(backup.agent)
        make_private(folder)
        data = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        with self._alone(folder):
            backup = msgspec.structs.replace(backup, id=_free_id(folder, backup.at))
            replace_file(folder / f"{backup.id}{_LISTING}", data)
            self._write(backup, _sum(data))
        sync_directory(self._directory)
        return backup

    def entries(self, backup: Backup) -> Iterator[Entry]:
        """What is in it. Raises DataFailed where the manifest or the listing is not what was written."""
        files = self._read(self._path(backup)).files
        path = self._path(backup).with_suffix(_LISTING)
        try:
            data = path.read_bytes()
        except OSError as why:
            raise DataFailed(f"cannot read {path.name!r} of {backup.agent}: {why.strerror}", "corrupted") from why
        if _sum(data) != files:
            raise DataFailed(f"cannot read {path.name!r} of {backup.agent}: it is damaged", "corrupted")
        for line in data.splitlines():
            yield msgspec.json.decode(line, type=Entry)

    def change(self, backup: Backup, **changes: object) -> Backup:
        """Write down something else about a backup, durable on return. Raises DataFailed where it is gone."""
        path = self._path(backup)
        if not path.parent.is_dir():
            raise _gone(backup)
        with self._alone(path.parent):
            try:
                known = self._read(path)
            except FileNotFoundError:
                raise _gone(backup) from None
            changed = msgspec.structs.replace(known.backup, **changes)
            self._write(changed, known.files)
        return changed

    def remove(self, backup: Backup) -> None:
        """Let a backup be no more. The manifest goes first: a listing alone is nothing."""
        path = self._path(backup)
        if not path.parent.is_dir():
            return
        with self._alone(path.parent):
            for name in (path, path.with_suffix(_LISTING)):
                name.unlink(missing_ok=True)
                sync_directory(path.parent)

    def exists(self, backup: Backup) -> bool:
        return self._path(backup).exists()

    def sweep(self) -> None:
        """Remove what interrupted writes have left. Others may still change what is there, one at a time."""
        for agent in self.agents():
            folder = self._folder(agent)
            with self._alone(folder):
                for path in folder.iterdir():
                    lonely = path.suffix == _LISTING and not path.with_suffix(_MANIFEST).exists()
                    if lonely or path.name.endswith(".tmp"):
                        path.unlink()

    def _read_or_say(self, agent: str, path: Path) -> Backup | None:
        """None where it has just been removed."""
        try:
            return self._read(path).backup
        except FileNotFoundError:
            return None
        except (DataFailed, OSError) as why:
            said = f"its manifest cannot be read: {why}; look at {str(path)!r}, and remove it by hand if it is lost"
            return Backup(path.stem, agent, "", _time_of(path.stem), 0, 0, Proof(0.0), damaged=said)

    def _read(self, path: Path) -> _Manifest:
        """Raises FileNotFoundError, DataFailed where it is damaged."""
        try:
            found = msgspec.json.decode(path.read_bytes(), type=_Manifest)
        except (msgspec.DecodeError, UnicodeDecodeError) as why:
            raise DataFailed(f"cannot read {path.name!r}: it is damaged ({why})", "corrupted") from why
        if found.checksum != _sum(msgspec.json.encode((found.files, found.backup))):
            raise DataFailed(f"cannot read {path.name!r}: it is damaged (its checksum is another)", "corrupted")
        return found

    def _write(self, backup: Backup, files: str) -> None:
        kept = msgspec.structs.replace(backup, told=())
        # As it will be read: 3 where a number with a fraction may stand comes back as 3.0.
        backup = msgspec.json.decode(msgspec.json.encode(kept), type=Backup)
        manifest = _Manifest(_sum(msgspec.json.encode((files, backup))), files, backup)
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        replace_file(self._path(backup), text + b"\n")

    def _path(self, backup: Backup) -> Path:
        if _ID.fullmatch(backup.id) is None:
            raise DataFailed(
                f"cannot find a backup {backup.id!r}: that is no id of one; 'selfheal backup --list' has them"
            )
        return self._folder(backup.agent) / f"{backup.id}{_MANIFEST}"

    def _folder(self, agent: str) -> Path:
        if _AGENT.fullmatch(agent) is None:
            raise DataFailed(f"cannot keep backups of {agent!r}: that is no name of an agent")
        return self._directory / agent

    @contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _gone(backup: Backup) -> DataFailed:
    return DataFailed(f"cannot change the backup {backup.id} of {backup.agent}: it is not there any more")


def _free_id(folder: Path, at: float) -> str:
    name = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
    again = 1
    free = name
    while (folder / f"{free}{_MANIFEST}").exists():
        again += 1
        free = f"{name}-{again}"
    return free


def _time_of(name: str) -> float:
    found = _ID.fullmatch(name)
    with contextlib.suppress(ValueError):
        if found is not None:
            return datetime.strptime(found[1], "%Y%m%dT%H%M%S%z").timestamp()
    return 0.0


def _sum(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=32).hexdigest()
