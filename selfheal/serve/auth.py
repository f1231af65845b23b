"""Who may read, and who may give orders?

    door                  reads                                            orders
    Unix socket           yes                                              yes
    TCP, no token set     on loopback, or with public reads                never
    TCP, token set        with token or login, or with public reads        with token; with login and our page's header

`/metrics` opens to the scrape token as well, `/heartbeat/{agent}` to the agent's own. The query string never counts,
and every comparison takes the same time whatever was given.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Literal

from fastapi import Request

from selfheal.clock import Clock
from selfheal.serve.problems import Refusal
from selfheal.serve.shield import came_through_trusted_door

COOKIE = "selfheal_session"
SESSION_S = 12 * 3600.0  # a working day; then the token is asked for again
OUR_PAGE = "x-selfheal"  # other sites' scripts cannot send a header of their own without being asked for leave first

Caller = Literal["socket", "token", "page", "nobody"]
_BY: dict[Caller, str] = {"socket": "the command line", "token": "the API", "page": "the page", "nobody": "nobody"}


@dataclass(frozen=True, slots=True)
class Access:
    """What opens which door. `key` is random, at least 32 bytes, and stays the same over restarts."""

    key: bytes = field(repr=False)
    token: str | None = field(default=None, repr=False)
    scrape_token: str | None = field(default=None, repr=False)
    public_reads: bool = False
    loopback: bool = True

    @property
    def reads_are_open(self) -> bool:
        return self.public_reads or (self.token is None and self.loopback)

    def is_token(self, given: str) -> bool:
        return _same(given, self.token)

    def is_scrape_token(self, given: str) -> bool:
        return _same(given, self.scrape_token)

    def heartbeat_token(self, agent: str) -> str:
        """The token with which `agent`, and nobody else, reports that it is alive."""
        return self._sign(f"heartbeat {agent}")

    def session(self, now: float) -> str:
        """A login's cookie: when it ends, signed. It does not hold the token, and ends with it."""
        ends = str(int(now + SESSION_S))
        return f"{ends}.{self._sign(f'session {ends} {self.token}')}"

    def is_session(self, given: str, now: float) -> bool:
        ends, _, signature = given.partition(".")
        if self.token is None or not ends.isdecimal() or len(ends) > 12:
            return False
        return _same(signature, self._sign(f"session {ends} {self.token}")) and now < int(ends)

    def _sign(self, text: str) -> str:
        return hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()


class Gate:
    """Judges requests by their heads. Its methods stand before the routes that they guard."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock

    async def read(self, request: Request) -> None:
        """Let through who may read."""
        if not self.may_read(request):
            raise _unauthorised("cannot show this: a token is needed; send 'Authorization: Bearer TOKEN'")

    async def scrape(self, request: Request) -> None:
        """Let through who may read the metrics."""
        if not self.may_read(request) and not self._access.is_scrape_token(_bearer(request)):
            raise _unauthorised("cannot show the metrics: a token is needed; send 'Authorization: Bearer TOKEN'")

    async def control(self, request: Request) -> None:
        """Let through who may give orders."""
        caller = self.caller(request)
        if caller in ("socket", "token"):
            return
        if self._access.token is None:
            raise Refusal(
                403,
                "no_control_without_token",
                "cannot take orders over TCP: no token is set; set SELFHEAL_TOKEN for the daemon, "
                "or use the command line on its machine",
            )
        if caller == "page":
            if OUR_PAGE in request.headers:
                return
            raise Refusal(
                403, "header_missing", "cannot take this order: a login counts only with the header X-Selfheal"
            )
        raise _unauthorised("cannot take orders: a token is needed; send 'Authorization: Bearer TOKEN'")

    async def heartbeat(self, request: Request) -> None:
        """Let through the agent itself, and who may give orders by token."""
        own = self._access.heartbeat_token(str(request.path_params["agent"]))
        if not _same(_bearer(request), own) and self.caller(request) not in ("socket", "token"):
            raise _unauthorised(
                "cannot take this heartbeat: send the agent's own token as 'Authorization: Bearer TOKEN'"
            )

    def may_read(self, request: Request) -> bool:
        return self._access.reads_are_open or self.caller(request) != "nobody"

    def may_control(self, request: Request) -> bool:
        """Whether our page, shown to this caller, may offer buttons."""
        return self.caller(request) != "nobody"

    def by(self, request: Request) -> str:
        """Who gives this order, in words for the journal."""
        return _BY[self.caller(request)]

    def caller(self, request: Request) -> Caller:
        """Who asks."""
        if came_through_trusted_door(request.scope):
            return "socket"
        if self._access.is_token(_bearer(request)):
            return "token"
        if self._access.is_session(request.cookies.get(COOKIE, ""), self._clock.now()):
            return "page"
        return "nobody"


def _bearer(request: Request) -> str:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""


def _same(given: str, wanted: str | None) -> bool:
    return bool(wanted) and hmac.compare_digest(given.encode(), (wanted or "").encode())


def _unauthorised(detail: str) -> Refusal:
    return Refusal(401, "unauthorised", detail, {"WWW-Authenticate": 'Bearer realm="selfheal"'})
