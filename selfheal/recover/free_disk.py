"""The fix `free_disk`: of the files that a person has listed as needed by nobody, the oldest go until there is room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import Field

from selfheal.config.healing import FixSettings
from selfheal.config.units import Duration, Number
from selfheal.errors import FixFailed
from selfheal.kinds import Act, Fix, Hands, Target
from selfheal.recover.listed import Patterns, is_file, listed, start_of


class FreeDiskSettings(FixSettings):
    """What may be deleted, and how much room there shall be."""

    paths: Patterns = Field(
        description="Files that may be deleted, oldest first: paths, in which *, ? and ** may stand."
    )
    until: Annotated[Number, Field(gt=0, le=1)] = Field(
        0.1, description="Enough is deleted when this share of the disk is free."
    )
    older_than: Duration = Field(60.0, description="Files that were written to within this time are left alone.")


async def _free(hands: Hands, target: Target) -> str:
    settings = target.settings
    assert isinstance(settings, FreeDiskSettings)
    now = hands.now()
    return await hands.work(lambda: free(settings, hands.state_dir, now))


async def _start(hands: Hands, target: Target) -> str:
    if hands.is_well(target.agent):
        return f"{target.agent} goes on"
    await hands.restart(target.agent, target.reason)
    return f"{target.agent} was started again"


def free(settings: FreeDiskSettings, never: Path, now: float) -> str:
    """Delete what is listed, oldest first, until there is enough room; returns what was deleted.

    Raises FixFailed where nothing was, or nothing had to be. A file that a process holds open is left: its room would
    not be free, and its owner is at work with it.
    """
    folder = _existing(start_of(settings.paths[0]))
    if _free_share(folder) >= settings.until:
        raise FixFailed(f"{_free_share(folder):.1%} of the disk of {str(folder)!r} are free, which is enough as it is")
    found = sorted(_old(settings, never, now), key=lambda pair: pair[0])
    held = _held_open() if found else set()
    gone = freed = 0
    for _, path in found:
        with suppress(OSError):
            seen = path.lstat()
            if (seen.st_dev, seen.st_ino) in held:
                continue
            path.unlink()
            gone, freed = gone + 1, freed + seen.st_blocks * 512
        if _free_share(folder) >= settings.until:
            break
    if not gone:
        raise FixFailed(
            f"nothing was there to delete of {', '.join(map(str, settings.paths))}; list more, or make room"
        )
    return f"{gone} files with {freed / 1e6:.1f} MB were deleted, the oldest first; {_free_share(folder):.1%} are free"


def _old(settings: FreeDiskSettings, never: Path, now: float) -> Iterator[tuple[float, Path]]:
    for path in listed(settings.paths, never):
        with suppress(OSError):
            written_at = path.lstat().st_mtime
            if is_file(path) and now - written_at >= settings.older_than:
                yield written_at, path


def _free_share(folder: Path) -> float:
    """The share of its disk that whoever is not root may still write."""
    disk = os.statvfs(folder)
    return disk.f_bavail / disk.f_blocks if disk.f_blocks else 1.0


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.is_dir())


def _held_open() -> set[tuple[int, int]]:
    """The files that some process has open, as far as this user may see."""
    held: set[tuple[int, int]] = set()
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(OSError), os.scandir(process / "fd") as entries:
                for entry in entries:
                    with suppress(OSError):
                        seen = entry.stat()
                        held.add((seen.st_dev, seen.st_ino))
    return held


FREE_DISK = Fix(
    name="free_disk",
    layer="application",
    causes=frozenset({"disk_full"}),
    cost_s=5.0,
    risk_s=0.0,
    timeout_s=600.0,
    acts=(Act("make room", _free), Act("start it again", _start)),
    tier=1,
    only_its_causes=True,
    settings=FreeDiskSettings,
    useful_from=lambda settings: 1.0 - settings.until if isinstance(settings, FreeDiskSettings) else 0.0,
)
