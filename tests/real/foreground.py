"""How does a test run a real server for a while, as a plain process in the foreground?"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.real.daemon_process import until
from tests.real.servers import free_port

# For servers that refuse to run as root.
_NOBODY = 65534


@contextmanager
def running(*argv: str, port: int, user: int | None = None) -> Iterator[int]:
    """Run a server until the block ends, from when it accepts at this port of the loopback; the port is given."""
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, user=user, text=True
    ) as server:
        try:
            until(lambda: server.poll() is not None or _accepts(port), what=lambda: argv)
            assert server.poll() is None, server.communicate()[0]
            yield port
        finally:
            server.terminate()
            server.communicate()  # what it still says must not hold it up


@contextmanager
def home() -> Iterator[tuple[Path, int | None]]:
    """A folder that a server which is not root may use, and the user as whom it is to run; None: as who tests."""
    user = _NOBODY if os.geteuid() == 0 else None
    folder = tempfile.mkdtemp(prefix="selfheal-")  # pytest's own lie below one that only its user may enter
    try:
        if user is not None:
            os.chown(folder, user, -1)
        yield Path(folder), user
    finally:
        shutil.rmtree(folder)


def postgres_argv(program: str, data: Path, *settings: str) -> Sequence[str]:
    """How a PostgreSQL is started on a free port of the loopback; the port stands at its end."""
    port = str(free_port())
    plain = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", *settings)
    return (program, "-D", str(data), *(word for one in plain for word in ("-c", one)), "-p", port)


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
