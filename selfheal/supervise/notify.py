"""What do agents say by systemd's protocol: READY=1, WATCHDOG=1, STOPPING=1, STATUS=…?

One socket for the whole fleet, in the abstract namespace: no path to be too long, no folder that another user may not
enter, nothing to clear up. Anybody on the machine may write to it, so who speaks is taken from the kernel's word about
the sender, never from the message.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
import struct
from collections.abc import Callable, Mapping

_CREDENTIALS = struct.Struct("=iII")  # pid, uid, gid
_DATAGRAM_BYTES = 4096
_AT_ONCE = 64  # messages taken in one turn of the loop; a program that floods us does not keep it
_MAX_FDS = 16

Hear = Callable[[int, Mapping[str, str]], None]
"""Takes the pid of the speaker, as the kernel has it, and what it said, by name."""


class NotifySocket:
    """Listens for as long as the daemon lives. After its death the next one takes the same name."""

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str, hear: Hear) -> None:
        self._loop = loop
        self._hear = hear
        self.address = f"@{name}"
        """The value of NOTIFY_SOCKET."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(f"\0{name}")
        loop.add_reader(self._socket, self._read)

    def close(self) -> None:
        """Listen no more. What is said from now on is lost, as with systemd."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        space = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(_MAX_FDS * array.array("i").itemsize)
        for _ in range(_AT_ONCE):
            try:
                data, ancillary, _, _ = self._socket.recvmsg(_DATAGRAM_BYTES, space, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            pid = _speaker(ancillary)
            if pid is not None:
                self._hear(pid, parsed(data))


def parsed(data: bytes) -> dict[str, str]:
    """The assignments of one message; what is none is left out."""
    pairs = (line.partition("=") for line in data.decode(errors="replace").split("\n"))
    return {name: value for name, equals, value in pairs if name and equals}


def _speaker(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """The pid that the kernel vouches for. Descriptors that came along are closed: that is what BARRIER waits for."""
    pid: int | None = None
    for level, kind, data in ancillary:
        if level != socket.SOL_SOCKET:
            continue
        if kind == socket.SCM_CREDENTIALS:
            pid = int(_CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0])
        elif kind == socket.SCM_RIGHTS:
            fds = array.array("i", data[: len(data) - len(data) % array.array("i").itemsize])
            for fd in fds:
                os.close(fd)
    return pid
