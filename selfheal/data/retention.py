"""Which backups are kept?

Grandfather, father, son: the newest of each of the last hours, days, ISO weeks and months (UTC) that have one. Only
those that count fill such a place, so that no backup that nobody has proved, or that is damaged, pushes out a good one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from selfheal.data.backup import Backup, Keep

DAMAGED_S = 7 * 86_400.0
"""For so long a damaged one is left for a person to look at."""
UNPROVED = 2
"""So many are left that nobody has proved: a job that is killed each time must not fill the disk."""


def kept(backups: Sequence[Backup], keep: Keep, now: float) -> frozenset[str]:
    """Return the ids of those of one agent to keep: by their places, and always the newest that counts.

    The latest that were never proved stay until a newer one counts. A damaged one stays for a while, and for ever where
    its manifest cannot be read: then nobody knows what it was, nor since when.
    """
    good = sorted((one for one in backups if one.counts), key=_age, reverse=True)
    wanted = {one.id for one in good[:1]}
    for period, count in _periods(keep):
        wanted |= _newest_of_each(good, period, count)
    since = _age(good[0]) if good else (0.0, 0, "")
    unproved = sorted((one for one in backups if not one.counts and not one.damaged), key=_age, reverse=True)
    wanted |= {one.id for one in unproved[:UNPROVED] if _age(one) > since}
    wanted |= {one.id for one in backups if one.damaged and _is_looked_at(one, now)}
    return frozenset(wanted)


def _is_looked_at(one: Backup, now: float) -> bool:
    return one.damaged_at is None or now - one.damaged_at < DAMAGED_S


def _newest_of_each(good: Iterable[Backup], period: Callable[[datetime], object], count: int) -> set[str]:
    found: dict[object, str] = {}
    for one in good:
        if len(found) >= count:
            break
        found.setdefault(period(datetime.fromtimestamp(one.at, UTC)), one.id)
    return set(found.values())


def _periods(keep: Keep) -> tuple[tuple[Callable[[datetime], object], int], ...]:
    return (
        (lambda at: at.strftime("%Y%m%d%H"), keep.hourly),
        (lambda at: at.date(), keep.daily),
        (lambda at: at.isocalendar()[:2], keep.weekly),
        (lambda at: (at.year, at.month), keep.monthly),
    )


def _age(one: Backup) -> tuple[float, int, str]:
    """Sorts by time, also those of one second: "-10" comes after "-9"."""
    return one.at, len(one.id), one.id
