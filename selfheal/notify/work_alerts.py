"""What should a person know of work that is planned before a failure?

What will be done, and when, is told along with the failure: the message that told of that is changed. What a person is
asked is a message of its own, and so is what could not be done.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from selfheal.events import AlertRaised, ApprovalAsked, WorkPlanned
from selfheal.notify.told import foreseen_key, is_told, last_told
from selfheal.world import Work, World


def work_planned(world: World, event: WorkPlanned) -> tuple[AlertRaised, ...]:
    """Say what will be done about a failure, where a person was told of that."""
    key = foreseen_key(event.agent, event.mode) if event.mode is not None else ""
    last = last_told(world, key) if key else None
    if last is None or last.resolved:
        return ()
    return (replace(last, at=event.at, text=f"{last.text.partition(PLAN)[0]}{PLAN}{in_words(event)}"),)


# Between what is foreseen and what is planned: another plan takes the place of the one before.
PLAN = ". Planned: "


def in_words(planned: WorkPlanned) -> str:
    """What will be done, when, and why then."""
    when = datetime.fromtimestamp(planned.due_at, UTC).strftime("%H:%M:%S UTC")
    if planned.due_at <= planned.at:
        when = "now"
    parts = (f"{planned.action.replace('_', ' ')} {when}", planned.how, planned.timing)
    asks = ", once a person allows it" if planned.asks else ""
    return ", ".join(filter(None, parts)) + asks


def planned_asks(world: World, event: ApprovalAsked) -> AlertRaised:
    """Ask whether planned work may be done."""
    work = world.foresight.work.get(event.incident)
    why = in_words(work.planned) if work is not None else ""
    sign = world.cases[event.incident].sign
    title = f"may {event.fix} be applied to {event.agent}, before it fails?"
    text = f"{sign}. {why}. 'selfheal approve {event.incident}' or 'selfheal reject {event.incident}' decides"
    return AlertRaised(
        event.at, event.incident, "warning", title, text, event.agent, event.incident, asks=event.fix,
        asked_at=event.at,
    )  # fmt: skip


def work_over(world: World, work: Work, at: float) -> tuple[AlertRaised, ...]:
    """Take back what was asked; say what could not be done, where the failure itself was told."""
    planned = work.planned
    told: list[AlertRaised] = []
    if is_told(world, planned.work):
        title = f"{planned.action} of {planned.agent}: {(work.ended or 'over').replace('_', ' ')}"
        told.append(AlertRaised(at, planned.work, "info", title, work.output, planned.agent, planned.work, True))
    last = last_told(world, foreseen_key(planned.agent, planned.mode)) if planned.mode is not None else None
    if work.ended in ("skipped", "failed") and last is not None and not last.resolved:
        done = "was not done" if work.ended == "skipped" else "did not work"
        text = f"{last.text.partition(PLAN)[0]}{PLAN}{planned.action.replace('_', ' ')}, which {done}: {work.output}"
        told.append(replace(last, at=at, text=text))
    return tuple(told)
