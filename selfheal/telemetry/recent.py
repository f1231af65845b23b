"""What has the daemon itself logged of late?

The last lines, as they went out, for who asks over HTTP and does not see where they go. Bounded in number and length.
"""

from __future__ import annotations

import os
import re
import threading
from collections import deque

RECENT_LINES = 1000  # as many as one answer holds: some 300 KB
LONGEST_LINE = 4096  # characters; a traceback that is longer is whole where the log goes
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class RecentLines:
    """The ring of lines. Written by whichever thread logs."""

    def __init__(self) -> None:
        self._lines: deque[tuple[int, float, str]] = deque(maxlen=RECENT_LINES)
        self._count = 0
        self._lock = threading.Lock()
        self._life = str(os.getpid())  # a cursor of an earlier daemon means nothing here

    def add(self, at: float, line: str) -> None:
        """Keep a line that was logged at a time, wall time, without its colours."""
        line = _COLOURS.sub("", line)
        if len(line) > LONGEST_LINE:
            line = line[: LONGEST_LINE - 1] + "…"
        with self._lock:
            self._count += 1
            self._lines.append((self._count, at, line))

    def page(self, lines: int, cursor: str, since: float = 0.0) -> tuple[tuple[str, ...], str]:
        """At most `lines` lines, oldest first, and the cursor behind the last: those after `cursor`, else the last."""
        with self._lock:
            kept, count = tuple(self._lines), self._count
        after = self._number(cursor)
        known = [(number, line) for number, at, line in kept if number > (after or 0) and at >= since]
        page = known[-lines:] if after is None else known[:lines]
        end = page[-1][0] if page else count
        return tuple(line for _, line in page), f"{self._life}-{end}"

    def _number(self, cursor: str) -> int | None:
        life, _, number = cursor.partition("-")
        return int(number) if life == self._life and number.isascii() and number.isdecimal() else None
