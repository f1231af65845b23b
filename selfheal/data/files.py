"""The kind `files`: are a folder of files, or a single one, as they should be; and how are they copied and put back?

A copy is a folder `content` with the files, and `sums.json` with what each must hold.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from selfheal.data.asset import Health, Proof, Salvaged, Swapped, Tell, untold
from selfheal.data.beside import clear, like, make_durable, prepared_place, put, swap
from selfheal.data.looking import Chosen, Look, look, told
from selfheal.data.patterns import chooser
from selfheal.data.sums import Changes, Seen, disk_now_ns, read_file, remember, remembered
from selfheal.data.tree import meant_by, name_of, walk
from selfheal.durable import make_private, replace_file
from selfheal.errors import DataFailed

_CONTENT, _SUMS = "content", "sums.json"
_REPLACED = "replaced-"
_NAMED = 5


class Sum(msgspec.Struct, frozen=True, array_like=True):
    """What one thing in a copy must be: its mode, its size, and the sum of what it holds or where it leads."""

    mode: int
    size: int
    sum: str


class Sums(msgspec.Struct, frozen=True):
    """`single` says that the data are one file and no folder."""

    as_of: float
    single: bool
    files: dict[str, Sum]


class FilesAsset(msgspec.Struct, frozen=True, kw_only=True, tag="files"):
    """A folder of files, or a single file.

    `changes` is what their owner says of them: `never`, `append` (they only grow), or `any`. `required` must be there.
    `room` and `sparing` are the job's: see `Asset`.
    """

    agent: str
    path: Path
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    changes: Changes = "any"
    required: tuple[str, ...] = ()
    room: Path | None = None
    sparing: bool = False

    @property
    def mends(self) -> Mapping[str, str]:
        return {}

    def examine(self, memory: Path, *, thorough: bool, tell: Tell = untold) -> Health:
        now_ns = disk_now_ns(memory)
        found = look(self._chosen, remembered(memory), now_ns, tell, thorough=thorough)
        remember(memory, found.seen)
        return found.health(now_ns)

    def capture(self, into: Path, tell: Tell = untold) -> Proof:
        """What is damaged is never backed up: it would become the newest backup that counts."""
        found, proof = self._copied(into, tell)
        if found.damage:
            raise DataFailed(
                f"cannot back up {self.agent}: {told(found.damage)}; put it right first, or say with "
                f"'selfheal verify {self.agent} --accept' that it is as it should be",
                found.damage[0].cause,
            )
        return proof

    def prove(self, copy: Path, tell: Tell = untold) -> Proof:
        wanted, found = _sums(copy), _summed(copy / _CONTENT)
        bad = sorted(name for name in {*wanted.files, *found} if wanted.files.get(name) != found.get(name))
        if bad:
            raise DataFailed(f"cannot rely on the copy of {self.agent}: not right are {_some(bad)}", "corrupted")
        return _proof(wanted)

    def salvage(self, into: Path, tell: Tell = untold) -> Salvaged:
        """All that is sound. What was damaged or is gone is left out: a piece of a file is no file."""
        if self.room is None or not remembered(self.room):
            raise DataFailed(f"cannot salvage {self.agent}: nobody knows what its files held before")
        found, proof = self._copied(into, tell)
        if not found.damage:
            raise DataFailed(f"cannot salvage {self.agent}: nothing of it is damaged or missing")
        return Salvaged(proof, told(found.damage))

    def prepare(self, copy: Path, ticket: str, tell: Tell = untold) -> str | None:
        """Build the folder anew beside the old one. What stays are the very same files, under two names by then.

        `sparing`: what is sound stays as it is, however new, and the copy gives what is damaged or missing.
        """
        wanted = _sums(copy)
        place = prepared_place(self.path, ticket)
        clear(place)
        stays = self._stays(wanted)
        files = {name for name, one in wanted.files.items() if one.sum != "folder"}
        replaced = sorted(files - stays.keys())
        if wanted.single:
            put(copy / _CONTENT / self.path.name, place, share=False)
            make_durable([place], [place.parent])
        else:
            self._build(place, copy / _CONTENT, stays, tell)
        if self.room is None:
            return None
        make_private(self.room)
        note = msgspec.json.encode(replaced if self.sparing else None)
        replace_file(self.room / f"{_REPLACED}{ticket}.json", note)
        lost_s = _lost_s(replaced, copy / _CONTENT, remembered(self.room))
        return _used(replaced, wanted, lost_s) if self.sparing else None

    def swap(self, ticket: str, tell: Tell = untold) -> Swapped:
        aside = swap(self.path, ticket)
        self._forget(ticket)
        return Swapped(str(aside or ""), None if aside is None else _written_at(aside))

    def mend(self, how: str, tell: Tell = untold) -> str:
        raise DataFailed(f"cannot make the repair {how!r}: files have none; restore a backup")

    @property
    def _chosen(self) -> Chosen:
        return Chosen(self.path, self.include, self.exclude, self.changes, self.required)

    # --- copying ----------------------------------------------------------------------------------------------------

    def _copied(self, into: Path, tell: Tell) -> tuple[Look, Proof]:
        """Copy what is sound into an empty folder; what is not is in the look."""
        if not self.path.exists():
            raise DataFailed(f"cannot copy the files of {self.agent}: there is no {str(self.path)!r}", "missing_data")
        known = remembered(self.room) if self.room is not None else {}
        now_ns = disk_now_ns(into)
        content = into / _CONTENT
        content.mkdir(mode=0o700)
        others = self._copy_others(content)
        found = look(self._chosen, known, now_ns, tell, thorough=True, copy_to=lambda name: content / meant_by(name))
        top = self._chosen.top
        for name in found.copied:
            like(top / meant_by(name), content / meant_by(name))
        for folder in [*reversed(others), Path()]:
            like(top / folder, content / folder)
        sums = Sums(now_ns / 1e9, self.path.is_file(), _summed(content, found.copied))
        (into / _SUMS).write_bytes(msgspec.json.format(msgspec.json.encode(sums), indent=1))
        return found, _proof(sums, found.unsteady)

    def _copy_others(self, content: Path) -> list[Path]:
        """Make the folders and links. Returns the folders, which get their modes once they are full."""
        folders: list[Path] = []
        for relative, path, mode in self._chosen.walk():
            place = content / relative
            above = [*reversed(relative.parents)][1:]
            for folder in [*above, relative] if stat.S_ISDIR(mode) else above:
                if folder.parts and not (content / folder).exists():
                    (content / folder).mkdir(mode=0o700)
                    folders.append(folder)
            if stat.S_ISLNK(mode):
                put(path, place, share=False)
        return folders

    # --- putting back -----------------------------------------------------------------------------------------------

    def _stays(self, wanted: Sums) -> dict[str, Path]:
        """What of the old folder is in the new one too: what is not meant, and, `sparing`, all that is sound."""
        if not self.path.is_dir():
            return {}
        is_meant = chooser(self.include, self.exclude)
        sound = self._sound(wanted) if self.sparing else frozenset[str]()
        stays: dict[str, Path] = {}
        for path, seen in walk(self.path):
            relative = path.relative_to(self.path)
            name = name_of(relative)
            if not stat.S_ISDIR(seen.st_mode) and (not is_meant(relative) or name in sound):
                stays[name] = path
        return stays

    def _sound(self, wanted: Sums) -> frozenset[str]:
        """What is known to be as it should be, or is in no backup. Where nobody knows, the backup is right."""
        known = remembered(self.room) if self.room is not None else {}
        now_ns = disk_now_ns(self.room) if self.room is not None else 0
        damaged = {one.path for one in look(self._chosen, known, now_ns, untold, thorough=True).damage}
        live = _summed(self.path)
        trusted = {name for name in live if name in known or name not in wanted.files}
        return frozenset((trusted | {name for name, one in live.items() if wanted.files.get(name) == one}) - damaged)

    def _build(self, place: Path, content: Path, stays: Mapping[str, Path], tell: Tell) -> None:
        """Make the new folder, durable: what stays, and from the copy all else that it has."""
        given = {name: content / meant_by(name) for name in _things(content)}
        place.mkdir(mode=0o700)
        folders: dict[Path, Path] = {Path(): self.path if self.path.is_dir() else content}
        for source in (content, self.path) if self.sparing and self.path.is_dir() else (content,):
            folders |= {path.relative_to(source): path for path, seen in walk(source) if stat.S_ISDIR(seen.st_mode)}
        for name, path in stays.items():
            folders |= {part: path.parents[at] for at, part in enumerate(Path(meant_by(name)).parents)}
        for folder in sorted(folders, key=lambda one: len(one.parts)):
            (place / folder).mkdir(mode=0o700, exist_ok=True)
        sources = {**given, **stays}
        for done, (name, source) in enumerate(sources.items()):
            put(source, place / meant_by(name), share=name in stays)
            tell("putting beside", done / len(sources))
        for folder in sorted(folders, key=lambda one: len(one.parts), reverse=True):
            like(folders[folder], place / folder)
        new = [place / meant_by(name) for name in given.keys() - stays.keys()]
        make_durable([path for path in new if not path.is_symlink()], [*(place / one for one in folders), place.parent])

    def _forget(self, ticket: str) -> None:
        """What was replaced is no longer what was seen: the next look takes it as it is."""
        if self.room is None:
            return
        note = self.room / f"{_REPLACED}{ticket}.json"
        if note.exists():
            replaced = msgspec.json.decode(note.read_bytes(), type=list[str] | None)
            known = remembered(self.room) if replaced is not None else {}
            remember(self.room, {name: one for name, one in known.items() if name not in set(replaced or ())})
            note.unlink()


def _things(folder: Path) -> Iterator[str]:
    """Files and links."""
    for path, seen in walk(folder):
        if stat.S_ISREG(seen.st_mode) or stat.S_ISLNK(seen.st_mode):
            yield name_of(path.relative_to(folder))


def _summed(folder: Path, known: Mapping[str, Seen] | None = None) -> dict[str, Sum]:
    """The sums of all below a folder, those that are known not counted again."""
    sums: dict[str, Sum] = {}
    for path, seen in walk(folder):
        name = name_of(path.relative_to(folder))
        mode = stat.S_IMODE(seen.st_mode)
        if stat.S_ISLNK(seen.st_mode):
            sums[name] = Sum(0, 0, f"to {name_of(os.readlink(path))}")
        elif stat.S_ISDIR(seen.st_mode):
            sums[name] = Sum(mode, 0, "folder")
        elif stat.S_ISREG(seen.st_mode):
            one = known[name] if known is not None else read_file(path, None, 0).seen
            sums[name] = Sum(mode, one.size, one.sum)
    return sums


def _sums(copy: Path) -> Sums:
    try:
        return msgspec.json.decode((copy / _SUMS).read_bytes(), type=Sums)
    except (OSError, msgspec.DecodeError) as why:
        raise DataFailed(
            f"cannot read the sums of the copy {str(copy)!r}: {why}; take another backup", "corrupted"
        ) from why


def _proof(sums: Sums, unsteady: Sequence[str] = ()) -> Proof:
    """Times are no part of the digest: a file that was touched is still the same."""
    files = [one for one in sums.files.values() if one.sum != "folder"]
    counts = {"files": float(len(files)), "bytes": float(sum(one.size for one in files))}
    digest = hashlib.blake2b(msgspec.json.encode(sorted(sums.files.items())), digest_size=32).hexdigest()
    note = f"written to while they were copied: {_some(unsteady)}" if unsteady else ""
    return Proof(sums.as_of, counts, digest, note)


def _used(replaced: Sequence[str], wanted: Sums, lost_s: float) -> str:
    whole = sum(one.sum != "folder" for one in wanted.files.values())
    if not replaced:
        return f"all {whole} files are sound and stay as they are"
    lost = f"; the last {lost_s:.0f} s of writes to them are lost" if lost_s >= 1 else ""
    return f"{len(replaced)} of {whole} files come from the backup ({_some(replaced)}), the others stay{lost}"


def _lost_s(replaced: Iterable[str], content: Path, known: Mapping[str, Seen]) -> float:
    """How much newer the files were when they were last seen sound."""
    newer = [
        known[name].mtime_ns - (content / meant_by(name)).stat(follow_symlinks=False).st_mtime_ns
        for name in replaced
        if name in known
    ]
    return max(newer, default=0) / 1e9


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(repr(name) for name in names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _written_at(place: Path) -> float | None:
    if place.is_file():
        return place.stat().st_mtime
    times = [seen.st_mtime for _, seen in walk(place) if stat.S_ISREG(seen.st_mode)]
    return max(times, default=None)
