"""Who may be asked now, and who waits for room?

Checks that have just failed may well use up their whole timeout: they get at most half of the room, so that a thousand
targets that are dead leave some for the others.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Lane(Generic[_T]):
    """Room for so many at once, and the queues of those for whom there is none."""

    __slots__ = ("_inside", "_queue", "_room", "_suspect_queue", "_suspects")

    def __init__(self, room: int) -> None:
        self._room = room
        self._inside = 0
        self._suspects = 0
        self._queue: deque[_T] = deque()
        self._suspect_queue: deque[_T] = deque()

    def enter(self, *, suspect: bool) -> bool:
        """Take a place, where there is one."""
        if self._inside >= self._room or (suspect and self._suspects >= max(1, self._room // 2)):
            return False
        self._inside += 1
        self._suspects += suspect
        return True

    def leave(self, *, suspect: bool) -> None:
        """Give a place back, as what it was taken."""
        self._inside -= 1
        self._suspects -= suspect

    def wait(self, one: _T, *, suspect: bool) -> None:
        """Stand in the queue."""
        (self._suspect_queue if suspect else self._queue).append(one)

    def next(self) -> _T | None:
        """Who comes next, out of the queue, now that there is room; None where there is nobody, or none."""
        if self._inside >= self._room:
            return None
        if self._queue:
            return self._queue.popleft()
        if self._suspect_queue and self._suspects < max(1, self._room // 2):
            return self._suspect_queue.popleft()
        return None
