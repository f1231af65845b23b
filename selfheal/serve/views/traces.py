"""What was the time of an incident spent on?

A trace is read from the story: each event that ends a stage closes its span and begins the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from selfheal.events import (
    Diagnosed,
    FixEnded,
    FixStarted,
    Held,
    IncidentOpened,
    Planned,
    Verified,
)
from selfheal.serve.models.incidents import SpanView, TraceView
from selfheal.serve.times import moment, rfc3339

if TYPE_CHECKING:
    from selfheal.world import Incident, StoryEvent

Stage = Literal["detect", "diagnose", "decide", "fix", "verify"]


@dataclass(frozen=True, slots=True)
class _Span:
    stage: Stage
    began: float
    ended: float | None
    text: str


def trace(incident: Incident) -> TraceView:
    """Show where the time of an incident went."""
    ended = incident.resolved_at
    return TraceView(
        id=incident.id,
        agent=incident.agent,
        state=incident.state,
        started_at=rfc3339(incident.onset),
        ended_at=moment(ended),
        duration_seconds=_between(incident.onset, ended),
        spans=[_view(span) for span in _spans(incident)],
    )


def _spans(incident: Incident) -> list[_Span]:
    """Walk the story; `since` is where the stage that the next event ends began."""
    spans: list[_Span] = []
    since = incident.onset
    running: _Span | None = None
    for event in incident.story:
        stage = _ended_by(event)
        if isinstance(event, FixStarted):
            running = _Span("fix", event.at, None, f"{event.fix} of {event.agent}")
        elif isinstance(event, FixEnded) and running is not None:
            spans.append(_Span("fix", running.began, event.at, f"{running.text}: {event.outcome}"))
            running = None
        elif stage is not None:
            spans.append(_Span(stage, since, event.at, _says(event)))
        else:
            continue
        since = event.at
    return [*spans, running] if running is not None else spans


def _ended_by(event: StoryEvent) -> Stage | None:
    match event:
        case IncidentOpened():
            return "detect"
        case Diagnosed():
            return "diagnose"
        case Planned() | Held():
            return "decide"
        case Verified():
            return "verify"
        case _:
            return None


def _says(event: StoryEvent) -> str:
    match event:
        case IncidentOpened(sign=sign):
            return sign
        case Diagnosed(causes=causes):
            return causes[0].slug if causes else "unknown"
        case Planned(fix=fix):
            return f"chose {fix}"
        case Held(reason=reason):
            return f"held: {reason}"
        case Verified(outcome=outcome):
            return outcome
        case _:
            return ""


def _view(span: _Span) -> SpanView:
    return SpanView(
        name=span.stage,
        started_at=rfc3339(span.began),
        ended_at=moment(span.ended),
        duration_seconds=_between(span.began, span.ended),
        text=span.text,
    )


def _between(began: float, ended: float | None) -> float | None:
    return None if ended is None else round(max(0.0, ended - began), 6)
