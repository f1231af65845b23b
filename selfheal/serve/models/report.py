"""How is shown, after the fact, what an incident was, what it cost, and what would prevent the next one?"""

from __future__ import annotations

from pydantic import Field

from selfheal.serve.models.base import Seconds, Time, View
from selfheal.serve.models.incidents import CauseView, LineView
from selfheal.serve.models.knowledge import SimilarView
from selfheal.vocabulary import ChangeKind, IncidentState, Layer, Outcome, Severity


class TriedFix(View):
    """One attempt, as it is told afterwards."""

    number: int
    fix: str
    layer: Layer
    agent: str
    reflex: bool
    started_at: Time
    ended_at: Time | None
    duration_seconds: Seconds | None = Field(description="Of the act alone.")
    outcome: Outcome | None
    verified: bool
    undone: bool | None
    output: str = Field(description="Its first lines.")


class ChangeView(View):
    """Something that was changed on purpose before it began."""

    at: Time
    agent: str
    kind: ChangeKind
    title: str = Field(examples=["version 1.0 became 1.1"])
    by: str = Field(description="Empty where nobody knows.")


class OutageView(View):
    """How long an agent suffered; null where nobody knows yet."""

    agent: str
    seconds: Seconds | None


class CostView(View):
    """What an incident cost."""

    outages: list[OutageView]
    recovery_seconds: Seconds | None
    restarts: int = Field(description="Attempts that started its process again, as far as they are kept.")
    acts: int = Field(description="Attempts that were reasoned, as far as they are kept.")
    approval_seconds: Seconds = Field(description="How long it waited for a person's answer.")
    person_seconds: Seconds | None = Field(description="How long a person was needed; null where none was.")
    data: list[str] = Field(description="What was said of data in the course of it, word for word.")


class RecurrenceView(View):
    """How often the same happened to the agent, this time counted in."""

    count: int
    days: float
    first_at: Time


class PreventionView(View):
    """What would prevent the next one, or heal it sooner."""

    advice: str
    recurrence: RecurrenceView
    settings: list[str] = Field(description="Which settings would have let more be done.")


class IncidentReport(View):
    """An incident as a whole, for those who were not there."""

    id: str
    title: str
    severity: Severity
    state: IncidentState
    onset: Time
    resolved_at: Time | None
    summary: str
    timeline: list[LineView]
    causes: list[CauseView]
    similar: list[SimilarView] = Field(description="Incidents of the past that looked like it, nearest first.")
    changes: list[ChangeView] = Field(description="Of those concerned and what they depend on, latest first.")
    attempts: list[TriedFix]
    cost: CostView
    prevention: PreventionView
