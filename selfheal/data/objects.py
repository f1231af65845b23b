"""How are pieces of files kept, each once, under the hash of what they hold?

A name promises its content: a piece appears under it only whole and durable, and what is read is hashed again. One that
does not hold what its name says is set aside, so that the next backup of the same content stores it anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import zlib
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from selfheal.data.chunks import LARGEST
from selfheal.durable import make_private, prepared, sync_directory
from selfheal.errors import DataFailed

# 66 to 111 MB/s on one processor, for 0.60, 0.39 and 0.53 of the size (SQLite, JSON lines, pg_dump). Level 6 takes
# twice as long for 0.57, 0.36 and 0.49.
_LEVEL = 1
_PACKED, _PLAIN = b"z", b"p"
_NAME = re.compile(r"[0-9a-f]{64}")
# Threads wait for the disk together, and the disk writes for all of them at once.
WRITERS = 8


class Objects:
    """The pieces below one folder. Any number of processes may add and read; only one alone may collect."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._aside = directory.with_name("damaged")

    def add(self, content: bytes, *, doubt: bool = False) -> tuple[str, int]:
        """Keep a piece; returns its name and the bytes that it added. Its name is durable only after `sync`.

        With `doubt` a piece that is there already is read, and replaced where it is damaged.
        """
        name = _hash(content)
        path = self._path(name)
        if self._has(path) and not (doubt and self._damaged(name)):
            return name, 0
        packed = zlib.compress(content, _LEVEL)
        data = _PACKED + packed if len(packed) < len(content) else _PLAIN + content
        make_private(path.parent)
        with prepared(path, data) as whole:
            whole.replace(path)
        return name, len(data)

    def read(self, name: str) -> bytes:
        """Return what a piece holds. Raises DataFailed where that is not what its name says; then it is set aside."""
        if _NAME.fullmatch(name) is None:
            raise DataFailed(f"cannot read the piece {name!r}: that is no name of one", "corrupted")
        path = self._path(name)
        try:
            content = _unpacked(path.read_bytes())
        except FileNotFoundError:
            raise DataFailed(
                f"cannot read the piece {name[:16]}…: it is not in the vault any more", "corrupted"
            ) from None
        except OSError as why:
            raise DataFailed(f"cannot read the piece {name[:16]}…: {why.strerror}", "corrupted") from why
        if content is None or _hash(content) != name:
            make_private(self._aside)
            with contextlib.suppress(FileNotFoundError):  # somebody else has seen it too
                path.replace(self._aside / name)
            raise DataFailed(f"cannot read the piece {name[:16]}…: it is damaged, and was set aside", "corrupted")
        return content

    def sync(self, names: Collection[str]) -> None:
        """Make the names durable, also of pieces that somebody else has added a moment ago."""
        folders = {self._path(name).parent for name in names}
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(sync_directory, sorted(folders)))
        if folders:
            sync_directory(self._directory)

    def collect(self, wanted: Collection[bytes]) -> int:
        """Remove every piece that is not wanted, and what was interrupted. Returns the bytes that were freed.

        Only for who alone works here: what is being stored is wanted by nobody yet.
        """
        freed = 0
        for path in self._all():
            if _NAME.fullmatch(path.name) is None or bytes.fromhex(path.name) not in wanted:
                freed += path.stat().st_blocks * 512
                path.unlink()
        return freed

    def _all(self) -> Iterator[Path]:
        for folder in (*self._directory.glob("??"), self._aside):
            if folder.is_dir():
                yield from (Path(entry.path) for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False))

    def _path(self, name: str) -> Path:
        return self._directory / name[:2] / name

    def _has(self, path: Path) -> bool:
        """An empty file is none: that is what a power cut leaves where a file system breaks its promise."""
        try:
            return path.stat().st_size > 0
        except FileNotFoundError:
            return False

    def _damaged(self, name: str) -> bool:
        try:
            self.read(name)
        except DataFailed:
            return True
        return False


def as_keys(names: Iterable[str]) -> set[bytes]:
    """The names in the form in which millions of them are held."""
    return {bytes.fromhex(name) for name in names}


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=32).hexdigest()


def _unpacked(data: bytes) -> bytes | None:
    """None where it is damaged. What would grow beyond all measure is not unpacked to the end."""
    if data[:1] == _PLAIN:
        return data[1:]
    if data[:1] != _PACKED:
        return None
    try:
        return zlib.decompressobj().decompress(memoryview(data)[1:], LARGEST + 1)
    except zlib.error:
        return None
