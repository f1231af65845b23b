"""What may a person teach the daemon, and what is refused?

Everything is an event, durable before it is answered. What is wrong is said as a whole, and then nothing is taken.
Secrets are masked before anything is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from functools import reduce

from selfheal.causes import CAUSES
from selfheal.clock import Clock
from selfheal.compose.fleet import Fleet
from selfheal.diagnose.pattern import compiled, read
from selfheal.errors import JournalUnavailable, KnowledgeInvalid, NotSaved, RefusedByPolicy, UnknownName
from selfheal.events import (
    OWN,
    Event,
    Fingerprint,
    KnowledgeEvent,
    KnowledgeImported,
    Signature,
    SignatureAdded,
    SignatureRemoved,
    SignatureRestored,
)
from selfheal.ledger import Ledger
from selfheal.serve.ports import Learnt, Taught
from selfheal.world import Knowledge
from selfheal.world.knowledge import fold_knowledge

# Nobody keeps more in order; each costs a look at every line that is judged.
OWN_KEPT = 500
# Daemons of which counts are kept.
ORIGINS_KEPT = 50
# Incidents of the past in one record of the journal.
AT_ONCE = 50
_ID = re.compile(rf"{OWN}\.[a-z0-9_][a-z0-9_.-]{{0,90}}")


class Teaching:
    """The orders of `serve.ports.KnowledgeControl`, carried out."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        fleet: Fleet,
        shipped: Callable[[], Iterable[Signature]],
        redact: Callable[[str], str],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._fleet = fleet
        self._shipped = shipped
        self._redact = redact

    async def add(self, signature: Signature, by: str) -> None:
        masked = self._masked(signature)
        errors = [*self._errors(masked, signature)]
        if len({*self._known.own, signature.id}) > OWN_KEPT:
            errors.append(f"cannot add {signature.id!r}: {OWN_KEPT} are kept; remove one with 'selfheal kb remove ID'")
        _refuse(errors)
        await self._order(SignatureAdded(self._clock.now(), masked, by))

    async def remove(self, signature: str, by: str) -> None:
        self._find(signature)
        if signature in self._known.off:
            raise RefusedByPolicy(f"cannot switch {signature!r} off: it is off already")
        await self._order(SignatureRemoved(self._clock.now(), signature, by))

    async def restore(self, signature: str, by: str) -> None:
        self._find(signature)
        if signature not in self._known.off:
            raise RefusedByPolicy(f"cannot restore {signature!r}: it speaks already")
        await self._order(SignatureRestored(self._clock.now(), signature, by))

    async def take_over(self, taught: Taught, by: str) -> Learnt:
        signatures = [self._masked(one) for one in taught.signatures]
        errors = [
            error
            for masked, given in zip(signatures, taught.signatures, strict=True)
            for error in self._errors(masked, given)
        ]
        if len({*self._known.own, *(one.id for one in signatures)}) > OWN_KEPT:
            errors.append(f"cannot take these signatures: with them there would be more than {OWN_KEPT}")
        if len({*self._known.lent, *taught.tallies}) > ORIGINS_KEPT:
            errors.append(
                f"cannot take these counts: with them there would be those of more than {ORIGINS_KEPT} daemons"
            )
        _refuse(errors)
        before = self._known
        events = [*self._news(signatures, taught, by)]
        after = reduce(fold_knowledge, events, before)
        if after != before:
            await self._order(*events)
        return Learnt(
            _changes(before.own, after.own), _changes(before.lent, after.lent), _changes(before.past, after.past)
        )

    def _news(self, signatures: Sequence[Signature], taught: Taught, by: str) -> Iterator[KnowledgeEvent]:
        """What changes something, in records of some size; a death between two is mended by the same import."""
        now, known = self._clock.now(), self._known
        yield from (SignatureAdded(now, one, by) for one in signatures if known.own.get(one.id) != one)
        tallies = {origin: told for origin, told in taught.tallies.items() if known.lent.get(origin) != told}
        incidents = [one for one in map(self._cleaned, taught.incidents) if known.past.get(one.key) != one]
        for begin in range(0, max(len(incidents), 1), AT_ONCE):
            some = tuple(incidents[begin : begin + AT_ONCE])
            if tallies or some:
                yield KnowledgeImported(now, by, tallies, some)
            tallies = {}

    def _errors(self, masked: Signature, given: Signature) -> Iterator[str]:
        name = given.id[:100]
        if _ID.fullmatch(given.id) is None:
            yield f"cannot take {name!r} for an id: it is to be '{OWN}.' and a name of small letters, digits, _ . and -"
        causes = {*CAUSES, *(cause for fix in self._fleet.fixes.values() for cause in fix.causes)}
        if given.cause not in causes:
            near = get_close_matches(given.cause, causes, 1)
            meant = f"; is {near[0]!r} meant?" if near else "; 'selfheal kb causes' lists them"
            yield f"cannot take {given.cause[:100]!r} for the cause of {name}: there is none of this name{meant}"
        if masked.patterns != given.patterns:
            yield f"cannot keep the pattern of {name}: there is what looks like a secret in it; match what is around it"
            return
        unsafe = [*_unsafe(given)]
        yield from unsafe
        if not unsafe:
            yield from _unmatched(masked, given)

    def _masked(self, one: Signature) -> Signature:
        return replace(
            one,
            patterns=tuple(map(self._redact, one.patterns)),
            says=self._redact(one.says),
            look=self._redact(one.look),
            examples=tuple(map(self._redact, one.examples)),
        )

    def _cleaned(self, one: Fingerprint) -> Fingerprint:
        return replace(one, look=tuple(map(self._redact, one.look)))

    @property
    def _known(self) -> Knowledge:
        return self._ledger.world.knowledge

    def _find(self, name: str) -> None:
        known = {*(one.id for one in self._shipped()), *self._known.own}
        if name not in known:
            near = get_close_matches(name, known, 1)
            meant = f"; is {near[0]!r} meant?" if near else "; 'selfheal kb list' lists them"
            raise UnknownName(f"cannot find signature {name!r}{meant}")

    async def _order(self, *events: Event) -> None:
        """Write it down, and answer for it: raises NotSaved where the disk has not all of it."""
        with suppress(JournalUnavailable):
            await self._ledger.durable(*events)
        try:
            await self._ledger.durable()
        except JournalUnavailable as why:
            raise NotSaved(self._ledger.trouble or str(why)) from why


def _unsafe(given: Signature) -> Iterator[str]:
    for pattern in given.patterns:
        try:
            read(pattern)
            compiled((pattern,))
        except ValueError as why:
            yield f"cannot take a pattern of {given.id[:100]}: {why}"


def _unmatched(masked: Signature, given: Signature) -> Iterator[str]:
    pattern = compiled(given.patterns)
    for shown, line in zip(masked.examples, given.examples, strict=True):
        if not pattern.search(line):
            yield f"cannot take {shown[:100]!r} for an example of {given.id}: no pattern of it matches that"
        elif not pattern.search(shown):
            yield f"cannot keep the example of {given.id}: what a pattern matches in it looks like a secret"


def _refuse(errors: Sequence[str]) -> None:
    if errors:
        raise KnowledgeInvalid(tuple(errors))


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> int:
    return sum(before.get(key) != value for key, value in after.items())
