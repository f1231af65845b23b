"""What do the JSON files of the state directory say?

Views for a person who looks into the directory; nothing reads them back. What is in them follows from the world and
the vitals at one moment: the same gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec
from msgspec import Raw
from pydantic import BaseModel

from selfheal.serve.times import rfc3339
from selfheal.serve.views import fleet, foresight, maintenance
from selfheal.serve.views.anomalies import anomalies, dismissals, levels, suppressed
from selfheal.serve.views.incidents import fixes, incident_view, incidents, rates, reports, strategies
from selfheal.serve.views.knowledge import fingerprint_view, known_signatures, signature_view
from selfheal.serve.views.traces import trace

if TYPE_CHECKING:
    from selfheal.config.models import WindowConfig
    from selfheal.events import Fingerprint, Signature
    from selfheal.serve.ports import Learning, Lessons, Scoring
    from selfheal.vitals import Vitals
    from selfheal.world import Incident, World

SCHEMA_VERSION = 1
# Agents that are shown, and items that are made, between two rests: a millisecond or so.
AT_ONCE, MADE_AT_ONCE = 5, 4
Document = dict[str, object]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Material:
    """What the documents are made from, as of `now`; `seq` is the number of the latest event in it."""

    world: World
    vitals: Vitals
    now: float
    scorecard: Scoring
    lessons: Learning
    patterns: Collection[Signature]
    windows: Sequence[WindowConfig]
    seq: int = 0


def documents(material: Material) -> Mapping[str, Document]:
    """Return every document by its file name, without its stamp."""
    made = Pages().documents(material)
    return {name: msgspec.json.decode(msgspec.json.encode(one), type=dict[str, object]) for name, one in made.items()}


def stamp(material: Material) -> Document:
    """Return what stands at the head of every document."""
    return {"schema_version": SCHEMA_VERSION, "updated_at": rfc3339(material.now), "events": material.seq}


class Pages:
    """Makes the documents from one time to the next, and what did not change since the last time not again.

    The items of their lists are encoded already. `rest` is called now and then: others may need the interpreter. Only
    for one thread at a time.
    """

    def __init__(self, rest: Callable[[], None] = lambda: None) -> None:
        self._rest = rest
        self._reports = Kept[list[Raw]](rest)
        self._traces = Kept[list[Raw]](rest)
        self._attempts = Kept[list[tuple[float, Raw]]](rest)
        self._lists = Kept[list[Raw]](rest)
        self._past, self._signatures = Kept[Raw](rest), Kept[Raw](rest)
        self._lessons = Kept["Lessons"](rest)

    def documents(self, material: Material) -> Mapping[str, Document]:
        """Return every document by its file name, without its stamp."""
        made = {name: fill(self, material) for name, fill in DOCUMENTS.items()}
        for kept in (
            self._reports,
            self._traces,
            self._attempts,
            self._lists,
            self._lessons,
            self._past,
            self._signatures,
        ):
            kept.forget_the_rest()
        return made

    def state(self, material: Material) -> Document:
        """The daemon at a glance; its loops are no part of what is known about the fleet."""
        world, now = material.world, material.now
        scorecard = material.scorecard(world, now)
        glance = fleet.summary(
            world, now, loops={}, scorecard=scorecard, ready=True, trouble=None, vitals=material.vitals
        )
        shown = glance.model_dump(mode="json", exclude={"loops", "ready", "trouble", "at"})
        broken = fleet.agents(world, material.vitals, [one.name for one in world.agents.values() if one.breakers])
        still_open = [raw(incident_view(one)) for one in world.open_incidents()]
        damages = [
            {"at": rfc3339(one.at), "file": one.file, "what": one.what, "kept_as": one.kept_as, "lost": one.lost}
            for one in world.damages
        ]
        breakers = {one.name: {fix: raw(breaker) for fix, breaker in one.breakers.items()} for one in broken}
        return {**shown, "starts": world.starts, "breakers": breakers, "open_incidents": still_open, "damages": damages}

    def agents(self, material: Material) -> Document:
        names, shown = list(material.world.agents), dict[str, Raw]()
        for begin in range(0, len(names), AT_ONCE):
            some = fleet.agents(material.world, material.vitals, names[begin : begin + AT_ONCE])
            shown |= {one.name: raw(one) for one in some}
            self._rest()
        return {"agents": shown}

    def predictions(self, material: Material) -> Document:
        foreseen = foresight.predictions(material.world, material.now, material.vitals)
        over = [*map(raw, foresight.ended(material.world))]
        return {"predictions": [*map(raw, foreseen)], "ended": dict(material.world.foresight.ended), "over": over}

    def anomalies(self, material: Material) -> Document:
        """As of the last change of any of them: that one lasts longer is no reason to write all of them again."""
        known, now = material.world.anomalies, material.world.anomalies.at
        return {
            "seen": known.seen,
            "anomalies": self._lists.get("anomalies", known, lambda: [*map(raw, anomalies(material.world, now))]),
            "suppressed": self._lists.get("suppressed", known, lambda: [*map(raw, suppressed(known))]),
            "suppressed_total": dict(known.counted),
            "dismissals": self._lists.get("dismissals", known, lambda: [*map(raw, dismissals(known, now))]),
            "levels": self._lists.get("levels", known, lambda: [*map(raw, levels(known))]),
        }

    def knowledge(self, material: Material) -> Document:
        known = material.world.knowledge
        past = (self._past.get(one.key, one, partial(_fingerprint, one)) for one in [*known.past.values()][::-1])
        return {"patterns": self._signs(material), "incidents": [*past]}

    def _signs(self, material: Material) -> list[Raw]:
        """Signatures with their counts, as of the last of those: that they fade since is no reason to write them again.

        What is shown of one follows from itself and its counts, which stand in the name by which it is kept.
        """
        world, counted = material.world, material.world.knowledge
        tallies = [*counted.tallies.values(), *(one for told in counted.lent.values() for one in told.values())]
        lessons = material.lessons(world, max((one.at for one in tallies), default=0.0))

        def shown(one: Signature) -> Raw:
            seen = lessons.precision(one)
            name = f"{one.id} {one.id in counted.off} {seen.right:.6f} {seen.wrong:.6f}"
            return self._signatures.get(name, one, lambda: raw(signature_view(one, world, lessons)))

        return [shown(one) for one in known_signatures(material.patterns, world)]

    def reports(self, material: Material) -> Document:
        told = (self._reports.get(one.id, one, partial(_report, one)) for one in incidents(material.world))
        return {"reports": [*chain.from_iterable(told)]}

    def fixes(self, material: Material) -> Document:
        told = (self._attempts.get(one.id, one, partial(_attempts, one)) for one in incidents(material.world))
        newest_first = sorted(chain.from_iterable(told), key=lambda pair: -pair[0])
        return {"attempts": [one for _, one in newest_first]}

    def rates(self, material: Material) -> Document:
        world, lessons = material.world, self._learned(material)
        return {"rates": self._lists.get("rates", world.odds, lambda: [*map(raw, rates(world, lessons))])}

    def strategies(self, material: Material) -> Document:
        world, lessons = material.world, self._learned(material)
        return {"strategies": self._lists.get("cases", world.odds, lambda: [*map(raw, strategies(world, lessons))])}

    def _learned(self, material: Material) -> Lessons:
        """What was learned, as of the last lesson: that it fades since then is no reason to write it again."""
        odds = material.world.odds
        at = max((one.at for one in odds.values()), default=0.0)
        return self._lessons.get("lessons", odds, lambda: material.lessons(material.world, at))

    def maintenance(self, material: Material) -> Document:
        world = material.world
        return {
            "work": self._lists.get("work", world.cases, lambda: [*map(raw, maintenance.work(world))]),
            "windows": [*map(raw, maintenance.windows(material.windows))],
            "totals": raw(maintenance.totals(world)),
            "left_alone": [*map(raw, maintenance.left_alone(world))],
        }

    def metrics(self, material: Material) -> Document:
        return {"agents": {one.agent: one.signals for one in fleet.signals(material.world, material.vitals)}}

    def traces(self, material: Material) -> Document:
        told = (self._traces.get(one.id, one, partial(_trace, one)) for one in incidents(material.world))
        return {"traces": [*chain.from_iterable(told)]}


class Kept(Generic[T]):
    """What was made from values that are never changed: it holds as long as they are the same ones.

    It holds what was asked for in the last two rounds, and nothing else.
    """

    def __init__(self, rest: Callable[[], None]) -> None:
        self._rest = rest
        self._made = 0
        self._last: dict[str, tuple[object, T]] = {}
        self._now: dict[str, tuple[object, T]] = {}

    def get(self, name: str, source: object, make: Callable[[], T]) -> T:
        """Return what `make` gives, or gave when it was last asked for this name and this very source."""
        known = self._last.get(name)
        if known is None or known[0] is not source:
            known = source, make()
            self._made += 1
            if self._made % MADE_AT_ONCE == 0:
                self._rest()
        self._now[name] = known
        return known[1]

    def forget_the_rest(self) -> None:
        """End a round: what was not asked for in it is forgotten."""
        self._last, self._now = self._now, {}


def raw(view: BaseModel) -> Raw:
    """Encode a view."""
    return Raw(msgspec.json.encode(view.model_dump(mode="json")))


def _fingerprint(one: Fingerprint) -> Raw:
    return raw(fingerprint_view(one))


def _report(incident: Incident) -> list[Raw]:
    return [*map(raw, reports((incident,)))]


def _trace(incident: Incident) -> list[Raw]:
    return [raw(trace(incident))]


def _attempts(incident: Incident) -> list[tuple[float, Raw]]:
    """The attempts of an incident, newest first, each with when it began."""
    begun = sorted((one.started_at for one in incident.attempts), reverse=True)
    return [*zip(begun, map(raw, fixes((incident,))), strict=True)]


# File name -> what it says: the names are a promise, which other people's tools read.
DOCUMENTS: Mapping[str, Callable[[Pages, Material], Document]] = {
    "self_healing_state.json": Pages.state,
    "agent_status.json": Pages.agents,
    "failure_predictions.json": Pages.predictions,
    "anomaly_detections.json": Pages.anomalies,
    "rca_knowledge_base.json": Pages.knowledge,
    "rca_reports.json": Pages.reports,
    "fix_history.json": Pages.fixes,
    "fix_success_rates.json": Pages.rates,
    "recovery_strategies.json": Pages.strategies,
    "maintenance_schedule.json": Pages.maintenance,
    "metrics.json": Pages.metrics,
    "traces.json": Pages.traces,
}
