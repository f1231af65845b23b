"""What does the gateway serve?

The daemon's own application over the replica, by the same code, and `POST /push` beside it. Every answer says in a
header how old what it is made of is, and the page of metrics has that as a series of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Sequence
from typing import NoReturn

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selfheal.clock import Clock
from selfheal.config.models import WindowConfig
from selfheal.diagnose.similar import similar
from selfheal.events import Event
from selfheal.gateway import wire
from selfheal.gateway.orders import NoData, NoTeaching, Orders, not_replicated
from selfheal.gateway.replica import Replica, Superseded
from selfheal.learn.odds import Counts
from selfheal.learn.scorecard import figures
from selfheal.learn.strategies import Lessons
from selfheal.recover import FIXES, told_against
from selfheal.serve.app import create_app
from selfheal.serve.auth import Access, Gate
from selfheal.serve.bodies import behind
from selfheal.serve.ports import Past, Sources
from selfheal.serve.problems import Refusal, documented
from selfheal.signatures import shipped
from selfheal.world import World

AGE = "X-Selfheal-Age"
"""Seconds since the daemon was heard of; the page reads it too."""
_AGE_FAMILY = "selfheal_gateway_age_seconds"


def session_key(push_token: str) -> bytes:
    """The key with which logins are signed: the same after a restart, for the gateway keeps nothing."""
    return hmac.new(push_token.encode(), b"logins of the gateway", hashlib.sha256).digest()


class Gateway:
    """Takes pushes, and answers from what they hold."""

    def __init__(self, clock: Clock, orders: Orders) -> None:
        self._clock = clock
        self._orders = orders
        self._replica = Replica()
        self._assembly = wire.Assembly()
        self._one_at_a_time = asyncio.Lock()

    # --- pushes ---

    async def take(self, body: bytes) -> wire.Answer | None:
        """Take in one request; None where more of its push is to come. Raises Refusal."""
        async with self._one_at_a_time:
            try:
                packed = self._assembly.add(wire.read_piece(body))
                received = None if packed is None else await asyncio.to_thread(wire.unpack, packed)
            except wire.TooLarge as why:
                raise Refusal(413, "body_too_large", f"cannot take the push: {why}") from why
            except ValueError as why:
                raise Refusal(
                    422, "invalid_push", f"cannot take the push: {why}; run one version at both ends"
                ) from why
            if received is None:
                return None
            try:
                if self._replica.take(received, self._clock.monotonic()):
                    self._orders.take(received.push.results)
            except Superseded:
                raise Refusal(
                    409,
                    "superseded",
                    "cannot take the push: a daemon that began later pushes here; give each a gateway of its own",
                ) from None
        return wire.Answer(self._replica.run, self._replica.known, self._orders.hand_over())

    # --- what is known ---

    @property
    def age_s(self) -> float | None:
        return self._replica.age_s(self._clock.monotonic())

    def sources(self, stopping: asyncio.Event) -> Sources:
        """What the daemon's own application answers from, made of the replica."""
        replica = self._replica
        return Sources(
            clock=self._clock,
            stopping=stopping,
            vitals=replica.vitals,
            shown=self._shown,
            subscribe=replica.subscribe,
            events_after=self._events_after,
            log_tail=_no_log,
            metrics_text=self._metrics_text,
            loops=lambda: replica.loops,
            down=tuple,  # the gateway has no loops of its own: while it answers it is well
            ready=lambda: replica.ready,
            trouble=lambda: replica.trouble,
            windows=lambda: [WindowConfig.model_validate_json(one) for one in replica.terms.windows],
            scorecard=figures,
            lessons=self._lessons,
            draw=_no_history,
            past=_no_past,
            patterns=shipped(),
            similar=similar,
            tables=told_against(FIXES),
            forgotten=lambda: replica.forgotten,
        )

    async def _shown(self) -> World:
        if self._replica.is_empty:
            raise Refusal(
                503,
                "nothing_pushed",
                "cannot answer yet: the daemon has pushed nothing since the gateway began; look in the daemon's log "
                "for 'gateway.', and at its SELFHEAL_GATEWAY_URL and SELFHEAL_GATEWAY_TOKEN",
                {"Retry-After": "3"},
            )
        return self._replica.world

    async def _events_after(self, seq: int, count: int) -> Sequence[tuple[int, Event]]:
        return self._replica.events_after(seq, count)

    async def _metrics_text(self, accept: str) -> tuple[bytes, str]:
        """The page as it was pushed, in the one format that every version of Prometheus reads, and its age."""
        await self._shown()
        page = self._replica.metrics or wire.Page(b"", "text/plain; version=0.0.4; charset=utf-8")
        head = f"# HELP {_AGE_FAMILY} Since the daemon was heard of.\n# TYPE {_AGE_FAMILY} gauge\n"
        return page.text + f"{head}{_AGE_FAMILY} {self.age_s or 0.0:.3f}\n".encode(), page.media_type

    def _lessons(self, world: World, now: float) -> Lessons:
        terms = self._replica.terms
        priors: dict[tuple[str, str, str], Counts] = {
            (one, cause, fix): (a, b) for one, cause, fix, a, b in terms.priors
        }
        return Lessons(world, now, lambda *case: priors.get(case, (1.0, 1.0)), terms.wait_s)


def gateway_app(
    gateway: Gateway, orders: Orders, access: Access, push_access: Access, stopping: asyncio.Event
) -> ASGIApp:
    """Return the application. `push_access` has the token that opens `POST /push`, and nothing else."""
    sources = gateway.sources(stopping)
    app: FastAPI = create_app(sources, orders, NoData(), NoTeaching(), access)
    app.include_router(_pushes(gateway, Gate(push_access, sources.clock)))
    return Aged(app, gateway)


class Aged:
    """Says on every answer how old what is known of the daemon is; nothing before the first push."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_age(message: Message) -> None:
            age_s = self._gateway.age_s
            if message["type"] == "http.response.start" and age_s is not None:
                MutableHeaders(scope=message)[AGE] = f"{age_s:.3f}"
            await send(message)

        await self._app(scope, receive, with_age)


def _pushes(gateway: Gateway, gate: Gate) -> APIRouter:
    router = APIRouter(tags=["gateway"], responses=documented(400, 401, 409, 413, 422))

    async def push(request: Request) -> Response:
        """Take in what the daemon pushes: one piece of it; the answer to the last one says what the gateway has now."""
        answer = await gateway.take(await request.body())
        if answer is None:
            return Response(status_code=202)
        return Response(wire.write_answer(answer), media_type=wire.MEDIA_TYPE)

    router.add_api_route(
        wire.PATH,
        push,
        methods=["POST"],
        operation_id="push",
        summary="What a daemon pushes",
        response_class=Response,
        route_class_override=behind(gate.control),
    )
    return router


async def _no_log(*_: object) -> NoReturn:
    raise not_replicated("logs")


async def _no_history(*_: object) -> NoReturn:
    raise not_replicated("charts of signals")


async def _no_past(_: str) -> Past:
    """Uptime and latency over days lie in the daemon's history: here nobody knows them."""
    return Past()
