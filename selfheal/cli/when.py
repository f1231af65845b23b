"""Which moment is meant?"""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selfheal.compose.lookback import Moment

_AGO = re.compile(r"-?(\d+(?:\.\d+)?)\s*([smhd])(?:\s+ago)?", re.ASCII)
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_TIME = "write 2026-01-02T03:04:05, '10m ago' or seconds since the epoch"
_HOW = "write 2026-01-02T03:04:05, '10m ago', seconds since the epoch, an incident as inc-7, or an event as '#1234'"


def moment(text: str) -> Moment:
    """Read a moment: a time, how long ago, an incident (just before it opened) or the number of an event.

    A time without a zone is local. Raises ArgumentTypeError.
    """
    from selfheal.compose.lookback import After, At, BeforeIncident

    text = text.strip()
    if re.fullmatch(r"#\d{1,18}", text, re.ASCII):
        return After(int(text[1:]))
    if re.fullmatch(r"inc-\d+", text, re.ASCII):
        return BeforeIncident(text)
    return At(_time(text))


def time(text: str) -> float:
    """Read a time, or how long ago: seconds since the epoch. Raises ArgumentTypeError."""
    try:
        return _time(text.strip())
    except ArgumentTypeError as why:
        raise ArgumentTypeError(f"{text!r} is no time; {_TIME}") from why


def _time(text: str) -> float:
    ago = _AGO.fullmatch(text)
    if ago is not None and (text.startswith("-") or text.endswith("ago")):
        from selfheal.clock import RealClock

        return RealClock().now() - float(ago[1]) * _UNITS_S[ago[2]]
    if re.fullmatch(r"\d{1,12}(?:\.\d+)?", text, re.ASCII):
        return float(text)
    try:
        return datetime.fromisoformat(text).astimezone().timestamp()  # without a zone it is taken as local
    except (ValueError, OverflowError, OSError) as why:
        raise ArgumentTypeError(f"{text!r} is no moment; {_HOW}") from why
