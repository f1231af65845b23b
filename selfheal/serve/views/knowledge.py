"""What is known of causes: by signatures, by what was counted of them, by incidents of the past?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from selfheal.serve.models.knowledge import FingerprintView, SignatureView, SimilarView
from selfheal.serve.models.teaching import VERSION, BundleView, SignatureGiven, TallyView
from selfheal.serve.times import rfc3339
from selfheal.serve.views.foresight import share

if TYPE_CHECKING:
    from selfheal.events import Fingerprint, Signature, Similar, Tally
    from selfheal.serve.ports import Lessons
    from selfheal.world import World

# What may come back in one request, with room for what stands around it.
LARGEST = 900_000


def known_signatures(shipped: Iterable[Signature], world: World) -> list[Signature]:
    """Return what persons have added, and what was shipped."""
    return [*world.knowledge.own.values(), *shipped]


def signature_view(one: Signature, world: World, lessons: Lessons) -> SignatureView:
    """Show a signature with what was counted of it."""
    learned = lessons.precision(one)
    return SignatureView(
        id=one.id,
        source=one.source,
        cause=one.cause,
        patterns=list(one.patterns),
        says=one.says,
        look=one.look,
        examples=list(one.examples),
        believed=share(one.precision),
        precision=share(learned.mean),
        right=round(learned.right, 3),
        wrong=round(learned.wrong, 3),
        off=one.id in world.knowledge.off,
    )


def similar_view(one: Similar) -> SimilarView:
    """Show an incident of the past that looked like another one."""
    return SimilarView(
        incident=one.key,
        similarity=share(one.similarity),
        agent=one.agent,
        at=rfc3339(one.at),
        cause=one.cause,
        cause_agent=one.cause_agent,
        proof=one.proof,
        fix=one.fix,
        recovery_seconds=one.recovery_s,
        person=one.person,
        common=list(one.common),
    )


def fingerprint_view(one: Fingerprint, origin: str = "") -> FingerprintView:
    """Show an incident of the past; `origin` is what one of this very daemon's is said to be from."""
    return FingerprintView(
        incident=one.incident,
        origin=one.origin or origin,
        agent=one.agent,
        at=rfc3339(one.at),
        look=list(one.look),
        cause=one.cause,
        cause_agent=one.cause_agent,
        proof=one.proof,
        fix=one.fix,
        recovery_seconds=one.recovery_s,
        person=one.person,
    )


def bundle(world: World) -> BundleView:
    """Return all that another daemon can use, of incidents the newest that fit into one request."""
    known, own = world.knowledge, world.knowledge.origin
    tallies = [one for origin, counted in _counted(world) for one in _tallies(origin, counted.items())]
    signatures = [_given(one) for one in known.own.values()]
    fingerprints = sorted(known.past.values(), key=lambda one: -one.at)
    room = LARGEST - sum(len(one.model_dump_json()) for one in (*signatures, *tallies))
    shown: list[FingerprintView] = []
    for one in fingerprints:
        view = fingerprint_view(one, own)
        room -= len(view.model_dump_json().encode()) + 1
        if room < 0:
            break
        shown.append(view)
    left_out = len(fingerprints) - len(shown)
    return BundleView(
        version=VERSION, origin=own, signatures=signatures, tallies=tallies, incidents=shown, left_out=left_out
    )


def _counted(world: World) -> Iterator[tuple[str, dict[str, Tally]]]:
    yield world.knowledge.origin, dict(world.knowledge.tallies)
    yield from ((origin, dict(told)) for origin, told in world.knowledge.lent.items())


def _tallies(origin: str, counted: Iterable[tuple[str, Tally]]) -> Iterator[TallyView]:
    for sign, one in counted:
        right, wrong = round(one.right, 6), round(one.wrong, 6)
        yield TallyView(origin=origin, signature=sign, right=right, wrong=wrong, at=rfc3339(one.at))


def _given(one: Signature) -> SignatureGiven:
    return SignatureGiven(
        id=one.id,
        cause=one.cause,
        patterns=list(one.patterns),
        precision=one.precision,
        says=one.says,
        look=one.look,
        examples=list(one.examples),
    )
