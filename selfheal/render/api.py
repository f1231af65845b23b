"""How is Render's REST API asked, page by page, within its limits and without doing anything twice?

What only asks is tried again after a limit, an error of the server or a lost connection. What does something is tried
again only where it certainly was not done: after a limit, or where no connection came about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol, TypeVar
from urllib.parse import quote

import msgspec

from selfheal.clock import Clock
from selfheal.errors import RenderFailed
from selfheal.render.metrics import TimeSeries
from selfheal.render.reading import Deploy, Happening, Instance, Log, LogEntry, Service, Store

DEFAULT_URL = "https://api.render.com/v1"
TRIES = 3
PAGE = 100
# More pages than this are no list of deploys, but a cursor that goes in a circle.
PAGES_AT_MOST = 20
BACKOFF_S = 0.5
# A reset below this is in seconds from now, as Render has it; else in seconds since 1970, as its manual has it.
FIRST_EPOCH = 1e9
UNSAID_RESET_S = 10.0
# One answer of the API is waited for so long. Whoever looks at a service waits for a limit no longer than that, whoever
# does something to it longer: a limit of Render is over after a minute.
ANSWER_S, CONNECT_S, LOOK_PATIENCE_S, ACT_PATIENCE_S = 15.0, 10.0, 10.0, 75.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Request:
    """A call of the API: `path` below its address. What is several strings in `query` is said as often."""

    method: str
    path: str
    query: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    body: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unanswered(Exception):
    """No answer came. `sent` says that the call may have been heard all the same."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class Transport(Protocol):
    """Carries calls to the API and answers back."""

    async def __call__(self, request: Request, timeout_s: float) -> Answer:
        """Raises Unanswered, with nothing secret in it."""
        ...

    async def close(self) -> None: ...


class RenderApi:
    """Render's API, for one key. Every method raises RenderFailed."""

    def __init__(self, transport: Transport, clock: Clock, chance: Random) -> None:
        self._transport = transport
        self._clock = clock
        self._chance = chance
        self._closed_until: dict[str, float] = {}  # monotonic, by what shares a limit

    async def close(self) -> None:
        """Leave no connection open."""
        await self._transport.close()

    # --- asking ---

    async def service(self, service: str) -> Service:
        return await self._one(Request("GET", f"/services/{_word(service)}"), Service)

    async def store(self, store: str) -> Store:
        """A PostgreSQL or a Key Value, by its id."""
        return await self._one(Request("GET", path_of(store)), Store)

    async def deploys(self, service: str, *, all_of_them: bool = False) -> tuple[Deploy, ...]:
        """The deploys of a service, newest first: the latest page of them, or all."""
        path = f"/services/{_word(service)}/deploys"
        found: list[Deploy] = []
        cursor = ""
        for _ in range(PAGES_AT_MOST):
            size = PAGE if all_of_them else 20
            query = {"limit": str(size)} | ({"cursor": cursor} if cursor else {})
            rows = await self._one(Request("GET", path, query), list[_DeployRow])
            found += [row.deploy for row in rows]
            if not all_of_them or len(rows) < size:
                return tuple(found)
            cursor = rows[-1].cursor
        raise RenderFailed(
            f"cannot list the deploys of {service}: there is no end to them; look at them in the dashboard"
        )

    async def instances(self, service: str) -> tuple[Instance, ...]:
        return await self._one(Request("GET", f"/services/{_word(service)}/instances"), tuple[Instance, ...])

    async def happenings(self, service: str, since: str) -> tuple[Happening, ...]:
        """What has happened to a service since a time in RFC 3339, the latest hundred."""
        query = {"limit": str(PAGE), "startTime": since}
        rows = await self._one(Request("GET", f"/services/{_word(service)}/events", query), list[_EventRow])
        return tuple(row.event for row in rows)

    async def metric(self, path: str, resources: Sequence[str], query: Mapping[str, str]) -> tuple[TimeSeries, ...]:
        """A metric of several services, PostgreSQLs or Key Values at once."""
        asked = {**query, "resource": tuple(resources)}
        return await self._one(Request("GET", f"/metrics/{path}", asked), tuple[TimeSeries, ...])

    async def log(self, owner: str, resource: str, until: str, count: int) -> tuple[LogEntry, ...]:
        """The latest entries of a log before a time in RFC 3339, at most a hundred, newest first."""
        query = {"ownerId": owner, "resource": resource, "endTime": until, "direction": "backward", "limit": str(count)}
        return (await self._one(Request("GET", "/logs", query), Log)).logs

    # --- doing ---

    async def restart(self, service: str) -> None:
        await self._do(f"{path_of(service)}/restart")

    async def resume(self, service: str) -> None:
        await self._do(f"{path_of(service)}/resume")

    async def fail_over(self, store: str) -> None:
        await self._do(f"{path_of(store)}/failover")

    async def scale(self, service: str, instances: int) -> None:
        await self._do(f"{path_of(service)}/scale", {"numInstances": instances})

    async def cancel(self, service: str, deploy: str) -> None:
        await self._do(f"{path_of(service)}/deploys/{_word(deploy)}/cancel")

    async def roll_back(self, service: str, deploy: str) -> Deploy:
        return self._read(await self._do(f"{path_of(service)}/rollback", {"deployId": deploy}), Deploy)

    async def deploy(self, service: str, *, clear: bool, commit: str) -> Deploy | None:
        """Deploy a commit, or what is newest where none is given; None where Render says only that it is queued."""
        body = {"clearCache": "clear" if clear else "do_not_clear"} | ({"commitId": commit} if commit else {})
        answer = await self._do(f"{path_of(service)}/deploys", body)
        return self._read(answer, Deploy) if answer.status == 201 else None

    # --- one call ---

    async def _one(self, request: Request, kind: type[_T]) -> _T:
        return self._read(await self._ask(request, LOOK_PATIENCE_S), kind)

    async def _do(self, path: str, body: Mapping[str, object] | None = None) -> Answer:
        return await self._ask(Request("POST", path, body=body), ACT_PATIENCE_S)

    def _read(self, answer: Answer, kind: type[_T]) -> _T:
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as why:
            said = f"cannot read what Render's API answered: {why}{_id_of(answer)}; ask Render's support about it"
            raise RenderFailed(said, answer.status, _request_id(answer)) from None

    async def _ask(self, request: Request, patience_s: float) -> Answer:
        """Ask until there is a good answer, or the tries or the patience are used up."""
        give_up_at = self._clock.monotonic() + patience_s
        limit = "GET" if request.method == "GET" else request.path
        for left in reversed(range(TRIES)):
            await self._wait_for_limit(request, limit, give_up_at)
            try:
                answer = await self._transport(request, ANSWER_S)
            except Unanswered as why:
                if left and (request.method == "GET" or not why.sent):
                    await self._back_off(left)
                    continue
                raise _unanswered(request, why) from None
            self._heed_limit(answer, limit)
            if 200 <= answer.status < 300:
                return answer
            if answer.status == 429 and left:
                continue
            if answer.status >= 500 and left and request.method == "GET":
                await self._back_off(left)
                continue
            raise _refused(request, answer)
        raise AssertionError("the last try returns or raises")

    async def _back_off(self, left: int) -> None:
        await self._clock.sleep(BACKOFF_S * 2 ** (TRIES - 1 - left) * (0.5 + self._chance.random()))

    async def _wait_for_limit(self, request: Request, limit: str, give_up_at: float) -> None:
        """Wait until the limit lets us ask again. Raises RenderFailed where that takes longer than we wait."""
        until = self._closed_until.get(limit, 0.0)
        now = self._clock.monotonic()
        if until <= now:
            self._closed_until.pop(limit, None)
        elif until > give_up_at:
            why = f"its limit of requests is reached, for {until - now:.0f} s yet"
            raise RenderFailed(
                f"cannot {_words(request)}: {why}; ask less often (interval), or give this key to selfheal alone", 429
            )
        else:
            await self._clock.sleep(until - now)

    def _heed_limit(self, answer: Answer, limit: str) -> None:
        """Ask nothing more of that kind until its limit is reset."""
        if answer.status != 429 and _number(answer, "ratelimit-remaining", 1.0) > 0:
            return
        reset = _number(answer, "ratelimit-reset", UNSAID_RESET_S)
        wait_s = reset - self._clock.wall() if reset >= FIRST_EPOCH else reset
        spread_s = self._chance.random() if answer.status == 429 else 0.0
        self._closed_until[limit] = self._clock.monotonic() + max(1.0, wait_s) + spread_s


