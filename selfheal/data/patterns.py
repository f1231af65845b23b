"""Which files are meant?

A pattern without a '/' is held against the name of a file and of each folder above it, one with a '/' against the path
from the top; `*` stands for anything, also over a '/'. What is meant is meant with all below it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from pathlib import Path, PurePosixPath


def chooser(include: Sequence[str], exclude: Sequence[str]) -> Callable[[Path], bool]:
    """Return what says whether a relative path is meant: by `include` (empty: all) and not by `exclude`."""
    wanted, unwanted = matcher(include), matcher(exclude)

    def is_meant(path: Path) -> bool:
        return (not include or wanted(path)) and not unwanted(path)

    return is_meant


def matcher(patterns: Sequence[str]) -> Callable[[Path], bool]:
    """Return what says whether one of the patterns fits a relative path or a folder above it."""
    names = _joined([each for each in patterns if "/" not in each])
    paths = _joined([each.strip("/") for each in patterns if "/" in each])

    def fits(path: Path) -> bool:
        above = [PurePosixPath(path), *list(PurePosixPath(path).parents)[:-1]]
        by_name = names is not None and any(names.fullmatch(part.name) for part in above)
        return by_name or (paths is not None and any(paths.fullmatch(str(part)) for part in above))

    return fits


def _joined(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(translate(each) for each in patterns)) if patterns else None
