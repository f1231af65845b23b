"""Which signatures come with the program? A file for each technology, in words of our own; `docs/causes.md` says how.

They are read when somebody first wants one: some tens of milliseconds, for which the daemon takes a thread.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

from selfheal.diagnose.signatures import Signatures
from selfheal.events import Signature

FOLDER = Path(__file__).parent


@cache
def shipped() -> Signatures:
    """All of them, with the precisions that are believed before anything was seen."""
    return Signatures.of(_Files())


class _Files:
    """The signatures of all files, read anew each time."""

    def __iter__(self) -> Iterator[Signature]:
        return (one for file in sorted(FOLDER.glob("*.toml")) for one in _signatures(file))


def _signatures(file: Path) -> Iterator[Signature]:
    for table in tomllib.loads(file.read_text(encoding="utf-8"))["signature"]:
        yield msgspec.convert({**table, "id": f"{file.stem}.{table['name']}"}, Signature)
