"""What was an incident, what did it cost, and what would prevent the next one? Read from it and from the world."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from selfheal.causes import CAUSES
from selfheal.events import (
    ActEnded,
    ApprovalAnswered,
    ApprovalAsked,
    FixStarted,
    Held,
    IncidentEscalated,
    IncidentJoined,
    Planned,
)
from selfheal.serve.advice import ADVICE, SETTINGS
from selfheal.serve.models.report import (
    ChangeView,
    CostView,
    IncidentReport,
    OutageView,
    PreventionView,
    RecurrenceView,
    TriedFix,
)
from selfheal.serve.story import brief
from selfheal.serve.times import moment, rfc3339, span
from selfheal.serve.views.explanation import summary
from selfheal.serve.views.incidents import cause_views, story_lines
from selfheal.serve.views.knowledge import similar_view
from selfheal.vocabulary import GUARDS, GuardCode
from selfheal.world.knowledge import seen_before

if TYPE_CHECKING:
    from selfheal.world import Attempt, Incident, World

DAY_S = 86_400.0
DAYS = 30.0
# What was changed earlier is no reason any more, as a rule.
CHANGES_S = 6 * 3600.0
LINES = 12  # of an output: what a report is read for is at its head
_SLUG = re.compile(r"[\w.-]+")  # what a user calls a cause may be anything; only this is written as TOML
RESTARTS = frozenset({"restart", "restart_with_dependents", "replace_by_spare"})


Tables = Mapping[str, Sequence[str]]
"""By cause, the fixes that have to be told something about an agent before they may be tried against it."""


def report(world: World, incident: Incident, now: float, tables: Tables) -> IncidentReport:
    """Tell an incident as a whole; what lasts still is reckoned to `now`."""
    return IncidentReport(
        id=incident.id,
        title=_title(incident),
        severity=incident.severity,
        state=incident.state,
        onset=rfc3339(incident.onset),
        resolved_at=moment(incident.resolved_at),
        summary=_summary(world, incident, now),
        timeline=story_lines(incident),
        causes=cause_views(incident.causes),
        similar=[similar_view(one) for one in incident.similar],
        changes=[*_changes(world, incident)],
        attempts=[_tried(one) for one in incident.attempts],
        cost=_cost(world, incident, now),
        prevention=_prevention(world, incident, tables),
    )


def _title(incident: Incident) -> str:
    if not incident.causes or incident.cause == "unknown":
        return f"{incident.agent}: {brief(incident.sign)}"
    return f"{incident.agent}: {CAUSES.get(incident.cause, incident.cause.replace('_', ' '))}"


def _summary(world: World, incident: Incident, now: float) -> str:
    """One paragraph: what it was and how it ended, who suffered, and whether it is the first time."""
    told = [f"{summary(incident)}."]
    others = [name for name in incident.agents if name != incident.agent]
    if others:
        told.append(f"{', '.join(others)} suffered too.")
    if not incident.over:
        told.append(f"It has lasted for {span(now - incident.onset)}.")
    likeliest = next(iter(incident.shares), incident.cause)
    if likeliest != incident.cause:
        told.append(f"By what the attempts have shown it was {likeliest} rather than {incident.cause}.")
    times = len(_alike(world, incident))
    told.append("It is the first time within 30 days." if times == 1 else f"It is time {times} within 30 days.")
    told += [f"Seen before: {seen_before(one, now)}." for one in incident.similar[:1]]
    return " ".join(told)


def _changes(world: World, incident: Incident) -> Iterator[ChangeView]:
    """What was changed on purpose within hours before it began: where a person would begin to look."""
    concerned = {name for agent in incident.agents for name in (agent, *world.dependencies(agent))}
    for one in reversed(world.changes):
        if one.agent in concerned and incident.onset - CHANGES_S <= one.at <= incident.onset:
            yield ChangeView(at=rfc3339(one.at), agent=one.agent, kind=one.kind, title=brief(one.title), by=one.by)


def _tried(one: Attempt) -> TriedFix:
    return TriedFix(
        number=one.number,
        fix=one.fix,
        layer=one.layer,
        agent=one.agent,
        reflex=one.reflex,
        started_at=rfc3339(one.started_at),
        ended_at=moment(one.ended_at),
        duration_seconds=max(0.0, one.ended_at - one.started_at) if one.ended_at is not None else None,
        outcome=one.outcome,
        verified=one.verified,
        undone=one.undone,
        output=_head(one.output),
    )


def _head(text: str) -> str:
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return "\n".join(lines if len(lines) <= LINES else [*lines[:LINES], "…"])


# --- what it cost ----------------------------------------------------------------------------------------------------


def _cost(world: World, incident: Incident, now: float) -> CostView:
    return CostView(
        outages=[OutageView(agent=name, seconds=_outage_s(world, incident, name, now)) for name in incident.agents],
        recovery_seconds=incident.recovery_s,
        restarts=sum(one.fix in RESTARTS for one in incident.attempts),
        acts=sum(not one.reflex for one in incident.attempts),
        approval_seconds=_approval_s(incident, now),
        person_seconds=_person_s(incident, now),
        data=list(dict.fromkeys(_of_data(incident))),
    )


def _outage_s(world: World, incident: Incident, name: str, now: float) -> float | None:
    """From its own first sign to when it was well: as the agent says where that is its latest change, else as the
    incident does. Nobody knows of one that was closed with its agent stopped.
    """
    joined = [one.at for one in incident.story if isinstance(one, IncidentJoined) and one.agent == name]
    began = min(joined, default=incident.onset)
    if not incident.over:
        end = now
    elif incident.recovery_s is None or incident.resolved_at is None:
        return None
    else:
        agent = world.agents.get(name)
        exact = agent is not None and agent.well and began <= agent.since <= incident.resolved_at
        end = agent.since if agent is not None and exact else incident.onset + incident.recovery_s
    return max(0.0, end - began)


def _approval_s(incident: Incident, now: float) -> float:
    """An answer, the fix itself, and the end of the incident all end the wait."""
    asked_at, waited_s = None, 0.0
    for event in sorted(incident.story, key=lambda event: event.at):
        if isinstance(event, ApprovalAsked) and asked_at is None:
            asked_at = event.at
        elif isinstance(event, ApprovalAnswered | FixStarted) and asked_at is not None:
            waited_s, asked_at = waited_s + event.at - asked_at, None
    if asked_at is not None and incident.asking:
        waited_s += max(0.0, (incident.resolved_at or now) - asked_at)
    return waited_s


def _person_s(incident: Incident, now: float) -> float | None:
    """From the first call for a person to the end."""
    called = [event.at for event in incident.story if isinstance(event, IncidentEscalated)]
    if not called:
        return None
    return max(0.0, (incident.resolved_at or now) - min(called))


def _of_data(incident: Incident) -> Iterator[str]:
    """What fixes of data said of backups and of what was lost, quoted."""
    numbers = {one.number for one in incident.attempts if one.layer == "data"}
    acts = (one for one in incident.story if isinstance(one, ActEnded) and one.attempt in numbers)
    outputs = (one.output for one in incident.attempts if one.number in numbers)
    yield from filter(None, map(brief, (*(one.output for one in acts), *outputs)))


# --- what would prevent it -------------------------------------------------------------------------------------------


def _prevention(world: World, incident: Incident, tables: Tables) -> PreventionView:
    alike = _alike(world, incident)
    advice = ADVICE.get(incident.cause, "This cause is named by a fix of your own: what is known of it, you know.")
    first_at = rfc3339(min(one.onset for one in alike))
    return PreventionView(
        advice=advice,
        recurrence=RecurrenceView(count=len(alike), days=DAYS, first_at=first_at),
        settings=[*_held_back(incident), *_not_told(incident, tables)],
    )


def _alike(world: World, incident: Incident) -> list[Incident]:
    """The incidents of the same agent and cause in the month before this one ended, itself among them."""
    end = incident.resolved_at or world.at
    return [
        incident,
        *(
            one
            for one in world.incidents.values()
            if one.id != incident.id
            and one.merged_into is None
            and (one.agent, one.cause) == (incident.agent, incident.cause)
            and end - DAYS * DAY_S <= one.onset <= end
        ),
    ]


def _held_back(incident: Incident) -> Iterator[str]:
    """The guards that held something back, or barred a fix, where a setting says how soon they do."""
    codes: dict[GuardCode, None] = {}
    for event in incident.story:
        if isinstance(event, Held) and event.code is not None:
            codes[event.code] = None
        if isinstance(event, Planned):
            codes |= dict.fromkeys(one.code for one in event.alternatives if one.code is not None)
    for code in codes:
        if code in SETTINGS:
            yield f"Held back, since {GUARDS[code]} ({code}): that follows {SETTINGS[code]}."


def _not_told(incident: Incident, tables: Tables) -> Iterator[str]:
    """Tables that the agent may not have, where nothing helped."""
    if any(one.verified and one.outcome == "succeeded" for one in incident.attempts):
        return
    tried = {one.fix for one in incident.attempts}
    left = [f"`healing.{fix}`" for fix in tables.get(incident.cause, ()) if fix not in tried]
    if left:
        yield f"Fixes against this that an agent has to have a table for: {', '.join(left)}."
    if incident.escalated and _SLUG.fullmatch(incident.cause):
        yield f'A fix of your own can be written for it: `[fixes.NAME]` with `causes = ["{incident.cause}"]`.'
