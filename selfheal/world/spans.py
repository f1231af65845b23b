"""How is it told to a person how long something takes, or is ago?"""

from __future__ import annotations

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0


def span_text(seconds: float) -> str:
    """Return a span as in "90 s", "45 min", "4.5 h", "5 days": about two digits, in the unit that has one or more."""
    if seconds < 2 * MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    return f"{seconds / HOUR_S:.2g} h" if seconds < 2 * DAY_S else f"{seconds / DAY_S:.0f} days"
