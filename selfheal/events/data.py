"""What can happen to data?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BackupMade:
    """A backup was made, restored to a scratch place and proved: it counts. `size` and `stored` are bytes.

    `taken_at` is wall time: what was written before it is in the backup. `unchanged` says that nothing was written
    since the last one, which stands for this one too. `told` is what a person should know of it all the same: a store
    of another program that did not take it, say.
    """

    at: float
    agent: str
    backup: str
    taken_at: float
    size: int
    stored: int
    took_s: float
    unchanged: bool = False
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BackupFailed:
    """No backup could be made, or it could not be proved."""

    at: float
    agent: str
    reason: str


@dataclass(frozen=True, slots=True)
class BackupVerified:
    """An earlier backup was restored to a scratch place once more, and is still sound."""

    at: float
    agent: str
    backup: str


@dataclass(frozen=True, slots=True)
class BackupDamaged:
    """An earlier backup counts no more, and why."""

    at: float
    agent: str
    backup: str
    reason: str


@dataclass(frozen=True, slots=True)
class DataRestored:
    """Sound data are in the place of the old ones, which are kept `aside`.

    `source` is the id of a backup, or "salvage". What was lost: `lost_s` seconds before the last write (before this
    moment, where nobody knows of that), None of what was salvaged; `lost` by what can be counted, and `words` what else
    is known of it. `by` is who wanted it.
    """

    at: float
    agent: str
    source: str
    aside: str
    lost_s: float | None
    by: str
    lost: Mapping[str, float] = field(default_factory=dict)
    words: str = ""


@dataclass(frozen=True, slots=True)
class DataAccepted:
    """A person takes the data as they are for sound, whatever was seen of them before."""

    at: float
    agent: str
    by: str


DataEvent = BackupMade | BackupFailed | BackupVerified | BackupDamaged | DataRestored | DataAccepted
