"""What is known of the backups and the recoveries of each data agent, and how does an event change that?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from selfheal.events.data import (
    BackupDamaged,
    BackupFailed,
    BackupMade,
    BackupVerified,
    DataAccepted,
    DataEvent,
    DataRestored,
)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What there is to fall back on: the newest backup that counts, and how the latest tries went.

    `failed_at` and `failure` are of the latest try where it failed; a backup that is made clears them. `damaged` is the
    latest backup that was found damaged, and `restored` the latest recovery.
    """

    backup: BackupMade | None = None
    verified_at: float | None = None
    verified: str = ""
    failed_at: float | None = None
    failure: str = ""
    damaged: BackupDamaged | None = None
    restored: DataRestored | None = None


def fold_data(known: Mapping[str, Holdings], event: DataEvent) -> Mapping[str, Holdings]:
    """Return the holdings by agent after `event`."""
    return {**known, event.agent: _changed(known.get(event.agent, Holdings()), event)}


def _changed(then: Holdings, event: DataEvent) -> Holdings:
    match event:
        case BackupMade():
            now = replace(then, backup=event, verified_at=event.at, verified=event.backup)
            return replace(now, failed_at=None, failure="")
        case BackupFailed():
            return replace(then, failed_at=event.at, failure=event.reason)
        case BackupVerified():
            return replace(then, verified_at=event.at, verified=event.backup)
        case BackupDamaged():
            lost = then.backup is not None and then.backup.backup == event.backup
            return replace(then, damaged=event, backup=None if lost else then.backup)
        case DataRestored():
            return replace(then, restored=event)
        case DataAccepted():
            return then
        case _:
            assert_never(event)
