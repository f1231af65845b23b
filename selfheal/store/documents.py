"""What do the JSON files of the state directory hold, and can they be trusted?

Each document is a plain JSON file that a person can read, with one older generation beside it (`NAME.previous`).
Lengths and checksums of both stand in one sibling file, `.checksums`, written before the documents are put in place:
it keeps the sums of some generations, so that a crash at any instant leaves every file with a sum that fits.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import threading
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from pathlib import Path

import msgspec

from selfheal.clock import Clock
from selfheal.durable import UNFINISHED, name_aside, prepared, replace_file, sweep, sync_directory
from selfheal.errors import StateDirUnusable, StateFileDamaged
from selfheal.store.journal import RunInThread
from selfheal.store.pieces import compact, pretty

CHECKSUMS = ".checksums"
_GENERATIONS = 4  # two that are kept, and two for crashes between writing the sums and putting the files in place

# How a file system, or a folder in place of the file, says that it has no hard links. Any other refusal is the disk's.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})

Sum = tuple[int, str]
"""Length in bytes and blake2b in hexadecimal."""


class Documents:
    """The documents of one directory. Only what changed is written, unless all are to be renewed."""

    def __init__(self, directory: Path, run_in_thread: RunInThread) -> None:
        self._directory = directory
        self._run_in_thread = run_in_thread
        self._written: dict[str, Sum] = {}
        self._writing = threading.Lock()  # a cancelled save goes on in its thread; the next must not overtake it
        sweep(directory)

    async def save(
        self, documents: Mapping[str, Mapping[str, object]], stamp: Mapping[str, object], *, renew: bool = False
    ) -> None:
        """Write the documents, by file name, that changed since the last save, or with `renew` all; durable on return.

        `stamp` stands at the head of each, and is no change. The documents must not be changed meanwhile. Raises
        OSError, every file then whole, as it was or as it should be, and BlockingIOError while the disk is still at an
        earlier save that was given up.
        """
        await self._run_in_thread(lambda: self._save(documents, stamp, renew))

    def _save(self, documents: Mapping[str, Mapping[str, object]], stamp: Mapping[str, object], renew: bool) -> None:
        if not self._writing.acquire(blocking=False):
            raise BlockingIOError("cannot save the state files: the disk is still at the last save; try again later")
        try:
            sums = {name: _sum_of(compact(document)) for name, document in documents.items()}
            due = [name for name, now in sums.items() if renew or now != self._written.get(name)]
            _put(self._directory, {name: _encode({**stamp, **documents[name]}) for name in due})
            self._written |= {name: sums[name] for name in due}
        finally:
            self._writing.release()


def write(path: Path, document: Mapping[str, object]) -> None:
    """Write one document, durable on return. Raises OSError with the old file intact."""
    _put(path.parent, {path.name: _encode(document)})


def read(path: Path, clock: Clock) -> tuple[dict[str, object] | None, StateFileDamaged | None]:
    """Return the newest sound generation of a document, None where there is none, and what was found damaged.

    A damaged file is kept aside under another name. Where the sums are lost, what parses is believed.
    """
    sums, damage = _read_sums(path.parent, clock)
    known = sums.get(path.name)
    for candidate in (path, previous(path)):
        try:
            document, wrong = _decode(_content(candidate), known)
        except FileNotFoundError:
            continue
        except OSError as why:
            document, wrong = None, _unreadable(why)
        if document is not None:
            return document, damage
        aside = _move_aside(candidate, clock)
        damage = StateFileDamaged(candidate, wrong, aside)
    return None, damage


def examine(directory: Path, names: Collection[str], clock: Clock) -> tuple[StateFileDamaged, ...]:
    """Return which documents of an earlier daemon are damaged, the older generation of each looked at too; they are
    kept aside. Blocks: for the start.
    """
    newer = (read(directory / name, clock)[1] for name in names)
    older = (_older(directory / name, clock) for name in names)
    return tuple(damage for damage in chain(newer, older) if damage is not None)


def _older(path: Path, clock: Clock) -> StateFileDamaged | None:
    """What is wrong with the older generation of a document, where there is one; without sums nothing is known."""
    older = previous(path)
    known = _read_sums(path.parent, clock)[0].get(path.name)
    try:
        document, wrong = _decode(_content(older), known)
    except FileNotFoundError:
        return None
    except OSError as why:
        document, wrong = None, _unreadable(why)
    return None if document is not None else StateFileDamaged(older, wrong, _move_aside(older, clock))


def missing(directory: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return what was there and is not now: documents, but for those that a death kept from their names, or the sums.

    Where there is a document there are sums: they are written first.
    """
    if not (directory / CHECKSUMS).exists():
        return (CHECKSUMS,) if any((directory / name).exists() for name in names) else ()
    try:
        sums = _sums_in(directory / CHECKSUMS) or {}
    except OSError:
        return ()
    there = {name: (directory / name, previous(directory / name)) for name in names}
    gone = [name for name, (newer, _) in there.items() if name in sums and not newer.exists()]
    gone += [older.name for name, (_, older) in there.items() if len(sums.get(name, ())) > 1 and not older.exists()]
    return tuple(name for name in gone if not any(directory.glob(f".{name.removesuffix('.previous')}.*{UNFINISHED}")))


