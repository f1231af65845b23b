"""What should a person know of work that is planned before a failure?

What will be done, and when, is told along with the failure: the message that told of that is changed. What a person is
asked is a message of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime

from selfheal.events import AlertRaised, ApprovalAsked, WorkPlanned
from selfheal.notify.told import is_told
from selfheal.world import Work, World


def in_words(planned: WorkPlanned) -> str:
    """What will be done, when, and why then."""
    when = datetime.fromtimestamp(planned.due_at, UTC).strftime("at %H:%M:%S UTC")
    if planned.due_at <= planned.at:
        when = "now"
    parts = (f"{planned.action.replace('_', ' ')} {when}", planned.how, planned.timing)
    asks = ", once a person allows it" if planned.asks else ""
    return ", ".join(filter(None, parts)) + asks


def given_up(work: Work) -> str:
    """What was planned and came to nothing, and why; empty where it did not."""
    if work.ended not in ("skipped", "failed"):
        return ""
    done = "was not done" if work.ended == "skipped" else "did not work"
    return f"{work.planned.action.replace('_', ' ')}, which {done}: {work.output}"


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


def no_longer_asked(world: World, work: Work, at: float) -> tuple[AlertRaised, ...]:
    """Take back what was asked, once the work is over."""
    planned = work.planned
    if not is_told(world, planned.work):
        return ()
    title = f"{planned.action} of {planned.agent}: {(work.ended or 'over').replace('_', ' ')}"
    return (AlertRaised(at, planned.work, "info", title, work.output, planned.agent, planned.work, True),)