class _DeployRow(msgspec.Struct, frozen=True):
    deploy: Deploy
    cursor: str = ""


class _EventRow(msgspec.Struct, frozen=True):
    event: Happening


class _Told(msgspec.Struct, frozen=True):
    message: str = ""


def path_of(service: str) -> str:
    """Where a service, a PostgreSQL or a Key Value is found, by what its id begins with."""
    room = {"dpg": "postgres", "red": "key-value"}.get(service.partition("-")[0], "services")
    return f"/{room}/{_word(service)}"


def _word(text: str) -> str:
    return quote(text, safe="")


def _number(answer: Answer, header: str, otherwise: float) -> float:
    try:
        return float(answer.headers[header])
    except (KeyError, ValueError):
        return otherwise


def _request_id(answer: Answer) -> str:
    return answer.headers.get("render-request-id", "")


def _id_of(answer: Answer) -> str:
    name = _request_id(answer)
    return f" (Render-Request-Id {name})" if name else ""


def _words(request: Request) -> str:
    return f"{request.method} {request.path} at Render's API"


_CURES: Mapping[int, str] = {
    401: "set RENDER_API_KEY to a key that is valid (Account Settings, API Keys)",
    402: "look at the billing of the workspace",
    403: "give the owner of RENDER_API_KEY access to it",
    404: "look whether `service` is its id, and RENDER_API_KEY one of its workspace",
    409: "something else is being done to it; try again when that has ended",
    429: "ask less often (interval), or give this key to selfheal alone",
}


def _refused(request: Request, answer: Answer) -> RenderFailed:
    try:
        told = msgspec.json.decode(answer.body, type=_Told).message
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = ""
    said = f"status {answer.status}" + (f", {' '.join(told.split())[:200]!r}" if told else "")
    otherwise = "it is trouble of Render's own; see status.render.com" if answer.status >= 500 else "see the message"
    cure = _CURES.get(answer.status, otherwise)
    message = f"cannot {_words(request)}: {said}{_id_of(answer)}; {cure}"
    return RenderFailed(message, answer.status, _request_id(answer))


def _unanswered(request: Request, why: Unanswered) -> RenderFailed:
    may_be_done = request.method != "GET" and why.sent
    cure = "look whether RENDER_API_URL is right and this machine is online"
    if may_be_done:
        cure = "it may have been done all the same: look before you do it again"
    return RenderFailed(f"cannot {_words(request)}: {why}; {cure}", may_be_done=may_be_done)
