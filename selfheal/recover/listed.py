"""Which files does a person mean who has listed them to be moved or deleted? No others, whatever is in their way.

What is listed starts at a folder, the part of a pattern before its first wildcard. Links are never followed out of
it, and no folder is taken that nobody can have meant.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from selfheal.config.units import Place

_WILD = frozenset("*?[")
# The folders of a system, of which nobody lists everything: whose loss is not that of a cache.
_SYSTEM = frozenset(
    {"", "bin", "boot", "dev", "etc", "home", "lib", "lib64", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp",
     "usr", "var"}
)  # fmt: skip


def _is_meant(pattern: Path) -> Path:
    if ".." in pattern.parts:
        raise ValueError(f"{str(pattern)!r} leads out of where it begins; write it without '..'")
    start = start_of(pattern)
    whole = start == pattern or pattern.parts[len(start.parts)] in ("*", "**")
    if pattern.is_absolute() and whole and (len(start.parts) < 2 or (len(start.parts) == 2 and start.name in _SYSTEM)):
        raise ValueError(f"{str(pattern)!r} is a folder of the system itself; name what lies in a folder of your own")
    if str(pattern) in (".", "*", "**", "**/*", "~") or str(pattern).startswith("~"):
        raise ValueError(f"{str(pattern)!r} is everything there; name the files or a folder, such as 'var/cache/*'")
    return pattern


Pattern = Annotated[Place, AfterValidator(_is_meant)]
"""Files or folders that are meant: a path, in which *, ? and [ may stand, and ** for folders of any depth."""


def _some(patterns: tuple[Path, ...]) -> tuple[Path, ...]:
    if not patterns:
        raise ValueError("it is empty, which never means all; name one at least")
    return patterns


Patterns = Annotated[tuple[Pattern, ...], AfterValidator(_some)]


def start_of(pattern: Path) -> Path:
    """The folder at which a pattern begins, or the path itself where nothing in it is wild."""
    parts: list[str] = []
    for part in pattern.parts:
        if _WILD.intersection(part):
            break
        parts.append(part)
    return Path(*parts) if parts else Path()


def listed(patterns: Iterable[Path], never: Path) -> Iterator[Path]:
    """What is there of what is meant, links themselves and nothing that they lead to; nothing in or above `never`."""
    own = never.resolve()
    seen: set[Path] = set()
    for pattern in patterns:
        start = start_of(pattern)
        inside = (start if start != pattern else start.parent).resolve()
        for path in start.glob(str(pattern.relative_to(start))) if start != pattern else [pattern]:
            if not os.path.lexists(path):
                continue
            real = path.parent.resolve() / path.name
            if real in seen or not real.is_relative_to(inside) or real == inside:
                continue
            if real.is_relative_to(own) or own.is_relative_to(real):
                continue
            seen.add(real)
            yield real


def is_file(path: Path) -> bool:
    """Whether it is a regular file itself, not by way of a link."""
    try:
        return os.path.isfile(path) and not path.is_symlink()  # noqa: PTH113 - of what may be gone it says no
    except OSError:
        return False
