"""Where does the server listen, and how does it start and end inside the daemon's own loop?"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from selfheal.config.address import split_address
from selfheal.errors import AddressTaken, SelfhealError, StateDirUnusable
from selfheal.serve.connection import Connection
from selfheal.serve.shield import Door

BACKLOG = 128
DRAIN_S = 1  # requests that still run at the end get this long; streams end by themselves at once


def bind_tcp(address: str) -> socket.socket:
    """Return a listening socket on `host:port`. Raises AddressTaken, also where the host has no address."""
    host, port = split_address(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as why:
        raise AddressTaken(address, f"the name cannot be resolved ({why.strerror})") from why
    refused: OSError | None = None
    for family, _, _, _, place in found:
        try:
            return _bound(family, place)
        except OSError as why:
            refused = refused or why
    raise AddressTaken(address, _words(refused)) from refused


def bind_unix(directory: Path, name: str) -> socket.socket:
    """Return a listening Unix socket in `directory` that only this user can open.

    A socket that an earlier daemon left behind is replaced: who binds here holds the lock of the directory. Raises
    StateDirUnusable.
    """
    try:
        folder = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as why:
        raise StateDirUnusable(directory, why) from why
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(name, folder)
        os.fchmod(listening.fileno(), 0o600)  # before it has a name, so that there is no moment in which others may
        listening.bind(f"/proc/self/fd/{folder}/{name}")  # a path of its own would end at 107 bytes
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError as why:
        listening.close()
        raise StateDirUnusable(directory, why) from why
    finally:
        os.close(folder)
    return listening


async def serve(app: ASGIApp, sock: socket.socket, *, trusted: bool, stopping: asyncio.Event) -> None:
    """Serve `app` on a bound socket until `stopping`, then close it. `trusted` gives its clients full control.

    Raises SelfhealError where the server ends by itself.
    """
    server = Server(_config(Door(app, trusted=trusted)), stopping)
    try:
        await server.serve(sockets=[sock])
    except SystemExit as why:  # uvicorn's way to say that the application did not start
        raise SelfhealError("cannot serve: the application did not start; the log says why") from why
    except asyncio.CancelledError:
        server.force_exit = True
        await server.shutdown(sockets=[sock])
        raise
    finally:
        sock.close()


class Server(uvicorn.Server):
    """uvicorn without its hands on the process: signals are the daemon's, and nothing wakes up without a cause."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        """Wait for the end instead of looking for it ten times a second."""
        await self._stopping.wait()
        self.should_exit = True


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        interface="asgi3",
        loop="none",
        http=Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # the shield's: here it would be renewed every second, asked or not
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=DRAIN_S,
    )


def _bound(family: int, place: tuple[object, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


def _remove_stale(name: str, folder: int) -> None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError(errno.EEXIST, "a file that is no socket has that name", name)
    os.unlink(name, dir_fd=folder)


def _words(why: OSError | None) -> str:
    return (why.strerror or str(why)) if why is not None else "it has no address"
