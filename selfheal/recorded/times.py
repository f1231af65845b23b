"""Which moment is meant: RFC 3339, `YYYY-MM-DD HH:MM:SS` in UTC, or seconds since 1970?"""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite


def moment(text: str) -> float:
    """Read a moment as wall seconds. Raises ValueError with what would be right."""
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if isfinite(seconds):
            return seconds
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no time; write 2026-11-26T08:00:00Z, 2026-11-26 08:00:00, or seconds since 1970"
        ) from None
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()
