"""How do the routes become one application?"""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp

from selfheal import __version__
from selfheal.serve import controls, data, knowledge, pages, problems, reads, stream
from selfheal.serve.auth import Access, Gate
from selfheal.serve.models.fleet import Health
from selfheal.serve.ports import Control, DataControl, KnowledgeControl, Sources
from selfheal.serve.problems import Problem, Refusal, documented
from selfheal.serve.shield import Shield

_ABOUT = """What a fleet of agents does, what was wrong with it, what was done about it, and why.

Times are RFC 3339 in UTC, durations seconds, sizes bytes. Every list takes `limit` and `since`, and is an object with
`items`. Errors are `application/problem+json`."""

# A page of metrics that is smaller fits into a few packets as it is.
WORTH_PACKING = 65_536
_REFUSED = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")


class Application(FastAPI):
    """FastAPI with our shield around everything, even its own error answers, and our problems in its description."""

    shield: Callable[[ASGIApp], Shield]

    def build_middleware_stack(self) -> ASGIApp:
        return self.shield(super().build_middleware_stack())

    def openapi(self) -> dict[str, Any]:
        described = super().openapi()
        schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        described["components"]["schemas"] |= {**schema.pop("$defs"), "Problem": schema}
        return described


def create_app(
    sources: Sources, control: Control, data_control: DataControl, taught: KnowledgeControl, access: Access
) -> FastAPI:
    """Return the application. It serves any number of listeners; each says whether it is trusted."""
    hub = stream.Hub(sources)
    app = Application(
        title="selfheal",
        version=__version__,
        description=_ABOUT,
        lifespan=hub.lifespan,
        openapi_url=None,  # served by pages, which asks for a login first
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.shield = partial(Shield, clock=sources.clock, loopback=access.loopback)
    gate = Gate(access, sources.clock)
    problems.install(app)
    app.include_router(_state(sources))
    app.include_router(_metrics(sources, gate), dependencies=[_token])
    app.include_router(reads.routes(reads.Reads(sources), gate), dependencies=[_token])
    app.include_router(
        stream.routes(hub),
        prefix="/observability",
        tags=["observability"],
        dependencies=[_token, Depends(gate.read)],
        responses=documented(400, 401),
    )
    app.include_router(controls.routes(controls.Controls(control, gate), gate), dependencies=[_token])
    app.include_router(data.routes(data.DataRoutes(data_control, gate), gate), dependencies=[_token])
    known = knowledge.KnowledgeRoutes(sources, taught, gate)
    app.include_router(knowledge.routes(known, gate), dependencies=[_token])
    app.include_router(pages.routes(pages.Pages(app, sources, access, gate)))
    return app


# Describes the token in OpenAPI; the gate judges it.
_token = Depends(HTTPBearer(auto_error=False, description="SELFHEAL_TOKEN; not needed for reads where those are open."))


def _state(sources: Sources) -> APIRouter:
    router = APIRouter(tags=["health"], responses=documented(400, 503))

    @router.get("/healthz", operation_id="healthz", summary="Whether the daemon works, whatever its fleet")
    async def healthz() -> Health:
        """Green while every loop runs. A platform restarts what is red: the state of the fleet has no part in it."""
        if sources.stopping.is_set():
            raise Refusal(503, "stopping", "the daemon is stopping")
        down = sources.down()
        if down:
            raise Refusal(503, "loop_down", f"these loops of the daemon stay down: {', '.join(down)}")
        return Health()

    @router.get("/readyz", operation_id="readyz", summary="Whether the first sweep of the fleet is done")
    async def readyz() -> Health:
        """Green once every agent was looked at."""
        if sources.stopping.is_set() or not sources.ready():
            raise Refusal(503, "not_ready", "the first sweep of the fleet is not done")
        return Health()

    return router


def _metrics(sources: Sources, gate: Gate) -> APIRouter:
    router = APIRouter(tags=["observability"], responses=documented(400, 401, 503))

    @router.get(
        "/metrics",
        operation_id="prometheus_metrics",
        summary="Metrics for Prometheus",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus' text."}
        },
        dependencies=[Depends(gate.scrape)],
    )
    async def metrics(request: Request) -> Response:
        """Opens to the scrape token, too."""
        text, media_type = await sources.metrics_text(request.headers.get("accept", ""))
        headers = {"Content-Type": media_type, "Vary": "Accept, Accept-Encoding"}
        if len(text) >= WORTH_PACKING and _takes_gzip(",".join(request.headers.getlist("accept-encoding"))):
            text = await asyncio.to_thread(gzip.compress, text, 1)  # level 6 takes four times as long for a tenth less
            headers["Content-Encoding"] = "gzip"
        return Response(text, headers=headers)

    return router


def _takes_gzip(accept_encoding: str) -> bool:
    """Whether gzip is named, and not as what shall not come (RFC 9110, 12.5.3)."""
    offers = (offer.partition(";") for offer in accept_encoding.lower().split(","))
    return any(coding.strip() == "gzip" and _REFUSED.fullmatch(weight) is None for coding, _, weight in offers)
