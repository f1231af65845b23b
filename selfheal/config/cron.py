"""When does a cron expression come true next?

By the clock of a time zone, also in the nights in which that is put on or back. A time that is skipped then comes right
after the gap; one that is there twice comes once, but for what runs every hour.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim

_BEFORE_S = 3 * 3600.0  # longer than any clock is put back at once


def first_after(expression: str, timezone: str, at: float) -> float:
    """The first time of a cron expression after `at`, both wall time."""
    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    # CronSim that begins within a time that is there twice gives the times of its first pass again, or passes over
    # some: it begins before any such time, and what is past is left out.
    begin = datetime.fromtimestamp(at - _BEFORE_S, zone)
    return next(time for time in (due.timestamp() for due in CronSim(expression, begin)) if time > at)
