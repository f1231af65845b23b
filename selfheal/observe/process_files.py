"""What does the kernel tell of a process?

Its files under /proc, kept open: to read one that is open costs half of opening it anew, and it goes on to speak of the
same process when the pid has been given to another. The values are those that psutil gives.
"""

from __future__ import annotations

import os
import resource

import msgspec

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STAT_BYTES = 1024  # the longest line that it can be
_SHORT_BYTES = 512


class Reading(msgspec.Struct, frozen=True):
    """One look at a process.

    `cpu_s` is its own, `children_cpu_s` that of the children it has waited for. `fds` is None, and `io` empty, where
    another user's process does not let us see.
    """

    state: str
    cpu_s: float
    children_cpu_s: float
    threads: int
    start_ticks: int
    rss_bytes: int
    fds: int | None
    io: tuple[float, float] | None
    """Bytes that the disks had to read and write, for it and for the children that it has waited for."""


class ProcessFiles:
    """The files of one process, to be closed by who reads them. `disk` asks for what it has read and written, too.

    Of the descriptors that we may have, half are left to everything else: what would go beyond is not kept open.
    Descriptors are given out from the lowest on, so the number of one says how many there are.
    """

    __slots__ = ("_disk", "_fds", "_io", "_kept_below", "_place", "_stat", "_statm")

    def __init__(self, pid: int, *, disk: bool = True) -> None:
        self._disk = disk
        self._kept_below = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2
        self._place = f"/proc/{pid}/"
        self._fds = f"/proc/{pid}/fd"
        self._stat = self._statm = self._io = -1

    def read(self) -> Reading:
        """Look once. Raises ProcessLookupError or FileNotFoundError where the process is gone."""
        try:
            if self._stat < 0:
                self._open()
            return self._read()
        finally:
            if self._stat >= self._kept_below:
                self.close()

    def close(self) -> None:
        """Let go of the files."""
        for fd in (self._stat, self._statm, self._io):
            if fd >= 0:
                os.close(fd)
        self._stat = self._statm = self._io = -1

    def _open(self) -> None:
        self._stat = os.open(self._place + "stat", os.O_RDONLY | os.O_CLOEXEC)
        self._statm = os.open(self._place + "statm", os.O_RDONLY | os.O_CLOEXEC)
        if not self._disk:
            return
        try:
            self._io = os.open(self._place + "io", os.O_RDONLY | os.O_CLOEXEC)
        except (PermissionError, FileNotFoundError):  # not ours to see, or not kept by this kernel
            self._io = -1

    def _read(self) -> Reading:
        line = os.pread(self._stat, _STAT_BYTES, 0)
        # The name in the middle may hold spaces and parentheses; what follows the last one are the fields from 3 on.
        fields = line[line.rindex(b")") + 2 :].split(None, 20)
        pages = os.pread(self._statm, _SHORT_BYTES, 0).split(None, 2)[1]
        return Reading(
            chr(fields[0][0]),
            (int(fields[11]) + int(fields[12])) / TICKS_PER_S,
            (int(fields[13]) + int(fields[14])) / TICKS_PER_S,
            int(fields[17]),
            int(fields[19]),
            int(pages) * _PAGE_BYTES,
            self._open_files(),
            self._disk_bytes() if self._io >= 0 else None,
        )

    def _open_files(self) -> int | None:
        try:
            count = os.stat(self._fds).st_size  # since Linux 6.2
            return count or len(os.listdir(self._fds))
        except PermissionError:
            return None

    def _disk_bytes(self) -> tuple[float, float] | None:
        try:
            words = os.pread(self._io, _SHORT_BYTES, 0).split()
        except PermissionError:  # it has become another user's
            return None
        return float(words[9]), float(words[11])  # read_bytes: N write_bytes: N, fifth and sixth of the lines
