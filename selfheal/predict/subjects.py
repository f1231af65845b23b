"""What does each signal of an agent say about whether it is the one that brings a failure?

A row of `windows` tells of that signal which is nearest to its limit, and a collector that saws hides the leak behind
it. Here each signal that may bring a failure has a row of its own: on its way to its limit, where one is told, held
against its own past, and beside it all that is known of the agent. As there nothing in a row has a unit or a name.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite, nan

from selfheal.predict.roles import ROLES, Role
from selfheal.predict.windows import BESIDE, DEPARTS, LEAST_STEPS, TOWARDS, Windows, towards

# What failures may come from; of anything else where a limit is told for it.
BRINGS: frozenset[Role] = frozenset({"memory", "fds", "disk", "latency", "errors", "queue", "restarts"})
# What is limited and has no such name is taken for something that waits: it follows the load and may grow.
_LIKE: Role = "queue"
FEATURES: tuple[str, ...] = (
    "signal.is",
    *(f"limit.{name}" for name in TOWARDS),
    *(f"signal.{name}" for name in DEPARTS),
    *BESIDE,
)


class Subjects:
    """The rows of one agent's signals."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        track = windows.track
        self.signals = tuple(name for name in track.columns if name in track.limits or windows.roles[name] in BRINGS)

    def rows(self, place: int) -> Iterator[tuple[str, tuple[float, ...]]]:
        """Of each signal what was known at the end of a step, as in FEATURES; none before there is enough of it."""
        end = place + 1
        columns = self._windows.track.columns
        seen = [name for name in self.signals if end >= LEAST_STEPS and columns[name].count(end - LEAST_STEPS, end)]
        beside = self._windows.beside(end) if seen else []
        return ((name, (*self._of(name, end), *beside)) for name in seen)

    def _of(self, name: str, end: int) -> list[float]:
        windows = self._windows
        column, limit, role = windows.track.columns[name], windows.track.limits.get(name), windows.roles[name]
        code = float(ROLES.index(role if role in BRINGS else _LIKE))
        since = windows.begun(name, end - 1)
        level = column.mean(max(since, end - 3), end) / limit if limit else nan
        if limit and isfinite(level):
            nearing = towards(column, limit, level, since, end, windows.day, code)
        else:
            nearing = [nan] * len(TOWARDS)
        return [code, *nearing, *windows.departs(name, end)]
