"""How are moments and spans of time written?

RFC 3339 in UTC with milliseconds where programs read, hours and seconds where people do.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - in UTC by definition
# The last moment that a date can name. A clock that jumps must not break the answer that would show it.
_LAST = 253_402_300_799.0
# RFC 3339, section 5.6. In a query a plus that nobody escaped arrives as a space.
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[ +-]\d\d:\d\d)", re.ASCII)
_MINUTE_S, _HOUR_S, _DAY_S = 60.0, 3600.0, 86400.0


def rfc3339(at: float) -> str:
    """Write seconds since the epoch as "2026-01-02T03:04:05.678Z". Total: what no date can name is the nearest."""
    return _date(at).isoformat("T", "milliseconds") + "Z"


def read_rfc3339(text: str) -> float:
    """Return the seconds since the epoch of a time such as `rfc3339` writes, or one with an offset.

    Raises ValueError.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError("this is not a time as in RFC 3339; write it as in 2026-01-02T03:04:05Z")
    date, offset = text[:19].replace(" ", "T"), text[19:].replace(" ", "+")
    return datetime.fromisoformat((date + offset).upper()).timestamp()


def moment(at: float | None) -> str | None:
    """Write a moment that may not have come; 0 stands for never, as in a fresh world."""
    return rfc3339(at) if at else None


def time_of_day(at: float) -> str:
    """Write the time of day in UTC, as in "12:00:03.120"."""
    return _date(at).time().isoformat(timespec="milliseconds")


def span(seconds: float) -> str:
    """Write a duration for a person: "4 ms", "0.9 s", "12 s", "3.5 min", "2 h", "4 d"."""
    if seconds < 0.1:
        return f"{max(0.0, seconds) * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s".replace(".0 ", " ")
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    for unit, name in ((_DAY_S, "d"), (_HOUR_S, "h")):
        if seconds >= 2 * unit:
            return _rounded(seconds / unit, name)
    return _rounded(seconds / _MINUTE_S, "min")


def _rounded(value: float, unit: str) -> str:
    return f"{value:.1f}".removesuffix(".0") + f" {unit}"


def _date(at: float) -> datetime:
    """The date in UTC; naive, because it is written twice as fast and a list of agents holds thousands."""
    return _EPOCH + timedelta(0, at if 0.0 <= at <= _LAST else _LAST if at > _LAST else 0.0)
