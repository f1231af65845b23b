"""What does the daemon say?

One request at a time over its Unix socket or TCP. An answer is a `Document`: read by name, with a default where the
daemon, older or newer than this program, says nothing. A refusal is an error with the daemon's own words.
"""

from __future__ import annotations

import json
import os
import socket
from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import NamedTuple
from urllib.parse import quote, urlencode

from selfheal.cli.place import SOCKET, Address, StateDir, place_of
from selfheal.cli.verb import WrongUse
from selfheal.errors import DaemonUnreachable, RefusedByPolicy, SelfhealError, UnknownName

# A restart by a person returns when the agent is ready, which may take as long as its ready.timeout.
TIMEOUT_S = 90.0
# The daemon answers from memory: when it has not accepted by then it is stuck, and a person should not wait.
CONNECT_S = 5.0
_ERRORS: Mapping[int, type[SelfhealError]] = {
    400: WrongUse, 401: RefusedByPolicy, 403: RefusedByPolicy, 404: UnknownName, 409: RefusedByPolicy, 422: WrongUse,
}  # fmt: skip


class Document:
    """A JSON object of the daemon's. What is not there, or is of another type, reads as its default."""

    def __init__(self, value: object) -> None:
        self.raw: Mapping[str, object] = value if isinstance(value, dict) else {}

    def text(self, name: str, default: str = "") -> str:
        value = self.raw.get(name)
        return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else default

    def number(self, name: str) -> float | None:
        value = self.raw.get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

    def count(self, name: str) -> int:
        return int(self.number(name) or 0)

    def flag(self, name: str) -> bool:
        return self.raw.get(name) is True

    def part(self, name: str) -> Document:
        """An object in it."""
        return Document(self.raw.get(name))

    def parts(self, name: str) -> list[Document]:
        """The objects of a list in it."""
        return [Document(item) for item in self._list(name) if isinstance(item, dict)]

    def texts(self, name: str) -> list[str]:
        """The texts of a list in it."""
        return [item for item in self._list(name) if isinstance(item, str)]

    def moment(self, name: str) -> datetime | None:
        """An RFC 3339 time in it."""
        try:
            moment = datetime.fromisoformat(self.text(name))
        except ValueError:
            return None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _list(self, name: str) -> list[object]:
        value = self.raw.get(name)
        return value if isinstance(value, list) else []


class Answer(NamedTuple):
    """What the daemon answered, and when by its own clock: ages are reckoned from `now`."""

    status: int
    now: datetime
    body: Document


class Client:
    """Talks to one daemon."""

    def __init__(self, place: Address | StateDir) -> None:
        self._place = place

    def get(self, path: str, **query: object) -> Answer:
        """Read. Raises DaemonUnreachable, or what the daemon's refusal means."""
        wanted = {name: value for name, value in query.items() if value is not None}
        return _accepted(self.ask("GET", f"{path}?{urlencode(wanted)}" if wanted else path))

    def post(self, path: str, body: object = None) -> Answer:
        """Act. Raises as `get` does."""
        return _accepted(self.ask("POST", path, body))

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """One request, whatever the status of its answer."""
        connection = _connection(self._place)
        try:
            connection.request(method, self._prefix + path, *_content(body, self._token))
            response = connection.getresponse()
            return _answer(response, response.read())
        except TimeoutError as why:
            raise _unreachable(self._place, "it does not answer in time") from why
        except HTTPException as why:
            raise _unreachable(self._place, "what answers there does not speak HTTP") from why
        except OSError as why:
            raise _unreachable(self._place, why.strerror or str(why)) from why
        finally:
            connection.close()

    @property
    def _prefix(self) -> str:
        return self._place.prefix if isinstance(self._place, Address) else ""

    @property
    def _token(self) -> str:
        return self._place.token if isinstance(self._place, Address) else ""


def daemon_of(arguments: Namespace) -> Client:
    """The daemon that the options, the environment or the configuration lead to."""
    return Client(place_of(arguments))


def path(*parts: str) -> str:
    """A path from its parts, each quoted."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


class _UnixConnection(HTTPConnection):
    """HTTP over the socket in a state directory."""

    def __init__(self, directory: StateDir) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._directory = directory

    def connect(self) -> None:
        # The path of a Unix socket ends at 107 bytes, that of a state directory need not.
        directory = os.open(self._directory.path, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(CONNECT_S)
            self.sock.connect(f"/proc/self/fd/{directory}/{SOCKET}")
            self.sock.settimeout(TIMEOUT_S)
        finally:
            os.close(directory)


def _connection(place: Address | StateDir) -> HTTPConnection:
    if isinstance(place, StateDir):
        return _UnixConnection(place)
    kind = HTTPSConnection if place.secure else HTTPConnection
    return kind(place.host, place.port, timeout=TIMEOUT_S)


def _content(body: object, token: str) -> tuple[bytes | None, dict[str, str]]:
    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is None:
        return None, headers
    return json.dumps(body).encode(), {**headers, "Content-Type": "application/json"}


def _answer(response: HTTPResponse, content: bytes) -> Answer:
    from email.utils import parsedate_to_datetime

    try:
        now = parsedate_to_datetime(response.getheader("Date", ""))
        document = json.loads(content) if content else {}
    except ValueError as why:
        raise HTTPException("not an answer of selfheal") from why
    return Answer(response.status, now, Document(document if isinstance(document, dict) else {"items": document}))


def _accepted(answer: Answer) -> Answer:
    if answer.status < 400:
        return answer
    kind = _ERRORS.get(answer.status, SelfhealError)
    said = answer.body.text("detail") or answer.body.text("title") or f"HTTP status {answer.status}"
    hint = "; set SELFHEAL_TOKEN to the daemon's token" if answer.status == 401 else ""
    raise kind(said + hint)


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
