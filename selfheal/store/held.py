"""Which snapshots should there be?

A snapshot that is gone leaves no trace by itself: the older ones and the journal do in its place. So a small file
beside them lists their numbers. It is written after a snapshot and before others are dropped, so that after a death
at any instant each one that it lists is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from selfheal.durable import replace_file
from selfheal.store.names import Damage, content, named, number_of, set_aside
from selfheal.store.snapshots import SUFFIX, snapshots

NAME = "held"
_TEXT = re.compile(rb"snapshots((?: \d{1,18})*), sum ([0-9a-f]{16})\n")


def note(directory: Path, but: Collection[Path] = ()) -> None:
    """List the snapshots that are there, without those that are about to go; durable on return. Raises OSError."""
    text = _text(number_of(path) for path in snapshots(directory) if path not in but)
    path = directory / NAME
    if _written(path) != text:
        replace_file(path, text)


def examine(directory: Path, now: float, told: Collection[str]) -> list[Damage]:
    """Say which snapshots are missing but for those `told` of already, and list what is there. Raises OSError."""
    path = directory / NAME
    text = _written(path)
    listed = _said(text)
    if listed is not None:
        files = (named(directory, number, SUFFIX) for number in listed)
        found = [_missing(file) for file in files if not file.exists() and file.name not in told]
    elif path.exists():
        found = [set_aside(path, "it does not say which snapshots there are", now)]
    else:
        found = [_missing(path)] if snapshots(directory) else []
    with contextlib.suppress(OSError):  # said again by the next start
        note(directory)
    return found


def _missing(path: Path) -> Damage:
    return Damage(path.name, 0, 0, "it is missing", None)


def _written(path: Path) -> bytes:
    try:
        return content(path)
    except OSError:
        return b""


def _said(text: bytes) -> list[int] | None:
    match = _TEXT.fullmatch(text)
    numbers = [int(number) for number in match[1].split()] if match is not None else []
    return numbers if match is not None and text == _text(numbers) else None


def _text(numbers: Iterable[int]) -> bytes:
    said = "".join(("snapshots", *(f" {number}" for number in numbers)))
    return f"{said}, sum {hashlib.blake2b(said.encode(), digest_size=8).hexdigest()}\n".encode()
