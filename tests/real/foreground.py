"""How does a test run a real server for a while, as a plain process in the foreground?"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.real.daemon_process import until

# For servers that refuse to run as root.
_NOBODY = 65534


@contextmanager
def running(*argv: str, port: int) -> Iterator[int]:
    """A server until the block ends, from when it accepts at this port of the loopback; the port is given."""
    with _program(argv, None, signal.SIGTERM) as server:
        until(lambda: server.poll() is not None or _accepts(port), what=lambda: argv)
        assert server.poll() is None, server.communicate()[0]
        yield port


@contextmanager
def started(
    argv: Sequence[str], ready: str, end: signal.Signals = signal.SIGKILL, user: int | None = None
) -> Iterator[str]:
    """A server until the block ends, from when it says that it is ready in a line of its output; given is that line."""
    with _program(argv, user, end) as server:
        assert server.stdout is not None
        said = []
        for line in server.stdout:
            said.append(line)
            if ready in line:
                break
        else:
            raise AssertionError(f"{argv[0]} ended before it was ready: {''.join(said)}")
        yield line


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


@contextmanager
def _program(argv: Sequence[str], user: int | None, end: signal.Signals) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, user=user, text=True
    ) as program:
        try:
            yield program
        finally:
            program.send_signal(end)
            program.communicate()  # what it still says must not hold it up


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
