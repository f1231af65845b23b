"""How does the world become bytes, and the same world again?

In parts, so that whoever writes them may pause between two: one for each field of the world, one for each agent, one
for each incident, one for each case of planned work. What is added to the world later needs a default, as in the
journal: then this version reads what an older one wrote, and passes over what a newer one knows besides. Any other
change of what the parts mean is a new `VERSION`, and needs a way from the old one in `decode`: the journal before a
snapshot may be gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, get_args, get_type_hints

import msgspec

from selfheal.world import Agent, Anomalies, Foresight, Incident, World
from selfheal.world.anomalies import Anomaly, began
from selfheal.world.cases import case_of
from selfheal.world.incidents import StoryEvent

VERSION = 1

# A type that has no tag within it cannot be told from its neighbours in a union: the story has a form of its own.
_STORY = "story"
_AGENTS, _INCIDENTS, _CASES, _WORLD = "agents", "incidents", "cases", "world"
_ANOMALIES, _FORESIGHT = "anomalies", "foresight"

_ENCODER = msgspec.msgpack.Encoder()
_PART = msgspec.msgpack.Decoder(tuple[str, str, msgspec.Raw])
_FIELDS = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_TOLD = msgspec.msgpack.Decoder(list[tuple[str, msgspec.Raw]])
_AGENT = msgspec.msgpack.Decoder(Agent)
_EVENTS = {kind.__name__: msgspec.msgpack.Decoder(kind) for kind in get_args(StoryEvent)}


@dataclass(frozen=True)
class _Earlier:
    """What was not as usual stood within what is foreseen, before it had a part of its own."""

    anomalies: Mapping[str, Anomaly] = field(default_factory=dict)
    anomalies_seen: int = 0


_EARLIER = msgspec.msgpack.Decoder(tuple[str, str, _Earlier])


def _decoders(kind: type[World] | type[Incident], *but: str) -> dict[str, msgspec.msgpack.Decoder[Any]]:
    hints = get_type_hints(kind)
    return {one.name: msgspec.msgpack.Decoder(hints[one.name]) for one in fields(kind) if one.name not in but}


_OF_WORLD = _decoders(World, _AGENTS, _INCIDENTS, _CASES)
_OF_INCIDENT = _decoders(Incident, _STORY)


def encode(world: World) -> Iterator[bytes]:
    """Yield the parts of a world; each takes less than a millisecond."""
    for name in _OF_WORLD:
        yield _ENCODER.encode((_WORLD, name, getattr(world, name)))
    for name, agent in world.agents.items():
        yield _ENCODER.encode((_AGENTS, name, agent))
    for name, incident in world.incidents.items():
        yield _ENCODER.encode((_INCIDENTS, name, _plain(incident)))
    for name, case in world.cases.items():
        yield _ENCODER.encode((_CASES, name, _plain(case)))


def decode(parts: Iterable[bytes]) -> World:
    """Return the world of `encode`. Raises ValueError where it is none that this version can read."""
    known: dict[str, Any] = {}
    agents: dict[str, Agent] = {}
    incidents: dict[str, Incident] = {}
    cases: dict[str, Incident] = {}
    for part in parts:
        kind, name, value = _decoded(part)
        if kind == _AGENTS:
            agents[name] = value
        elif kind == _INCIDENTS:
            incidents[name] = value
        elif kind == _CASES:
            cases[name] = value
        elif name in _OF_WORLD:
            known[name] = value
        if name == _FORESIGHT:
            known.setdefault(_ANOMALIES, _earlier(part))
    for name, work in known.get(_FORESIGHT, Foresight()).work.items():
        if not work.over:
            cases.setdefault(name, case_of(work.planned))  # it was no case before there were any
    return World(**known, agents=agents, incidents=incidents, cases=cases)


def _earlier(part: bytes) -> Anomalies:
    _, _, found = _EARLIER.decode(part)
    known = {name: replace(one, members=began(one.seen).members) for name, one in found.anomalies.items()}
    at = max((max(one.seen.at, one.over_at or 0.0) for one in known.values()), default=0.0)
    return Anomalies(known, found.anomalies_seen, at=at)


def agrees(world: World, part: bytes) -> bool:
    """Whether a part, read back, says of the world what is so. Raises ValueError where it cannot be read."""
    kind, name, value = _decoded(part)
    own = {_AGENTS: world.agents, _INCIDENTS: world.incidents, _CASES: world.cases}.get(kind)
    return bool(value == (own.get(name) if own is not None else getattr(world, name)))


def _decoded(part: bytes) -> tuple[str, str, Any]:
    try:
        kind, name, raw = _PART.decode(part)
        if kind == _AGENTS:
            return kind, name, _AGENT.decode(raw)
        if kind in (_INCIDENTS, _CASES):
            return kind, name, _incident(_FIELDS.decode(raw))
        return kind, name, _OF_WORLD[name].decode(raw) if name in _OF_WORLD else None
    except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError) as why:
        raise ValueError(f"it does not hold what this version knows of the world ({why})") from why


def _plain(incident: Incident) -> Mapping[str, object]:
    plain = {name: getattr(incident, name) for name in _OF_INCIDENT}
    return {**plain, _STORY: [(type(event).__name__, event) for event in incident.story]}


def _incident(raw: Mapping[str, msgspec.Raw]) -> Incident:
    known = {name: decoder.decode(raw[name]) for name, decoder in _OF_INCIDENT.items() if name in raw}
    return Incident(**known, story=tuple(_EVENTS[name].decode(event) for name, event in _TOLD.decode(raw[_STORY])))
