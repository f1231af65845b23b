"""What was changed lately, and by whom? What is done on purpose is where a look for a cause begins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from selfheal.events import (
    AgentDeclared,
    ConfigReloaded,
    Event,
    FilesChanged,
    FixStarted,
    ScaleAsked,
    StartAsked,
    StopAsked,
)
from selfheal.vocabulary import ChangeKind
from selfheal.world.agents import Agent

# Those of the latest days, as a rule: what is older explains nothing any more.
CHANGES_KEPT = 200


@dataclass(frozen=True, slots=True)
class Changed:
    """Something that was changed about an agent. `by` is who did it, empty where that is not known."""

    at: float
    agent: str
    kind: ChangeKind
    title: str
    by: str = ""


def fold_changes(changes: tuple[Changed, ...], agents: Mapping[str, Agent], event: Event) -> tuple[Changed, ...]:
    """Return what was changed after `event`; `agents` are as they were before it."""
    more = tuple(_changed(agents, event))
    return (*changes, *more)[-CHANGES_KEPT:] if more else changes


def _changed(agents: Mapping[str, Agent], event: Event) -> Iterator[Changed]:
    match event:
        case AgentDeclared(at=at, agent=name, version=version):
            then = agents.get(name)
            if then is not None and then.version and version != then.version:
                yield Changed(at, name, "deploy", f"version {then.version} became {version or 'unknown'}")
        case FilesChanged(at=at, agent=name, files=files) if files:
            yield Changed(at, name, "configuration", f"edited: {', '.join(file.rpartition('/')[2] for file in files)}")
        case ConfigReloaded(at=at, by=by):
            for name in (*event.added, *event.restarted, *event.changed):
                yield Changed(at, name, "configuration", "the daemon's configuration of it was changed", by)
        case ScaleAsked(at=at, agent=name, instances=instances, by=by):
            yield Changed(at, name, "scale", f"{instances} instances asked for", by)
        case StartAsked(at=at, agent=name, by=by):
            yield Changed(at, name, "restart", "started anew", by)
        case StopAsked(at=at, agent=name, by=by):
            yield Changed(at, name, "stop", "stopped", by)
        case FixStarted(at=at, agent=name, fix=fix, reflex=False):
            yield Changed(at, name, "fix", f"fix {fix}", "selfheal")
        case _:
            return
