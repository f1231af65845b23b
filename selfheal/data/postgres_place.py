"""Where is a PostgreSQL server, and as whom is it asked?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

SslMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]

DEFAULT_PORT = 5432
_EXAMPLE = "'postgresql://user:password@127.0.0.1:5432/database?sslmode=verify-full'"


@dataclass(frozen=True, slots=True)
class Place:
    """A database. `sslmode` means what it means to PostgreSQL's own programs, `prefer` where nothing is said."""

    host: str
    port: int
    user: str
    password: str | None = field(repr=False)
    database: str
    sslmode: SslMode

    @property
    def verifies(self) -> bool:
        """Whether the server's certificate must be valid."""
        return self.sslmode in ("verify-ca", "verify-full")


def read_place(url: str) -> Place:
    """Read a URL. Raises ValueError, which does not repeat what may hold a password."""
    try:
        parts = urlsplit(url)
        place = _place_in(parts, parts.port)
    except ValueError:
        place = None
    if place is None:
        modes = ", ".join(get_args(SslMode))
        raise ValueError(
            f"this is not the URL of a PostgreSQL database, with a host, a user and no key but sslmode ({modes}); "
            f"write it as {_EXAMPLE}"
        )
    return place


def _place_in(parts: SplitResult, port: int | None) -> Place | None:
    database = unquote(parts.path.removeprefix("/"))
    query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    (mode,) = query.pop("sslmode", ["prefer"])
    sslmode = next((known for known in get_args(SslMode) if known == mode), None)
    good = parts.scheme in ("postgresql", "postgres") and parts.hostname and parts.username and port != 0
    if not good or query or sslmode is None or parts.fragment or "/" in database or "\0" in unquote(parts.geturl()):
        return None
    return Place(
        host=parts.hostname or "",
        port=port or DEFAULT_PORT,
        user=unquote(parts.username or ""),
        password=unquote(parts.password) if parts.password is not None else None,
        database=database or unquote(parts.username or ""),
        sslmode=sslmode,
    )
