"""How does one file of the journal grow without ever holding half a record or losing one?"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path
from typing import Self

WAITING_MAX = 100_000  # records kept in memory while the disk refuses: some 50 MB; then the oldest give way


class Segment:
    """A segment being written. What the kernel has not taken, or the disk not confirmed, is kept in memory too.

    The file is created with the first flush, so that a full disk does not get in the way of `put`.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        self.path = path
        self.size = size
        """Bytes of whole frames that the kernel has taken."""
        self.waiting: deque[tuple[int, bytes]] = deque(maxlen=WAITING_MAX)
        """Numbers and frames that it has not taken yet."""
        self.named = False
        """Whether the disk has the file's name."""
        self._unconfirmed: deque[tuple[int, bytes]] = deque()
        self._confirmed_size = size
        self._torn = False
        self._fd: int | None = None

    @classmethod
    def go_on(cls, path: Path) -> Self:
        """Append to a segment that is there. Raises OSError."""
        segment = cls(path, path.stat().st_size)
        segment.fileno()
        segment.named = True
        return segment

    @property
    def settled(self) -> bool:
        """Whether the disk has everything."""
        return not self.waiting and not self._unconfirmed

    def fileno(self) -> int:
        """Return the file's descriptor, opened now if it was not. Raises OSError."""
        if self._fd is None:
            self._fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self._fd

    def put(self, seq: int, frame: bytes) -> None:
        """Take a frame; it is written by `flush`."""
        self.waiting.append((seq, frame))

    def flush(self) -> None:
        """Hand what waits to the kernel. Raises OSError; then the file ends with a whole frame all the same."""
        while self.waiting:
            self._write(self.waiting[0][1])
            self._unconfirmed.append(self.waiting.popleft())

    def confirm(self, seq: int, size: int) -> None:
        """The disk has the frames up to number `seq`, which are the first `size` bytes."""
        self.named = True
        self._confirmed_size = size
        while self._unconfirmed and self._unconfirmed[0][0] <= seq:
            self._unconfirmed.popleft()

    def distrust(self) -> None:
        """Write again whatever the disk has not confirmed.

        After a failed sync the kernel takes pages that it could not write for clean ones, and the next sync succeeds
        without them; only writing them anew puts them there.
        """
        self.waiting = deque([*self._unconfirmed, *self.waiting], maxlen=WAITING_MAX)
        self._unconfirmed.clear()
        self.size = self._confirmed_size
        self._torn = True

    def close(self) -> None:
        """Let go of the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _write(self, frame: bytes) -> None:
        fd = self.fileno()
        if self._torn:
            self._cut(fd)
        self._torn = True
        rest = memoryview(frame)
        try:
            while rest:
                rest = rest[os.write(fd, rest) :]
        except OSError:
            with contextlib.suppress(OSError):  # still torn: cut before the next write
                self._cut(fd)
            raise
        self.size += len(frame)
        self._torn = False

    def _cut(self, fd: int) -> None:
        os.ftruncate(fd, self.size)
        self._torn = False
