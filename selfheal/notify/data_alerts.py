"""What should a person know of backups and recovered data?"""

from __future__ import annotations

from selfheal.events import AlertRaised, BackupDamaged, BackupFailed, BackupMade, DataEvent, DataRestored
from selfheal.notify.told import is_told
from selfheal.world import World


def about_data(world: World, event: DataEvent) -> tuple[AlertRaised, ...]:
    """Return the alerts that `event`, which is already part of `world`, is worth."""
    at, agent = event.at, event.agent
    match event:
        case BackupFailed(reason=reason) if not is_told(world, _key(agent)):
            return (
                AlertRaised(at, _key(agent), "warning", f"no backup of {agent} could be made", reason, agent, None),
            )
        case BackupMade() if is_told(world, _key(agent)):
            title = f"{agent} is backed up again"
            return (AlertRaised(at, _key(agent), "info", title, "", agent, None, resolved=True),)
        case BackupDamaged(backup=backup, reason=reason):
            key = f"backup-{agent}-{backup}"
            return (AlertRaised(at, key, "warning", f"a backup of {agent} is damaged", reason, agent, None),)
        case DataRestored():
            return (_restored(event),)
        case _:
            return ()


def _restored(event: DataRestored) -> AlertRaised:
    """Data of his were exchanged: that is always told, and what was lost."""
    lost = [f"{count:g} {name}" for name, count in event.lost.items()]
    if event.words:
        lost.append(event.words)
    if event.lost_s is not None:
        lost.append(f"the last {event.lost_s:.0f} s of writes")
    source = "salvaged" if event.source == "salvage" else f"restored from the backup {event.source}"
    text = f"lost: {', '.join(lost) or 'nothing that is known'}; the old data are kept as {event.aside or 'nothing'}"
    key = f"restored-{event.agent}-{event.at:.0f}"
    return AlertRaised(event.at, key, "warning", f"the data of {event.agent} were {source}", text, event.agent, None)


def _key(agent: str) -> str:
    return f"backup-{agent}"
