"""What do the JSON files of the state directory say?

Views for a person who looks into the directory; nothing reads them back. What is in them follows from the world and
the vitals at one moment: the same gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from selfheal.serve.times import rfc3339
from selfheal.serve.views import fleet, foresight
from selfheal.serve.views.incidents import fixes, incident_view, incidents, knowledge, rates, reports, strategies
from selfheal.serve.views.traces import trace

if TYPE_CHECKING:
    from selfheal.config.models import WindowConfig
    from selfheal.serve.ports import Believing, KnownPattern, Scoring
    from selfheal.vitals import Vitals
    from selfheal.world import World

SCHEMA_VERSION = 1
Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Material:
    """What the documents are made from, as of `now`."""

    world: World
    vitals: Vitals
    now: float
    scorecard: Scoring
    belief: Believing
    patterns: Sequence[KnownPattern]
    windows: Sequence[WindowConfig]


def documents(material: Material) -> Mapping[str, Document]:
    """Return every document by its file name, without its stamp."""
    return {name: fill(material) for name, fill in DOCUMENTS.items()}


def stamp(material: Material) -> Document:
    """Return what stands at the head of every document."""
    return {"schema_version": SCHEMA_VERSION, "updated_at": rfc3339(material.now)}


def _state(material: Material) -> Document:
    """The daemon at a glance; its loops are no part of what is known about the fleet."""
    world, now = material.world, material.now
    scorecard = material.scorecard(world, now)
    glance = fleet.summary(world, now, loops={}, scorecard=scorecard, ready=True, trouble=None)
    shown = glance.model_dump(mode="json", exclude={"loops", "ready", "trouble", "at"})
    known = fleet.agents(world, material.vitals)
    breakers = {one.name: _plain(one.breakers) for one in known if one.breakers}
    still_open = [_plain(incident_view(one)) for one in world.open_incidents()]
    damages = [
        {"at": rfc3339(one.at), "file": one.file, "what": one.what, "kept_as": one.kept_as, "lost": one.lost}
        for one in world.damages
    ]
    return {**shown, "starts": world.starts, "breakers": breakers, "open_incidents": still_open, "damages": damages}


def _agents(material: Material) -> Document:
    return {"agents": _plain({one.name: one for one in fleet.agents(material.world, material.vitals)})}


def _predictions(material: Material) -> Document:
    foreseen = foresight.predictions(material.world, material.now)
    return {"predictions": _plain(foreseen), "ended": dict(material.world.foresight.ended)}


def _anomalies(material: Material) -> Document:
    return {
        "seen": material.world.foresight.anomalies_seen,
        "anomalies": _plain(foresight.anomalies(material.world)),
    }


def _knowledge(material: Material) -> Document:
    return {"patterns": _plain(knowledge(material.patterns))}


def _reports(material: Material) -> Document:
    return {"reports": _plain(reports(incidents(material.world)))}


def _fixes(material: Material) -> Document:
    return {"attempts": _plain(fixes(incidents(material.world)))}


def _rates(material: Material) -> Document:
    return {"rates": _plain(rates(material.world, material.belief))}


def _strategies(material: Material) -> Document:
    return {"strategies": _plain(strategies(material.world, material.belief))}


def _maintenance(material: Material) -> Document:
    return {
        "work": _plain(foresight.work(material.world)),
        "windows": _plain(foresight.windows(material.windows)),
    }


def _metrics(material: Material) -> Document:
    return {"agents": {one.agent: one.signals for one in fleet.signals(material.world, material.vitals)}}


def _traces(material: Material) -> Document:
    return {"traces": [_plain(trace(one)) for one in incidents(material.world)]}


# File name -> what it says: the names are a promise, which other people's tools read.
DOCUMENTS: Mapping[str, Callable[[Material], Document]] = {
    "self_healing_state.json": _state,
    "agent_status.json": _agents,
    "failure_predictions.json": _predictions,
    "anomaly_detections.json": _anomalies,
    "rca_knowledge_base.json": _knowledge,
    "rca_reports.json": _reports,
    "fix_history.json": _fixes,
    "fix_success_rates.json": _rates,
    "recovery_strategies.json": _strategies,
    "maintenance_schedule.json": _maintenance,
    "metrics.json": _metrics,
    "traces.json": _traces,
}


def _plain(value: BaseModel | Sequence[BaseModel] | Mapping[str, BaseModel]) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {name: one.model_dump(mode="json") for name, one in value.items()}
    return [one.model_dump(mode="json") for one in value]
