"""Who listens on a port of this machine?

The kernel lists its sockets under /proc/net, each with the number of its inode; the process that holds it open has a
link of that number among its descriptors. Those of another user are not seen, unless this one is root.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from selfheal.supervise import proc

_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LISTENS = "0A"


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that listens. `command` are the words that it was started with, `user` is the number of its owner."""

    pid: int
    start_ticks: int
    boot_id: str
    command: tuple[str, ...]
    user: int


def listeners(port: int) -> tuple[Listener, ...]:
    """Every process that this user may see and that listens on `port`, on whatever address."""
    inodes = {inode for table in _TABLES for inode in _listening(table, port)}
    if not inodes:
        return ()
    links = {f"socket:[{inode}]" for inode in inodes}
    found = (_listener(entry.pid) for entry in proc.processes() if _holds(entry.pid, links))
    return tuple(one for one in found if one is not None)


def _listening(table: str, port: int) -> Iterator[str]:
    """The inodes of the sockets of one table that listen on `port`."""
    try:
        lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
    except OSError:  # no IPv6 here
        return
    for line in lines:
        words = line.split()
        if words[3] == _LISTENS and int(words[1].rpartition(":")[2], 16) == port:
            yield words[9]


def _holds(pid: int, links: set[str]) -> bool:
    with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            with suppress(OSError):
                if os.readlink(entry.path) in links:
                    return True
    return False


def _listener(pid: int) -> Listener | None:
    try:
        words = proc.read_all(f"/proc/{pid}/cmdline").rstrip(b"\0").split(b"\0")
        start_ticks, boot_id = proc.identity(pid)
        return Listener(pid, start_ticks, boot_id, tuple(map(os.fsdecode, words)), Path(f"/proc/{pid}").stat().st_uid)
    except (ProcessLookupError, FileNotFoundError):
        return None
