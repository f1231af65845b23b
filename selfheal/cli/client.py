"""What does the daemon say?

One request at a time over its Unix socket or TCP. An answer is a `Document`: read by name, with a default where the
daemon, older or newer than this program, says nothing. A refusal is an error with the daemon's own words.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote, urlencode

from selfheal.cli.place import Address, StateDir, place_of
from selfheal.cli.verb import WrongUse
from selfheal.errors import RefusedByPolicy, SelfhealError, UnknownName

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

    def text(self, path: str, **query: object) -> str:
        """Read what is answered as Markdown. Raises as `get` does."""
        return self.get(path, **query).body.text("items")

    def post(self, path: str, body: object = None, *, patience_s: float | None = None) -> Answer:
        """Act. Raises as `get` does. `patience_s` is for what may take longer than an order as a rule does."""
        return _accepted(self.ask("POST", path, body, patience_s))

    def ask(self, method: str, path: str, body: object = None, patience_s: float | None = None) -> Answer:
        """One request, whatever the status of its answer."""
        from selfheal.cli.transport import exchange  # http.client takes longer to load than all the rest together

        status, now, content = exchange(self._place, method, path, body, patience_s)
        return Answer(status, now, Document(content if isinstance(content, dict) else {"items": content}))


def daemon_of(arguments: Namespace) -> Client:
    """The daemon that the options, the environment or the configuration lead to."""
    return Client(place_of(arguments))


def path(*parts: str) -> str:
    """A path from its parts, each quoted."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def _accepted(answer: Answer) -> Answer:
    if answer.status < 400:
        return answer
    kind = _ERRORS.get(answer.status, SelfhealError)
    if answer.body.text("code") == "failed":
        kind = SelfhealError  # it was tried; a refusal has the same status
    elif answer.body.text("code") == "config_invalid":
        raise WrongUse("\n".join(one.text("what") for one in answer.body.parts("errors")) or answer.body.text("detail"))
    said = answer.body.text("detail") or answer.body.text("title") or f"HTTP status {answer.status}"
    hint = "; set SELFHEAL_TOKEN to the daemon's token" if answer.status == 401 else ""
    raise kind(said + hint)