def previous(path: Path) -> Path:
    """Return where the older generation of `path` is kept."""
    return path.with_name(f"{path.name}.previous")


def _encode(document: Mapping[str, object]) -> bytes:
    return b"".join(pretty(document))


def _decode(data: bytes, known: list[Sum] | None) -> tuple[dict[str, object] | None, str]:
    if known is not None and _sum(data) not in known:
        return None, "its checksum does not match"
    try:
        return msgspec.json.decode(data, type=dict[str, object]), ""
    except (msgspec.DecodeError, UnicodeDecodeError) as why:
        return None, f"it is no JSON object ({why})"


def _sum_of(pieces: Iterable[bytes]) -> Sum:
    """The sum of a content that is compared with the one before, and never written."""
    length, digest = 0, hashlib.blake2b(digest_size=32)
    for piece in pieces:
        length += len(piece)
        digest.update(piece)
    return length, digest.hexdigest()


def _sum(data: bytes) -> Sum:
    return len(data), hashlib.blake2b(data, digest_size=32).hexdigest()


def _put(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Put files in place: all durable under other names first, then their sums, then the names."""
    if not contents:
        return
    with contextlib.ExitStack() as stack:
        ready = {name: stack.enter_context(prepared(directory / name, data)) for name, data in contents.items()}
        _add_sums(directory, {name: _sum(data) for name, data in contents.items()})
        for name, tmp in ready.items():
            _keep_previous(directory / name)
            os.replace(tmp, directory / name)
        sync_directory(directory)


def _keep_previous(path: Path) -> None:
    """Make the present file the older generation without a moment in which there is none."""
    older = previous(path)
    link = path.with_name(f".{older.name}.tmp")
    with contextlib.suppress(FileNotFoundError):
        link.unlink()
    try:
        os.link(path, link)
    except FileNotFoundError:
        return
    except OSError as why:
        if why.errno not in _NO_LINKS:
            raise
        os.replace(path, older)
    else:
        os.replace(link, older)


def _add_sums(directory: Path, added: Mapping[str, Sum]) -> None:
    sums = _sums_in(directory / CHECKSUMS) or {}
    for name, newest in added.items():
        older = [each for each in _sums_there(directory / name, sums.get(name, [])) if each != newest]
        sums[name] = [newest, *older][:_GENERATIONS]
    replace_file(directory / CHECKSUMS, _format_sums(sums))


def _sums_there(path: Path, known: list[Sum]) -> list[Sum]:
    """The sums of what is there of a document: where they were lost, of the file that is about to be the older one."""
    if path.exists():
        return known or [_sum(_content(path))]
    return known if previous(path).exists() else []


def _read_sums(directory: Path, clock: Clock) -> tuple[dict[str, list[Sum]], StateFileDamaged | None]:
    path = directory / CHECKSUMS
    wrong = "its checksum does not match"
    try:
        sums = _sums_in(path)
    except OSError as why:
        sums, wrong = None, _unreadable(why)
    if sums is not None:
        return sums, None
    return {}, StateFileDamaged(path, wrong, _move_aside(path, clock))


def _format_sums(sums: Mapping[str, list[Sum]]) -> bytes:
    """One line a generation, newest first: sum, length, name. The last line is the sum of the lines before."""
    lines = [f"{digest} {length} {name}\n" for name in sorted(sums) for length, digest in sums[name]]
    body = "".join(lines).encode()
    return body + f"{_sum(body)[1]} {len(body)} {CHECKSUMS}\n".encode()


def _sums_in(path: Path) -> dict[str, list[Sum]] | None:
    """Return the sums by name, None where the file is damaged. Raises OSError."""
    sums: dict[str, list[Sum]] = {}
    try:
        data = _content(path)
    except FileNotFoundError:
        return sums
    body, _, seal = data.removesuffix(b"\n").rpartition(b"\n")
    body = body and body + b"\n"
    if seal != f"{_sum(body)[1]} {len(body)} {CHECKSUMS}".encode():
        return None
    for line in body.decode().splitlines():
        digest, length, name = line.split(" ", 2)
        sums.setdefault(name, []).append((int(length), digest))
    return sums


def _content(path: Path) -> bytes:
    """Return what is in a file. Raises OSError, also where it is none: to read a pipe would wait for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no file")
    return path.read_bytes()


def _unreadable(why: OSError) -> str:
    return f"it cannot be read ({why.strerror})"


def _move_aside(path: Path, clock: Clock) -> Path:
    """Keep a damaged file under another name; it needs no space for it. Raises StateDirUnusable."""
    aside = name_aside(path, clock.now())
    try:
        os.replace(path, aside)
    except OSError as why:
        raise StateDirUnusable(path.parent, why) from why
    with contextlib.suppress(OSError):  # a power cut may give it its old name back, and then it is found once more
        sync_directory(path.parent)
    return aside
