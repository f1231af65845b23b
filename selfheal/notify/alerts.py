"""Which events should a person know of?

Pure. One alert an incident that needs a person or a failure that is foreseen, one when that is over, one for each of
our own troubles. What heals by itself is told by the page and the log, and wakes nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from selfheal.causes import CAUSES, NOT_CURED_BY_RESTART
from selfheal.events import (
    AlertRaised,
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
    IncidentResolved,
    IncidentSuppressed,
    LoopFailed,
    MaintenanceOver,
    PredictionEnded,
    StateDamaged,
    WorkDone,
    WorkPlanned,
)
from selfheal.notify.check_alerts import about_checks
from selfheal.notify.data_alerts import about_data
from selfheal.notify.told import foreseen_key, is_told, last_told, share_text
from selfheal.notify.work_alerts import planned_asks, work_over, work_planned
from selfheal.vocabulary import FAILURE_MODES, FailureMode, Severity
from selfheal.world import Incident, World
from selfheal.world.knowledge import seen_before

HIGH_RISK = 0.7
# A forecast that comes and goes, and a leak that is renewed again and again, wake nobody more often than this.
QUIET_S = 600.0
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
        case FailurePredicted() if event.probability >= HIGH_RISK:
            return _foreseen(world, event)
        case PredictionEnded(agent=agent, mode=mode, outcome=outcome):
            return _no_longer_foreseen(world, event.at, agent, mode, _ENDS[outcome], "")
        case WorkPlanned() | WorkDone():
            return _about_work(world, event)
        case BackupFailed() | BackupMade() | BackupDamaged() | DataRestored():
            return about_data(world, event)
        case CheckBroke() | CheckMended() | FlappingBegan() | FlappingOver() | MaintenanceOver():
            return about_checks(world, event)
        case _:
            return ()


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


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


_AMOUNTS: Mapping[FailureMode, Callable[[float], str]] = {
    "out_of_memory": lambda value: f"{value / 1e6:.0f} MB",
    "out_of_fds": lambda value: f"{value:.0f}",
    "disk_full": lambda value: f"{value * 100:.0f} %",
}


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
        title = f"{incident.agent} is well again after {_span(incident.recovery_s)}"
    else:
        title = f"{incident.agent} needs nobody"
    told = _alert(at, incident, "info", title, reason)
    return (replace(told, resolved=True, suspects=_suspects(incident)),)


def _foreseen(world: World, event: FailurePredicted) -> tuple[AlertRaised, ...]:
    """Once for each forecast, however often it moves; in a maintenance window not at all."""
    agent = world.agents.get(event.agent)
    if agent is not None and agent.maintenance_until is not None:
        return ()
    key = foreseen_key(event.agent, event.mode)
    last = last_told(world, key)
    if last is not None and event.at - last.at < (QUIET_S if last.resolved else event.eta_high_s + QUIET_S):
        return ()
    title = f"{event.agent} will be {event.mode.replace('_', ' ')} in about {_span(event.eta_s)}"
    value, limit = (_AMOUNTS[event.mode](amount) for amount in (event.value, event.limit))
    when = datetime.fromtimestamp(event.at + event.eta_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    text = f"expected at {when}, {share_text(event.probability)} likely: {event.signal} is {value} of {limit}"
    return (AlertRaised(event.at, key, "warning", title, text, event.agent, None),)


def _about_work(world: World, event: WorkPlanned | WorkDone) -> tuple[AlertRaised, ...]:
    if isinstance(event, WorkPlanned):
        return work_planned(world, event)
    work = world.foresight.work.get(event.work)
    if work is None:
        return ()
    told = work_over(world, work, event.at)
    return (*told, *_prevented(world, event, work.planned.agent)) if event.outcome == "succeeded" else told


def _prevented(world: World, event: WorkDone, agent: str) -> tuple[AlertRaised, ...]:
    """A restart in good time ends all that it cures. The prediction itself ends later, when that is looked at again."""
    cured = (mode for mode in FAILURE_MODES if mode not in NOT_CURED_BY_RESTART)
    return tuple(
        alert
        for mode in cured
        for alert in _no_longer_foreseen(world, event.at, agent, mode, _ENDS["averted"], event.output)
    )


def _no_longer_foreseen(
    world: World, at: float, agent: str, mode: FailureMode, end: str, text: str
) -> tuple[AlertRaised, ...]:
    key = foreseen_key(agent, mode)
    if not is_told(world, key):
        return ()
    title = end.format(agent=agent, mode=mode.replace("_", " "))
    return (AlertRaised(at, key, "info", title, text, agent, None, resolved=True),)


_ENDS: Mapping[str, str] = {
    "averted": "{agent} was kept from being {mode}",
    "happened": "{agent} has failed as foreseen: {mode}",
    "withdrawn": "{agent} is no longer expected to be {mode}",
}
