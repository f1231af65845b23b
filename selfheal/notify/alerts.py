"""Which events should a person know of?

Pure. One alert an incident that needs a person, one when that is over, one for each of our own troubles. What heals by
itself is told by the page and the log, and wakes nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from selfheal.events import (
    AlertRaised,
    ApprovalAsked,
    Event,
    FailurePredicted,
    IncidentEscalated,
    IncidentResolved,
    IncidentSuppressed,
    LoopFailed,
    StateDamaged,
)
from selfheal.vocabulary import CAUSES, FailureMode
from selfheal.world import Incident, World

HIGH_RISK = 0.7
UNSAVED = "unsaved"
Severity = Literal["warning", "critical"]


def alerts(world: World, event: Event) -> tuple[AlertRaised, ...]:
    """Return the alerts that `event`, which is already part of `world`, is worth."""
    match event:
        case IncidentEscalated(incident=name) if name in world.incidents:
            incident = world.incidents[name]
            title = f"{incident.agent} needs a person: {CAUSES.get(incident.cause, incident.cause)}"
            return (_alert(event.at, incident, "critical", title, f"{incident.sign}. {event.reason}"),)
        case ApprovalAsked(incident=name) if name in world.incidents:
            incident = world.incidents[name]
            title = f"may {event.fix} be applied to {event.agent}?"
            text = f"{incident.sign}. 'selfheal approve {name}' or 'selfheal reject {name}' decides"
            return (_alert(event.at, incident, "warning", title, text),)
        case IncidentResolved(incident=name) | IncidentSuppressed(incident=name) if name in world.incidents:
            return _over(world, world.incidents[name], event.at, event.reason)
        case LoopFailed(gave_up=True):
            text = f"it failed again and again and is tried once a minute: {event.error}"
            return (_own(event.at, f"loop-{event.loop}", "critical", f"selfheal's loop {event.loop} is down", text),)
        case StateDamaged():
            kept = f"; kept as {event.kept_as}" if event.kept_as else ""
            text = f"{event.file}: {event.what}; lost: {event.lost}{kept}"
            key = f"damage-{event.file}: {event.what}"  # two in one file are two things to know
            return (_own(event.at, key, "warning", "a state file was damaged", text),)
        case FailurePredicted() if event.probability >= HIGH_RISK:
            return _foreseen(world, event)
        case _:
            return ()


def about_saving(world: World, at: float, trouble: str | None) -> tuple[AlertRaised, ...]:
    """Return the alert that our state cannot be saved, or that it can again, where that is news."""
    told = [alert for alert in world.alerts if alert.key == UNSAVED]
    if (trouble is not None) == (bool(told) and not told[-1].resolved):
        return ()
    if trouble is None:
        return (
            AlertRaised(at, UNSAVED, "info", "selfheal saves its state again", "", "selfheal", None, resolved=True),
        )
    text = f"{trouble}; healing goes on, and what happens is kept in memory until the disk takes it"
    return (_own(at, UNSAVED, "critical", "selfheal cannot save its state", text),)


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _chance(probability: float) -> str:
    """Nothing that is foreseen is certain."""
    return f"{probability * 100:.0f} %" if probability < 0.995 else "over 99 %"


_AMOUNTS: Mapping[FailureMode, Callable[[float], str]] = {
    "out_of_memory": lambda value: f"{value / 1e6:.0f} MB",
    "out_of_fds": lambda value: f"{value:.0f}",
    "disk_full": lambda value: f"{value * 100:.0f} %",
}


def _alert(at: float, incident: Incident, severity: Severity, title: str, text: str) -> AlertRaised:
    return AlertRaised(at, incident.id, severity, title, text, incident.agent, incident.id)


def _own(at: float, key: str, severity: Severity, title: str, text: str) -> AlertRaised:
    return AlertRaised(at, key, severity, title, text, "selfheal", None)


def _over(world: World, incident: Incident, at: float, reason: str) -> tuple[AlertRaised, ...]:
    """The end is told to whom the beginning was told, and to nobody else."""
    told = [alert for alert in world.alerts if alert.key == incident.id]
    if not told or told[-1].resolved:
        return ()
    title = f"{incident.agent} is well again" if incident.state == "resolved" else f"{incident.agent} needs nobody"
    return (AlertRaised(at, incident.id, "info", title, reason, incident.agent, incident.id, resolved=True),)


def _foreseen(world: World, event: FailurePredicted) -> tuple[AlertRaised, ...]:
    """Once for each forecast, however often it moves; in a maintenance window not at all."""
    agent = world.agents.get(event.agent)
    if agent is not None and agent.maintenance_until is not None:
        return ()
    key = f"foreseen-{event.agent}-{event.mode}"
    if any(alert.key == key and event.at - alert.at < event.eta_high_s + 600.0 for alert in world.alerts):
        return ()
    title = f"{event.agent} will be {event.mode.replace('_', ' ')} in about {_span(event.eta_s)}"
    value, limit = (_AMOUNTS[event.mode](amount) for amount in (event.value, event.limit))
    text = f"{event.signal} is {value} of {limit}; {_chance(event.probability)} likely"
    return (AlertRaised(event.at, key, "warning", title, text, event.agent, None),)
