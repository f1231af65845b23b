"""Which events should a person know of?

Pure. One alert an incident that needs a person, a failure that is foreseen or an anomaly that matters much, one when
that is over, one for each of our own troubles. What heals by itself is told by the page and the log, and wakes nobody.
"""

from __future__ import annotations

from dataclasses import replace

from selfheal.causes import CAUSES
from selfheal.events import (
    AlertRaised,
    AnomalyEvent,
    ApprovalAnswered,
    ApprovalAsked,
    BackupDamaged,
    BackupFailed,
    BackupMade,
    CheckBroke,
    CheckMended,
    DataRestored,
    Event,
    FailurePredicted,
    FlappingBegan,
    FlappingOver,
    IncidentEscalated,
    IncidentOpened,
    IncidentResolved,
    IncidentSuppressed,
    LoopFailed,
    MaintenanceOver,
    PredictionEnded,
    StateDamaged,
    WorkDone,
    WorkPlanned,
)
from selfheal.notify.anomaly_alerts import about_anomalies
from selfheal.notify.check_alerts import about_checks
from selfheal.notify.data_alerts import about_data
from selfheal.notify.foreseen_alerts import about_foreseen
from selfheal.notify.told import is_told
from selfheal.notify.work_alerts import planned_asks
from selfheal.vocabulary import Severity
from selfheal.world import Incident, World
from selfheal.world.knowledge import seen_before
from selfheal.world.spans import span_text

# Nobody would say of a less likely cause that it was the one.
WORTH_ASKING = 0.05
UNSAVED = "unsaved"


def alerts(world: World, event: Event) -> tuple[AlertRaised, ...]:
    """Return the alerts that `event`, which is already part of `world`, is worth."""
    match event:
        case IncidentEscalated(incident=name) if name in world.incidents:
            incident = world.incidents[name]
            title = f"{incident.agent} needs a person: {CAUSES.get(incident.cause, incident.cause)}"
            told = _alert(
                event.at, incident, "critical", title, f"{incident.sign}. {event.reason}{_seen(incident, event.at)}"
            )
            return (replace(told, suspects=_suspects(incident)),)
        case ApprovalAsked():
            return _asked(world, event)
        case ApprovalAnswered(incident=name) if is_told(world, name):
            known = world.case(name)
            return (_answered(known, event),) if known is not None else ()
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
        case FailurePredicted() | PredictionEnded() | WorkPlanned() | WorkDone():
            return about_foreseen(world, event)
        case BackupFailed() | BackupMade() | BackupDamaged() | DataRestored():
            return about_data(world, event)
        case CheckBroke() | CheckMended() | FlappingBegan() | FlappingOver() | MaintenanceOver():
            return about_checks(world, event)
        case _:
            return about_anomalies(world, event) if isinstance(event, AnomalyEvent | IncidentOpened) else ()


def about_saving(world: World, at: float, trouble: str | None) -> tuple[AlertRaised, ...]:
    """Return the alert that our state cannot be saved, or that it can again, where that is news."""
    if (trouble is not None) == is_told(world, UNSAVED):
        return ()
    if trouble is None:
        return (
            AlertRaised(at, UNSAVED, "info", "selfheal saves its state again", "", "selfheal", None, resolved=True),
        )
    text = f"{trouble}; healing goes on, and what happens is kept in memory until the disk takes it"
    return (_own(at, UNSAVED, "critical", "selfheal cannot save its state", text),)


def _alert(at: float, incident: Incident, severity: Severity, title: str, text: str) -> AlertRaised:
    return AlertRaised(at, incident.id, severity, title, text, incident.agent, incident.id)


def _seen(incident: Incident, at: float) -> str:
    """The one of the past that looked most like it: what helped then is what a person would ask first."""
    return next((f". Seen before: {seen_before(one, at)}" for one in incident.similar), "")


def likely(incident: Incident) -> tuple[str, ...]:
    """The causes of which a person may say which one it was: those that anybody would look at."""
    found = [cause.slug for cause in incident.causes if cause.probability >= WORTH_ASKING]
    return tuple(dict.fromkeys(found)) if incident.cause != "unknown" or len(found) > 1 else ()


def _suspects(incident: Incident) -> tuple[str, ...]:
    """What is asked along with an alert: nothing where it was said already."""
    return () if incident.label is not None else likely(incident)


def _asked(world: World, event: ApprovalAsked) -> tuple[AlertRaised, ...]:
    if event.incident in world.cases:
        return (planned_asks(world, event),)
    incident = world.incidents.get(event.incident)
    if incident is None:
        return ()
    title = f"may {event.fix} be applied to {event.agent}?"
    text = f"{incident.sign}. 'selfheal approve {incident.id}' or 'selfheal reject {incident.id}' decides"
    asked = _alert(event.at, incident, "warning", title, text + _seen(incident, event.at))
    return (replace(asked, agent=event.agent, asks=event.fix, asked_at=event.at),)


def _answered(incident: Incident, event: ApprovalAnswered) -> AlertRaised:
    """What was asked is decided: the question goes."""
    asked = incident.approval
    what = f"{asked.fix} of {asked.agent}" if asked is not None else "what was asked"
    title = f"{what} was {'approved' if event.approved else 'rejected'} by {event.by}"
    return _alert(event.at, incident, "warning", title, f"{incident.sign}.")


def _own(at: float, key: str, severity: Severity, title: str, text: str) -> AlertRaised:
    return AlertRaised(at, key, severity, title, text, "selfheal", None)


def _over(world: World, incident: Incident, at: float, reason: str) -> tuple[AlertRaised, ...]:
    """The end is told to whom the beginning was told, and to nobody else."""
    if not is_told(world, incident.id):
        return ()
    if incident.state == "resolved" and incident.recovery_s is not None:
        title = f"{incident.agent} is well again after {span_text(incident.recovery_s)}"
    else:
        title = f"{incident.agent} needs nobody"
    told = _alert(at, incident, "info", title, reason)
    return (replace(told, resolved=True, suspects=_suspects(incident)),)
