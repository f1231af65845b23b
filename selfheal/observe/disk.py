"""The check `disk`: has a file system room left, and can it be written to?"""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from selfheal.config.models import CheckConfig
from selfheal.config.units import Count, Flag, Number, Size
from selfheal.errors import CheckFailed
from selfheal.kinds import Check, CheckContext, CheckKind
from selfheal.observe.patience import Patience
from selfheal.observe.wording import Unwell, size_text

Share = Annotated[Number, Field(gt=0, le=1)]

_PROBE = bytes(4096)  # a block, so that a disk without a free one refuses it
# What a file system refuses, and the cause that it is. Anything else is told in the system's words.
_REFUSALS: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: ("has no space left to write to", "disk_full"),
    errno.EDQUOT: ("has its quota used up", "disk_full"),
    errno.EROFS: ("is mounted read-only", "permission"),
    errno.EACCES: ("may not be written to by the user of selfheal", "permission"),
    errno.EPERM: ("may not be written to by the user of selfheal", "permission"),
    errno.ENOTDIR: ("is not a directory, so nothing can be written to it", ""),
}
_MISSING = (errno.ENOENT, errno.ENOTDIR)
_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


class DiskCheckConfig(CheckConfig):
    """The file system on which a path lies, and what has to be free of it."""

    # A text, as `file` is one: it starts at the agent's directory.
    disk: str = Field(min_length=1, description="A path on it, from the agent's directory.")
    min_free: Size | None = Field(None, description="At least this is free to ordinary users.")
    max_used: Share | None = Field(None, description="At most this share is used, from 0 to 1, as df counts it.")
    min_inodes: Annotated[Count, Field(gt=0)] | None = Field(None, description="At least so many files can be created.")
    max_inodes_used: Share | None = Field(None, description="At most this share of its inodes is used, from 0 to 1.")
    writable: Flag = Field(False, description="true: a small file is written there and removed.")


@dataclass(frozen=True, slots=True)
class Room:
    """What is free of a file system: in bytes and inodes, and as shares from 0 to 1. None where it counts no inodes."""

    free_bytes: float
    used: float
    free_inodes: float | None
    inodes_used: float | None

    @classmethod
    def of(cls, path: Path) -> Room:
        """Blocking. As df counts: what is kept for root is neither used nor free."""
        found = os.statvfs(path)
        used, free = found.f_blocks - found.f_bfree, found.f_bavail
        counted = found.f_files > 0
        return cls(
            free_bytes=float(free * found.f_frsize),
            used=used / (used + free) if used + free > 0 else 0.0,
            free_inodes=float(found.f_favail) if counted else None,
            inodes_used=1.0 - found.f_ffree / found.f_files if counted else None,
        )


@dataclass(frozen=True, slots=True)
class DiskCheck:
    """Signals: `disk_free` in bytes, `inodes` as the share that is used, and `disk` likewise where it is the agent's.

    For the file system of a process's directory that one is there already, and what a full disk is foreseen from:
    another file system in it would make nonsense of the forecast.
    """

    wanted: DiskCheckConfig
    context: CheckContext
    patience: Patience

    @property
    def path(self) -> Path:
        return self.context.directory / self.wanted.disk

    async def run(self) -> Mapping[str, float]:
        return await self.patience.of(self._look, repr(str(self.path)))

    def _look(self) -> Mapping[str, float]:
        signals: dict[str, float] = {}
        try:
            signals |= self._measured(Room.of(self.path))
            if self.wanted.writable:
                _write(self.path)
        except OSError as why:
            raise self._in_words(why, signals) from why
        return signals

    def _measured(self, room: Room) -> dict[str, float]:
        signals = {"disk_free": room.free_bytes}
        if room.inodes_used is not None:
            signals["inodes"] = room.inodes_used
        if self._is_the_agents():
            signals["disk"] = room.used
        wrong = _judge(room, self.wanted)
        if wrong is not None:
            raise Unwell(f"{str(self.path)!r} {wrong}", signals, "disk_full")
        return signals

    def _is_the_agents(self) -> bool:
        if self.context.watched_since is not None:  # it has no process, and so no directory that is measured
            return True
        with suppress(FileNotFoundError):
            return self.path.stat().st_dev == self.context.directory.stat().st_dev
        return False

    def _in_words(self, why: OSError, signals: dict[str, float]) -> Exception:
        if why.errno in _OURS:
            return why
        if not signals:
            words = "does not exist" if why.errno in _MISSING else f"cannot be looked at: {why.strerror or why}"
            return CheckFailed(f"{str(self.path)!r} {words}")
        words, cause = _REFUSALS.get(why.errno or 0, (f"cannot be written to: {why.strerror or why}", ""))
        return Unwell(f"{str(self.path)!r} {words}", signals, cause)


def _judge(room: Room, wanted: DiskCheckConfig) -> str | None:
    if wanted.min_free is not None and room.free_bytes < wanted.min_free:
        return f"has {size_text(room.free_bytes)} free, expected at least {size_text(wanted.min_free)}"
    if wanted.max_used is not None and room.used > wanted.max_used:
        return f"is {_percent(room.used)} full, expected at most {_percent(wanted.max_used)}"
    if wanted.min_inodes is not None and room.free_inodes is not None and room.free_inodes < wanted.min_inodes:
        return f"has {room.free_inodes:.0f} inodes free, expected at least {wanted.min_inodes}"
    if (
        wanted.max_inodes_used is not None
        and room.inodes_used is not None
        and room.inodes_used > wanted.max_inodes_used
    ):
        return (
            f"has {_percent(room.inodes_used)} of its inodes used, expected at most {_percent(wanted.max_inodes_used)}"
        )
    return None


def _write(folder: Path) -> None:
    """Write to a file without a name where the file system has such: then no crash of ours leaves anything behind."""
    with tempfile.TemporaryFile(dir=folder, prefix=".selfheal-", buffering=0) as file:
        if file.write(_PROBE) != len(_PROBE):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file.fileno())


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _build(config: CheckConfig, context: CheckContext) -> Check:
    assert isinstance(config, DiskCheckConfig)
    return DiskCheck(config, context, Patience())


DISK = CheckKind(name="disk", model=DiskCheckConfig, build=_build, signals=("disk", "disk_free", "inodes"))
