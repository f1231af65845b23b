"""Has a byte of a file changed that nobody has written?

A hash of each run of pages, with the stamp of the file when they were taken. While the stamp is the same, nothing was
written, and a run with another hash is damage of the disk: SQLite's own check sees one flipped bit in five. A file that
was written since gets new hashes, once everything else has found it sound.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import msgspec

from selfheal.data.asset import Tell
from selfheal.data.sqlite_memory import forget, now, recall, remember
from selfheal.data.sqlite_open import Stamp

# A hash has 16 bytes: a manifest has 4 MB for 1 GB, and beyond that with longer runs 2.6 MB for 10 GB.
_FINE, _COARSE = 4096, 65_536
_FINE_UP_TO = 1_000_000_000
_DIGEST_BYTES = 16
# Two writes within one tick of the kernel leave one time: what was written just now may be written again unseen.
_RIPE_S = 0.1
_COARSE_S = 2.1  # some file systems have times of whole or of two seconds


class Manifest(msgspec.Struct, frozen=True):
    """The hashes of a file as it was at `stamp`."""

    stamp: Stamp
    digests: bytes


def strange_runs(path: Path, memory: Path, tell: Tell) -> list[tuple[int, int]] | None:
    """Return the places (first byte, end) that differ from the manifest; None where it does not tell of this file."""
    kept = recall(memory, Manifest)
    before = Stamp.of(path)
    if kept is None or not kept.stamp.is_write_of(before):
        return None
    taken = _taken(path, kept.stamp.size, tell)
    if Stamp.of(path) != before:
        return None
    taken = taken.ljust(len(kept.digests), b"\0")  # what was cut off is as strange as what was changed
    run = run_bytes(kept.stamp.size)
    return [
        (at // _DIGEST_BYTES * run, min(kept.stamp.size, (at // _DIGEST_BYTES + 1) * run))
        for at in range(0, len(kept.digests), _DIGEST_BYTES)
        if taken[at : at + _DIGEST_BYTES] != kept.digests[at : at + _DIGEST_BYTES]
    ]


def pages_of(run: tuple[int, int], page_size: int) -> range:
    """Return the numbers of the pages of a run, from 1."""
    return range(run[0] // page_size + 1, (run[1] - 1) // page_size + 2)


def run_bytes(size: int) -> int:
    """Return how many bytes of a file of this size have one hash."""
    return _FINE if size <= _FINE_UP_TO else _COARSE


def take(path: Path, memory: Path, tell: Tell) -> Stamp | None:
    """Take the hashes of a file anew, but keep nothing yet; None where it is written to meanwhile."""
    before = _ripe(path, memory)
    if before is None:
        return None
    digests = _taken(path, before.size, tell)
    if Stamp.of(path) != before:
        return None
    remember(memory, Manifest(before, digests))
    return before


def drop(memory: Path) -> None:
    """Keep no manifest: what it would tell of was not found sound."""
    forget(memory, Manifest)


def _ripe(path: Path, memory: Path) -> Stamp | None:
    """Return the stamp of a file that was not written to a moment ago; waits for a tick, not for more."""
    stamp = Stamp.of(path)
    old_s = _COARSE_S if stamp.written_ns % 1_000_000_000 == 0 else _RIPE_S
    if now(memory) - stamp.written_ns / 1e9 < old_s:
        threading.Event().wait(_RIPE_S)
        if now(memory) - stamp.written_ns / 1e9 < old_s:
            return None
    return stamp if Stamp.of(path) == stamp else None


def _taken(path: Path, size: int, tell: Tell) -> bytes:
    digests = bytearray()
    length = run_bytes(size)
    for done, run in enumerate(_runs(path, length)):
        digests += blake2b(run, digest_size=_DIGEST_BYTES).digest()
        tell("reading every page", min(1.0, done * length / max(size, 1)))
    return bytes(digests)


def _runs(path: Path, length: int) -> Iterator[bytes]:
    with path.open("rb", buffering=1 << 20) as file:
        while run := file.read(length):
            yield run
