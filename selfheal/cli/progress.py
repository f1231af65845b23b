"""How far is long work? A bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TextIO, TypeVar

_WIDTH = 28
# Often enough to be seen moving.
_EVERY_S = 0.2

T = TypeVar("T")


class Bar:
    """One line on stderr that is drawn anew; on what is no terminal it is not drawn at all."""

    def __init__(self, what: str, stream: TextIO = sys.stderr) -> None:
        self._what = what
        self._stream = stream
        self._seen = stream.isatty()
        self._drawn = False

    def __call__(self, doing: str, share: float) -> None:
        """Draw it; `share` is from 0 to 1."""
        if not self._seen:
            return
        full = round(_WIDTH * min(1.0, max(0.0, share)))
        bar = "━" * full + "─" * (_WIDTH - full)
        self._stream.write(f"\r\x1b[2K{self._what}  {bar} {share * 100:3.0f} %  {doing}")
        self._stream.flush()
        self._drawn = True

    def clear(self) -> None:
        """Take it away."""
        if self._drawn:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
            self._drawn = False


def watched(work: Callable[[], T], bar: Bar, look: Callable[[], tuple[str, float] | None]) -> T:
    """Do `work`, and draw what `look` says of it meanwhile."""
    done = threading.Event()

    def draw() -> None:
        while not done.wait(_EVERY_S):
            told = look()
            if told is not None and not done.is_set():
                bar(*told)

    drawer = threading.Thread(target=draw, daemon=True)
    drawer.start()
    try:
        return work()
    finally:
        done.set()
        drawer.join()
        bar.clear()
