"""How does a question reach the daemon, and its answer come back?

HTTP over the Unix socket of a state directory, or over TCP. Whatever goes wrong on the way is `DaemonUnreachable`,
with where it was looked for and what to do.
"""

from __future__ import annotations

import json
import os
import socket
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from selfheal.cli.place import SOCKET, Address, StateDir
from selfheal.errors import DaemonUnreachable

# The daemon answers from memory: when it has not by then it is stuck, and a person should not wait.
READ_S = 10.0
# A restart by a person is answered when the agent is ready, which may take as long as its ready.timeout.
ORDER_S = 90.0


def exchange(
    place: Address | StateDir, method: str, path: str, body: object, patience_s: float | None = None
) -> tuple[int, datetime, object]:
    """Ask once. Returns the status, the time by the daemon's clock, and the answer: a JSON document, or the text of a
    Markdown one.

    The answer is waited for as long as such a one may take, or `patience_s`.
    """
    limit_s = patience_s or (READ_S if method == "GET" else ORDER_S)
    try:
        return _exchange(_connection(place, limit_s), place, method, path, body)
    except TimeoutError as why:
        raise _unreachable(place, "it does not answer in time") from why
    except (HTTPException, ValueError) as why:  # ValueError: what came is no JSON, no date, or no host's name
        raise _unreachable(place, "what answers there is not selfheal") from why
    except OSError as why:
        raise _unreachable(place, why.strerror or str(why)) from why


def _exchange(
    connection: HTTPConnection, place: Address | StateDir, method: str, path: str, body: object
) -> tuple[int, datetime, object]:
    prefix, token = (place.prefix, place.token) if isinstance(place, Address) else ("", "")
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, prefix + path, None if body is None else json.dumps(body).encode(), headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    now = parsedate_to_datetime(response.getheader("Date", ""))
    if response.getheader("Content-Type", "").startswith("text/markdown"):
        return response.status, now, content.decode(errors="replace")
    return response.status, now, json.loads(content) if content else {}


class _UnixConnection(HTTPConnection):
    """HTTP over the socket in a state directory."""

    def __init__(self, directory: StateDir, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._directory = directory

    def connect(self) -> None:
        # The path of a Unix socket ends at 107 bytes, that of a state directory need not.
        directory = os.open(self._directory.path, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(f"/proc/self/fd/{directory}/{SOCKET}")
        finally:
            os.close(directory)


def _connection(place: Address | StateDir, timeout_s: float) -> HTTPConnection:
    if isinstance(place, StateDir):
        return _UnixConnection(place, timeout_s)
    kind = HTTPSConnection if place.secure else HTTPConnection
    return kind(place.host, place.port, timeout=timeout_s)


def _unreachable(place: Address | StateDir, why: str) -> DaemonUnreachable:
    if isinstance(place, Address):
        cure = "see whether the daemon runs there and listens on that address"
        return DaemonUnreachable(f"cannot reach the daemon at {place}: {why}; {cure}")
    return DaemonUnreachable(
        f"cannot reach the daemon at {str(place)!r} ({place.why}): {why}; start it with 'selfheal run', "
        f"or say where it is with --state-dir DIR or --url URL{_demo_near()}"
    )


def _demo_near() -> str:
    """Who tries the demo asks it from another terminal, and need not know where it keeps its state."""
    from selfheal.demo.fleet import usual_directory

    directory = usual_directory(os.environ)
    return f" (a demo runs with --state-dir {directory})" if (directory / SOCKET).is_socket() else ""
