"""What is known of causes, and how is more of it taught?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BeforeValidator, WithJsonSchema

from selfheal.errors import UnknownName
from selfheal.events import Fingerprint, Signature, Tally
from selfheal.serve.auth import Gate
from selfheal.serve.bodies import behind
from selfheal.serve.models.base import Items
from selfheal.serve.models.fleet import Done
from selfheal.serve.models.knowledge import FingerprintView, SignatureView, SimilarView
from selfheal.serve.models.teaching import Bundle, BundleView, FingerprintGiven, ImportDone, SignatureGiven
from selfheal.serve.ports import KnowledgeControl, Sources, Taught
from selfheal.serve.problems import documented
from selfheal.serve.times import read_rfc3339
from selfheal.serve.views.knowledge import bundle, fingerprint_view, known_signatures, signature_view, similar_view

MOST = 1000
Id = Annotated[str, Path(alias="id", min_length=1, max_length=256, examples=["own.no_room"])]
_Since = Annotated[
    Annotated[
        float,
        BeforeValidator(lambda given: read_rfc3339(given) if isinstance(given, str) else given),
        WithJsonSchema({"type": "string", "format": "date-time"}),
    ]
    | None,
    Query(description="Only what began at this time or later."),
]


class KnowledgeRoutes:
    """Answers questions about knowledge, and takes what is taught."""

    def __init__(self, sources: Sources, control: KnowledgeControl, gate: Gate) -> None:
        self._sources = sources
        self._control = control
        self._gate = gate

    # --- what is known ---

    async def signatures(
        self,
        source: Annotated[str | None, Query(max_length=256, description="Only those of this source.")] = None,
        cause: Annotated[str | None, Query(max_length=256, description="Only those of this cause.")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST, description="At most so many.")] = MOST,
    ) -> Items[SignatureView]:
        """What in a log points at which cause, and how often that was right."""
        world = await self._sources.shown()
        lessons = self._sources.lessons(world, self._sources.clock.now())
        known = known_signatures(self._sources.patterns, world)
        found = [one for one in known if source in (None, one.source) and cause in (None, one.cause)]
        items = await asyncio.to_thread(lambda: [signature_view(one, world, lessons) for one in found[:limit]])
        return Items(items=items, total=len(found))

    async def signature(self, name: Id) -> SignatureView:
        """One signature, with examples and counts."""
        world = await self._sources.shown()
        for one in known_signatures(self._sources.patterns, world):
            if one.id == name:
                return signature_view(one, world, self._sources.lessons(world, self._sources.clock.now()))
        raise UnknownName(f"cannot find signature {name!r}; /observability/kb/signatures has all")

    async def past(
        self,
        limit: Annotated[int, Query(ge=1, le=MOST, description="At most so many, the newest.")] = 100,
        since: _Since = None,
    ) -> Items[FingerprintView]:
        """Incidents of the past, newest first: what each looked like and what became of it."""
        world = await self._sources.shown()
        known = sorted(world.knowledge.past.values(), key=lambda one: -one.at)
        found = [one for one in known if one.at >= (since or 0.0)]
        return Items(items=[fingerprint_view(one) for one in found[:limit]], total=len(found))

    async def similar(self, name: Annotated[str, Path(alias="id", max_length=256)]) -> Items[SimilarView]:
        """Incidents of the past that look like this one, by what is known of them now, nearest first."""
        world = await self._sources.shown()
        incident = world.incidents.get(name)
        if incident is None:
            raise UnknownName(f"cannot find incident {name!r}: there is none; /observability/incidents has all")
        found = await asyncio.to_thread(self._sources.similar, world, incident)
        return Items(items=[similar_view(one) for one in found], total=len(found))

    async def export(self) -> BundleView:
        """All that another daemon can use of what this one knows."""
        world = await self._sources.shown()
        return await asyncio.to_thread(bundle, world)

    # --- what is taught ---

    async def add_signature(self, request: Request, given: SignatureGiven) -> Done:
        """Add a signature of one's own, or replace the one of its id."""
        await self._control.add(_signature(given), self._gate.by(request))
        return Done(done="add_signature", target=given.id, message=f"{given.id}: a match speaks for {given.cause} now")

    async def remove_signature(self, request: Request, name: Id) -> Done:
        """Let a signature speak no more: one of one's own is gone, one that was shipped is switched off."""
        await self._control.remove(name, self._gate.by(request))
        return Done(done="remove_signature", target=name, message=f"{name}: it speaks no more")

    async def restore_signature(self, request: Request, name: Id) -> Done:
        """Let a shipped signature speak again that was switched off."""
        await self._control.restore(name, self._gate.by(request))
        return Done(done="restore_signature", target=name, message=f"{name}: it speaks again")

    async def import_knowledge(self, request: Request, given: Bundle) -> ImportDone:
        """Learn what another daemon knows; whatever is wrong with it is said at once, and then nothing is taken."""
        new = await self._control.take_over(_taught(given), self._gate.by(request))
        told = f"{new.signatures} signatures, counts of {new.tallies} daemons and {new.incidents} incidents are new"
        message = told if new.signatures or new.tallies or new.incidents else "all of it was known already"
        return ImportDone(
            done="import_knowledge",
            target=None,
            message=message,
            signatures=new.signatures,
            tallies=new.tallies,
            incidents=new.incidents,
        )


def _signature(given: SignatureGiven) -> Signature:
    return Signature(
        given.id,
        given.cause,
        tuple(given.patterns),
        given.precision,
        given.says,
        given.look,
        tuple(given.examples),
    )


def _taught(given: Bundle) -> Taught:
    tallies: dict[str, dict[str, Tally]] = {}
    for one in given.tallies:
        tallies.setdefault(one.origin, {})[one.signature] = Tally(one.right, one.wrong, one.at)
    return Taught(tuple(map(_signature, given.signatures)), tallies, tuple(map(_fingerprint, given.incidents)))


def _fingerprint(given: FingerprintGiven) -> Fingerprint:
    return Fingerprint(
        given.incident,
        given.origin,
        given.agent,
        given.at,
        tuple(given.look),
        given.cause,
        given.cause_agent,
        given.proof,
        given.fix,
        given.recovery_seconds,
        given.person,
    )


def routes(known: KnowledgeRoutes, gate: Gate) -> APIRouter:
    """Return the routes of the knowledge base, each behind the gate that fits it."""
    router = APIRouter(responses=documented(400, 401, 503))
    for path, question, statuses in (
        ("/kb/signatures", known.signatures, (422,)),
        ("/kb/signatures/{id}", known.signature, (404, 422)),
        ("/kb/incidents", known.past, (422,)),
        ("/kb/export", known.export, ()),
        ("/incidents/{id}/similar", known.similar, (404, 422)),
    ):
        router.add_api_route(
            f"/observability{path}",
            question,
            methods=["GET"],
            operation_id=f"read_kb_{question.__name__}",
            summary=_summary(question),
            tags=["observability"],
            dependencies=[Depends(gate.read)],
            responses=documented(*statuses),
        )
    for path, order in (
        ("signatures", known.add_signature),
        ("signatures/{id}/remove", known.remove_signature),
        ("signatures/{id}/restore", known.restore_signature),
        ("import", known.import_knowledge),
    ):
        router.add_api_route(
            f"/control/kb/{path}",
            order,
            methods=["POST"],
            operation_id=order.__name__,
            summary=_summary(order),
            tags=["control"],
            route_class_override=behind(gate.control),
            responses=documented(403, 404, 409, 413, 422, 507),
        )
    return router


def _summary(question: Callable[..., object]) -> str:
    return (question.__doc__ or "").split(".")[0].split(";")[0]
