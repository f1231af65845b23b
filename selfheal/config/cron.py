"""When does a cron expression come true next?

By the clock of a time zone, also in the nights in which that is put on or back. A time that is skipped then comes right
after the gap; one that is there twice comes once, but for what runs every hour.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim


def first_after(expression: str, timezone: str, at: float) -> float:
    """The first time of a cron expression after `at`, both wall time."""
    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    times = (time.timestamp() for time in CronSim(expression, datetime.fromtimestamp(at, zone)))
    # In an hour that is there twice CronSim begins with the times of its first pass: a job that ran then would be due
    # again, and again a moment later.
    return next(time for time in times if time > at)
