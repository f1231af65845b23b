"""How do sizes, spans of time, shares and other people's text look in the reason of a failure?

A reason is one line that a person reads on a phone: short, in units that need no arithmetic, and with what the agent
said cut to its beginning.
"""

from __future__ import annotations

import signal

from selfheal.errors import CheckFailed

EXCERPT_CHARS = 120
_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "KB"))
_SPANS = ((2 * 86400.0, 86400.0, "days"), (2 * 3600.0, 3600.0, "h"), (600.0, 60.0, "min"))


def size_text(size_bytes: float) -> str:
    """Bytes in powers of 1000: four digits, so that 400.4 MB does not read as the 400 MB that it is over."""
    for unit, name in _UNITS:
        if size_bytes >= unit:
            return f"{size_bytes / unit:.4g} {name}"
    return f"{size_bytes:.0f} B"


def span_text(seconds: float) -> str:
    """A span of time: seconds up to ten minutes, then the larger units."""
    for least, unit, name in _SPANS:
        if seconds >= least:
            return f"{seconds / unit:.3g} {name}"
    return f"{seconds:.3g} s"


def percent_text(share: float) -> str:
    """A share of a whole, 1 being all of it."""
    return f"{100 * share:.3g} %"


def excerpt(text: str, limit: int = EXCERPT_CHARS) -> str:
    """The beginning of a text as one printable line."""
    # Four times the limit is enough to fill it, and keeps a large body from being split whole.
    line = " ".join(text[: 4 * limit].split())
    shown = "".join(char if char.isprintable() else "?" for char in line[:limit])
    return shown if len(line) <= limit else f"{shown}…"


def with_words(reason: str, said: str) -> str:
    """A reason, followed by the beginning of what the agent said where it said anything."""
    shown = excerpt(said)
    return f"{reason}: {shown}" if shown else reason


def exit_text(code: int) -> str:
    """How a program ended. A negative code is the signal that killed it."""
    if code >= 0:
        return f"exit {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


class Unwell(CheckFailed):
    """A check that failed and measured all the same: the numbers of a failure are the ones most wanted."""

    def __init__(self, reason: str, signals: dict[str, float], cause: str = "", *, silent: bool = False) -> None:
        super().__init__(reason, cause=cause, silent=silent)
        self.signals = signals
